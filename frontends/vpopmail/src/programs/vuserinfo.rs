//! vuserinfo: tells all or some fields of a mailbox (vuserinfo(8), spec §2).

use crate::address;
use crate::failure::Failure;
use crate::io::{Accounts, Io, host};
use crate::options::{Options, Usage};
use applet::Exit;
use mta_auth::Flags;
use mta_auth::vpopmail::Mailbox;
use mta_core::Unix;
use mta_core::date::Civil;
use std::io::Write;

const USAGE: Usage = Usage {
    program: "vuserinfo",
    letters: "anpugcdqQvlD:C",
    text: "vuserinfo: usage: [options] email_address
options: -v (print version number)
         -a (display all fields, this is the default)
         -n (display name field)
         -p (display crypted password)
         -u (display uid field)
         -g (display gid field)
         -c (display comment field)
         -d (display directory)
         -q (display quota field)
         -Q (display quota usage)
         -l (display last authentication time)
         -D domainname (show all users on this domain)
",
};

/// What a set flag means, in the original's order.
const MEANINGS: [(Flags, &str); 19] = [
    (Flags::NO_PASSWD_CHNG, "password can not be changed by user"),
    (Flags::NO_POP, "pop access closed"),
    (Flags::NO_WEBMAIL, "webmail access closed"),
    (Flags::NO_IMAP, "imap access closed"),
    (Flags::NO_SMTP, "smtp access is closed"),
    (Flags::NO_RELAY, "user not allowed to relay mail"),
    (Flags::NO_SPAMASSASSIN, "spamassassin processing disabled"),
    (Flags::DELETE_SPAM, "delete spam"),
    (Flags::NO_MAILDROP, "maildrop processing disabled"),
    (Flags::NO_DIALUP, "no dialup flag has been set"),
    (Flags::BOUNCE_MAIL, "mail will be bounced back to sender"),
    (Flags::QA_ADMIN, "has qmailadmin administrator access"),
    (Flags::SA_ADMIN, "has system administrator access"),
    (Flags::SA_EXPERT, "has expert access"),
    (Flags::V_USER0, "user flag 0 is set"),
    (Flags::V_USER1, "user flag 1 is set"),
    (Flags::V_USER2, "user flag 2 is set"),
    (Flags::V_USER3, "user flag 3 is set"),
    (Flags::V_OVERRIDE, "user is not subject to domain limits"),
];

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut options = Options::read(io, &USAGE)?;
    let accounts = io.accounts()?;
    if let Some(word) = options.value(b'D') {
        let domain = address::domain(word)?;
        address::real(&accounts, &domain)?;
        for entry in accounts.users(&domain)? {
            let name = String::from_utf8_lossy(&entry.name).into_owned();
            if let Some(mailbox) = accounts.find(&name, domain.as_str())? {
                writeln!(io.output, "------------------------------------------")?;
                show(io, &accounts, (&options, &mailbox))?;
            }
        }
        return Ok(Exit::OK);
    }
    let Some(word) = options.operand() else {
        return Err(Failure::usage(255, USAGE.text));
    };
    let (name, domain) = address::split(&accounts, &word)?;
    let Some(mailbox) = accounts.find(&name, domain.as_str())? else {
        return Err(Failure::said(
            255,
            format_args!("no such user {name}@{domain}"),
        ));
    };
    show(io, &accounts, (&options, &mailbox))?;
    Ok(Exit::OK)
}

fn show(
    io: &mut Io<'_>,
    accounts: &Accounts,
    (options, mailbox): (&Options, &Mailbox),
) -> Result<(), Failure> {
    let fields: Vec<u8> = options.given.iter().map(|(letter, _)| *letter).collect();
    if fields.contains(&b'a') || !fields.iter().any(|letter| !b"vD".contains(letter)) {
        return show_all(io, accounts, mailbox);
    }
    let shown = Shown::of(mailbox);
    let plain = [
        (b'n', &mailbox.name),
        (b'p', &shown.crypt),
        (b'u', &shown.uid),
        (b'g', &shown.gid),
        (b'c', &shown.gecos),
        (b'd', &shown.dir),
        (b'q', &shown.quota),
    ];
    for (letter, value) in plain {
        if fields.contains(&letter) {
            writeln!(io.output, "{value}")?;
        }
    }
    if fields.contains(&b'Q') {
        let usage = usage(io, accounts, mailbox)?;
        writeln!(io.output, "{usage}")?;
    }
    if fields.contains(&b'l') {
        show_last_login(io, accounts, mailbox)?;
    }
    Ok(())
}

