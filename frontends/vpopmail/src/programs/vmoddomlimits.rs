//! vmoddomlimits: shows and changes the limits of domains, or the default (vmoddomlimits(8), spec §6).

use crate::address;
use crate::failure::Failure;
use crate::io::Io;
use crate::options::{Options, Usage, number, text};
use applet::Exit;
use mta_auth::permission::{Denied, Operation, Resource};
use mta_auth::vpopmail::Domain;
use mta_auth::{Flags, Limits, Quota};
use std::ffi::OsStr;
use std::io::Write;

const USAGE: Usage = Usage {
    program: "vmoddomlimits",
    letters: "vSDdQ:q:M:m:P:A:F:R:L:g:p:a:f:r:l:u:o:x:z:h",
    text: "vmoddomlimits: usage: [options] domain 
options: -v ( display the vpopmail version number )
         -S ( show current settings )
         -D ( delete limits for this domain, i.e. switch to default limits)
         -d ( use the vlimits.default file instead of domain )

        the following options are quota values.
         -Q quota-in-megabytes ( set domain disk quota, '100' = 100 MB )
         -q quota-in-bytes ( set default user quota, '10M' = 10 MB )
         -M count ( set domain max msg count )
         -m count ( set default user max msg count )

        the following options are ints. -1 = unlimited
         -P count ( set max amount of pop accounts )
         -A count ( set max amount of aliases )
         -F count ( set max amount of forwards )
         -R count ( set max amount of autoresponders )
         -L count ( set max amount of mailing lists )

        the following options are bit flags in the gid int field
         -g FLAGS  ( set flags, see below )
           gid flags:
            u ( set no dialup flag )
            d ( set no password changing flag )
            p ( set no pop access flag )
            s ( set no smtp access flag )
            w ( set no web mail access flag )
            i ( set no imap access flag )
            r ( set no external relay flag )
            c ( set no spamassassin flag )
            x ( set delete spam flag )
            m ( set no maildrop flag )

        the following options are bit flags for non postmaster admins
         -p FLAGS  ( set pop account flags )
         -a FLAGS  ( set alias flags )
         -f FLAGS  ( set forward flags )
         -r FLAGS  ( set autoresponder flags )
         -l FLAGS  ( set mailinglist flags )
         -u FLAGS  ( set mailinglist users flags )
         -o FLAGS  ( set mailinglist moderators flags )
         -x FLAGS  ( set quota flags )
         -z FLAGS  ( set default quota flags )
           perm flags:
            a ( set deny all flag )
            c ( set deny create flag )
            m ( set deny modify flag )
            d ( set deny delete flag )
",
};

/// The switches: their letter for `-g`, their name in `-S`, in the order in which that shows them.
const SWITCHES: [(char, &str, Flags); 10] = [
    ('i', "NO_IMAP", Flags::NO_IMAP),
    ('s', "NO_SMTP", Flags::NO_SMTP),
    ('p', "NO_POP", Flags::NO_POP),
    ('w', "NO_WEBMAIL", Flags::NO_WEBMAIL),
    ('d', "NO_PASSWD_CHNG", Flags::NO_PASSWD_CHNG),
    ('r', "NO_RELAY", Flags::NO_RELAY),
    ('u', "NO_DIALUP", Flags::NO_DIALUP),
    ('c', "NO_SPAMASSASSIN", Flags::NO_SPAMASSASSIN),
    ('x', "DEL_SPAM", Flags::DELETE_SPAM),
    ('m', "NO_MAILDROP", Flags::NO_MAILDROP),
];

/// The permissions: their letter, how `-S` calls them, and what they are about.
const PERMISSIONS: [(u8, &str, Resource); 9] = [
    (b'p', "pop account:            ", Resource::Account),
    (b'a', "alias:                  ", Resource::Alias),
    (b'f', "forward:                ", Resource::Forward),
    (b'r', "autoresponder:          ", Resource::Autoresponder),
    (b'l', "mailinglist:            ", Resource::MailingList),
    (b'u', "mailinglist users:      ", Resource::MailingListUsers),
    (
        b'o',
        "mailinglist moderators: ",
        Resource::MailingListModerators,
    ),
    (b'x', "quota:                  ", Resource::Quota),
    (b'z', "default quota:          ", Resource::DefaultQuota),
];

const OPERATIONS: [(char, &str, Operation); 3] = [
    ('c', "CREATE", Operation::Create),
    ('m', "MODIFY", Operation::Modify),
    ('d', "DELETE", Operation::Delete),
];

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut options = Options::read(io, &USAGE)?;
    let accounts = io.accounts()?;
    let (mut limits, whose): (Limits, Option<Domain>) = if options.has(b'd') {
        (accounts.default_limits()?, None)
    } else {
        let word = match options.operand() {
            Some(word) if !options.has(b'h') => word,
            _ => return Err(Failure::usage(255, USAGE.text)),
        };
        let name = address::domain(&word)?;
        // Whom the original does not know, it says nothing about.
        let domain = address::real(&accounts, &name)?;
        (accounts.limits(&domain)?, Some(domain))
    };
    if options.has(b'D') {
        let Some(domain) = &whose else {
            let text = "Default limits must not be deleted. If you really want to do this,\n\
                remove the vlimits.default file.";
            return Err(Failure::said(255, text));
        };
        accounts.remove_limits(domain)?;
        writeln!(io.output, "Limits deleted")?;
        return Ok(Exit::OK);
    }
    if options.has(b'S') {
        match &whose {
            Some(domain) => writeln!(io.output, "Domain: {}", domain.name)?,
            None => {
                let path = accounts.layout().vpopmail.join("etc/vlimits.default");
                writeln!(io.output, "Default limits: {}", path.display())?;
            }
        }
        show(io, &limits)?;
        return Ok(Exit::OK);
    }
    change(&options, &mut limits)?;
    match &whose {
        Some(domain) => accounts.set_limits(domain, &limits)?,
        None => accounts.set_default_limits(&limits)?,
    }
    Ok(Exit::OK)
}