/// The fields as text.
struct Shown {
    crypt: String,
    uid: String,
    gid: String,
    gecos: String,
    dir: String,
    quota: String,
}

impl Shown {
    fn of(mailbox: &Mailbox) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            crypt: text(&mailbox.hash),
            uid: mailbox.uid.to_string(),
            gid: mailbox.flags.0.to_string(),
            gecos: text(&mailbox.gecos),
            dir: mailbox.home.display().to_string(),
            quota: text(&mailbox.quota),
        }
    }
}

fn show_all(io: &mut Io<'_>, accounts: &Accounts, mailbox: &Mailbox) -> Result<(), Failure> {
    let shown = Shown::of(mailbox);
    let flags = accounts.effective_flags(mailbox)?;
    let out = &mut io.output;
    writeln!(out, "name:   {}", mailbox.name)?;
    writeln!(out, "passwd: {}", shown.crypt)?;
    // Unlike the original's, this output may end up anywhere: a kept password is not shown.
    writeln!(out, "clear passwd: ")?;
    writeln!(out, "comment/gecos: {}", shown.gecos)?;
    writeln!(out, "uid:    {}", shown.uid)?;
    writeln!(out, "gid:    {}", shown.gid)?;
    writeln!(out, "flags:  {}", flags.0)?;
    writeln!(out, "gecos: {}", shown.gecos)?;
    if flags == Flags::default() {
        writeln!(out, "limits: No user limits set.")?;
    } else {
        writeln!(out, "limits:")?;
        for (flag, meaning) in MEANINGS {
            if mailbox.flags.contains(flag) {
                writeln!(out, "        {meaning}")?;
            } else if flags.contains(flag) {
                writeln!(out, "        {meaning} (*)")?;
            }
        }
        if flags != mailbox.flags {
            writeln!(out, "        * = set by domain-wide limits")?;
        }
    }
    writeln!(out, "dir:       {}", shown.dir)?;
    writeln!(out, "quota:     {}", shown.quota)?;
    let usage = usage(io, accounts, mailbox)?;
    writeln!(io.output, "usage:     {usage}")?;
    show_last_login(io, accounts, mailbox)
}

fn usage(io: &Io<'_>, accounts: &Accounts, mailbox: &Mailbox) -> Result<String, Failure> {
    let host = host();
    let state = accounts.quota_state(mailbox, io.unique(&host))?;
    Ok(match state {
        Some(state) => format!("{}%", state.percent()),
        None => Shown::of(mailbox).quota,
    })
}

fn show_last_login(io: &mut Io<'_>, accounts: &Accounts, mailbox: &Mailbox) -> Result<(), Failure> {
    let out = &mut io.output;
    match accounts.last_login(mailbox)? {
        Some((time, Some(ip))) => {
            writeln!(out, "last auth: {}", asctime(time))?;
            writeln!(out, "last auth ip: {ip}")?;
        }
        created => {
            if let Some((time, None)) = created {
                writeln!(out, "account created: {}", asctime(time))?;
            }
            writeln!(out, "last auth: Never logged in")?;
        }
    }
    Ok(())
}

/// A time as asctime(3) writes it, in UTC.
fn asctime(time: Unix) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let c = Civil::from_unix(time);
    let day = DAYS.get(usize::from(c.weekday)).unwrap_or(&"???");
    let month = MONTHS
        .get(usize::from(c.month).wrapping_sub(1))
        .unwrap_or(&"???");
    let (hour, minute, second) = (c.hour, c.minute, c.second);
    format!(
        "{day} {month} {:2} {hour:02}:{minute:02}:{second:02} {}",
        c.day, c.year
    )
}