fn change(options: &Options, limits: &mut Limits) -> Result<(), Failure> {
    let counts = [
        ('P', &mut limits.max_accounts),
        ('A', &mut limits.max_aliases),
        ('F', &mut limits.max_forwards),
        ('R', &mut limits.max_autoresponders),
        ('L', &mut limits.max_mailing_lists),
    ];
    for (letter, count) in counts {
        if let Some(word) = value(options, letter) {
            *count = u64::try_from(number::<i64>(letter, word)?).ok();
        }
    }
    let amounts = [
        ('Q', &mut limits.domain_megabytes),
        ('M', &mut limits.domain_messages),
        ('m', &mut limits.default_messages),
    ];
    for (letter, amount) in amounts {
        if let Some(word) = value(options, letter) {
            *amount = number(letter, word)?;
        }
    }
    if let Some(quota) = options.text(b'q')? {
        let quota = Quota::parse(quota.as_bytes());
        let quota = quota.map_err(|error| Failure::said(255, format_args!("Error: {error}")))?;
        limits.default_bytes = quota.bytes.unwrap_or(0);
    }
    if let Some(letters) = options.text(b'g')? {
        limits.flags = Flags::default();
        for letter in letters.chars() {
            let known = SWITCHES.iter().find(|(known, _, _)| *known == letter);
            let (_, _, flag) = known.ok_or_else(|| unknown('g', letter))?;
            limits.flags = limits.flags | *flag;
        }
    }
    for (option, _, resource) in PERMISSIONS {
        if let Some(word) = options.value(option) {
            limits.denied.set(resource, denied(option, text(word)?)?);
        }
    }
    Ok(())
}

fn value(options: &Options, letter: char) -> Option<&OsStr> {
    u8::try_from(letter)
        .ok()
        .and_then(|letter| options.value(letter))
}

fn denied(option: u8, letters: &str) -> Result<Denied, Failure> {
    let mut denied = Denied::default();
    for letter in letters.chars() {
        if letter == 'a' {
            denied = Denied::ALL;
            continue;
        }
        let known = OPERATIONS.iter().find(|(known, _, _)| *known == letter);
        let (_, _, operation) = known.ok_or_else(|| unknown(char::from(option), letter))?;
        denied = denied.with(*operation);
    }
    Ok(denied)
}

/// Unlike the original, a letter that means nothing is refused, not passed over: it was meant to
/// forbid something.
fn unknown(option: char, letter: char) -> Failure {
    Failure::said(
        255,
        format_args!("Error: -{option}: there is no flag {letter:?}"),
    )
}

fn show(io: &mut Io<'_>, limits: &Limits) -> Result<(), Failure> {
    let out = &mut io.output;
    writeln!(out, "--")?;
    let counts = [
        ("Pop Accounts", limits.max_accounts),
        ("Aliases", limits.max_aliases),
        ("Forwards", limits.max_forwards),
        ("Autoresponders", limits.max_autoresponders),
        ("Mailinglists", limits.max_mailing_lists),
    ];
    for (what, count) in counts {
        match count {
            Some(count) => writeln!(out, "Max {what}: {count}")?,
            None => writeln!(out, "Max {what}: -1")?,
        }
    }
    writeln!(out, "GID Flags:")?;
    let mut letters = String::new();
    for (letter, name, flag) in SWITCHES {
        if limits.flags.contains(flag) {
            writeln!(out, "  {name}")?;
            letters.push(letter);
        }
    }
    writeln!(out, "Flags (for commandline): {letters}")?;
    write!(out, "Flags for non postmaster accounts:")?;
    for (_, name, resource) in PERMISSIONS {
        write!(out, "\n  {name}")?;
        for (_, operation, which) in OPERATIONS {
            if limits.denied.of(resource).contains(which) {
                write!(out, "DENY_{operation}  ")?;
            } else {
                write!(out, "ALLOW_{operation} ")?;
            }
        }
    }
    writeln!(out)?;
    writeln!(out, "Domain Quota: {} MB", limits.domain_megabytes)?;
    writeln!(out, "Default User Quota: {} bytes", limits.default_bytes)?;
    writeln!(out, "Max Domain Messages: {}", limits.domain_messages)?;
    writeln!(
        out,
        "Default Max Messages per User: {}",
        limits.default_messages
    )?;
    Ok(())
}
