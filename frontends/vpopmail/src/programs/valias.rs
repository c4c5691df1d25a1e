//! valias: shows and changes the aliases of a domain (valias(8), spec §1.5, §2).

use crate::address;
use crate::failure::Failure;
use crate::io::{Accounts, Io};
use crate::onchange::{Change, tell};
use crate::options::{Options, Usage};
use applet::Exit;
use mta_auth::DomainName;
use mta_auth::vpopmail::{AccountError, AliasName, Domain};
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

const USAGE: Usage = Usage {
    program: "valias",
    letters: "vnsdi:",
    text: "valias: usage: [options] email_address \n\
options: -v ( display the vpopmail version number )
         -n ( show alias names, use just domain )
         -s ( show aliases, can use just domain )
         -d ( delete alias )
         -i alias_line (insert alias line)

Example: valias -i fred@inter7.com bob@inter7.com
         (adds alias from bob@inter7.com to fred@inter7.com
",
};

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut options = Options::read(io, &USAGE)?;
    let Some(word) = options.operand() else {
        let text = format!("must supply alias email address\n{}", USAGE.text);
        return Err(Failure::complaint(255, text.trim_end()));
    };
    let accounts = io.accounts()?;
    // The last of the letters counts.
    let action = options
        .given
        .iter()
        .rev()
        .find(|(letter, _)| *letter != b'v');
    match action.map(|(letter, value)| (*letter, value.as_deref())) {
        Some((b'n', _)) => names(io, &accounts, &word),
        Some((b'd', _)) => delete(io, &accounts, &word),
        Some((b'i', Some(line))) => insert(io, &accounts, (&word, line)),
        _ => select(io, &accounts, &word),
    }
}

fn select(io: &mut Io<'_>, accounts: &Accounts, word: &OsStr) -> Result<Exit, Failure> {
    let aliases = if address::is_address(word) {
        let (name, domain) = one(accounts, word)?;
        let lines = accounts.alias_lines(&domain.1, &name)?;
        if lines.is_empty() {
            let (name, domain) = (name.as_str(), &domain.0);
            return Err(Failure::said(
                255,
                format_args!("No aliases {name}@{domain} found"),
            ));
        }
        let shown = format!("{}@{}", name.as_str(), domain.0);
        vec![(shown, lines)]
    } else {
        let (name, domain) = whole(accounts, word)?;
        let all = accounts.aliases(&domain)?;
        if all.is_empty() {
            return Err(Failure::said(
                255,
                format_args!("No aliases found for domain {name}"),
            ));
        }
        let shown = |alias: mta_auth::vpopmail::Alias| {
            (format!("{}@{name}", alias.name.as_str()), alias.lines)
        };
        all.into_iter().map(shown).collect()
    };
    for (shown, lines) in aliases {
        for line in lines {
            write!(io.output, "{shown} -> ")?;
            io.output.write_all(&line)?;
            io.output.write_all(b"\n")?;
        }
    }
    Ok(Exit::OK)
}

fn names(io: &mut Io<'_>, accounts: &Accounts, word: &OsStr) -> Result<Exit, Failure> {
    if address::is_address(word) {
        return Err(Failure::complaint(255, "Please enter domain name only."));
    }
    let (_, domain) = whole(accounts, word)?;
    let all = accounts.aliases(&domain)?;
    if all.is_empty() {
        return Err(Failure::silent(Exit::other(255)));
    }
    for alias in all {
        writeln!(io.output, "{}", alias.name.as_str())?;
    }
    Ok(Exit::OK)
}

fn insert(
    io: &mut Io<'_>,
    accounts: &Accounts,
    (word, line): (&OsStr, &OsStr),
) -> Result<Exit, Failure> {
    let (name, (_, domain)) = one(accounts, word)?;
    let added = accounts.add_alias_line(&domain, &name, line.as_bytes());
    if let Err(AccountError::AliasExists(_)) = added {
        let (alias, line) = (word.display(), line.display());
        let text = format!("Error: alias {alias} -> {line} already exists.");
        return Err(Failure::complaint(255, text));
    }
    added?;
    let address = format!("{}@{}", name.as_str(), domain.name);
    tell(
        io,
        accounts,
        &Change::AliasCame(&address, &line.to_string_lossy()),
    )?;
    // The alias is carried out before a mailbox is looked for.
    if accounts.find(name.as_str(), &domain.name)?.is_some() {
        let name = name.as_str();
        writeln!(
            io.errors,
            "valias: warning: mail for {name}@{} goes where the alias says, and no more to the mailbox of that name",
            domain.name
        )?;
    }
    Ok(Exit::OK)
}

/// What is not there is gone, too.
fn delete(io: &mut Io<'_>, accounts: &Accounts, word: &OsStr) -> Result<Exit, Failure> {
    let (name, (typed, domain)) = one(accounts, word)?;
    let address = format!("{}@{typed}", name.as_str());
    tell(io, accounts, &Change::AliasGoes(&address))?;
    accounts.set_alias(&domain, &name, &[])?;
    Ok(Exit::OK)
}

/// One alias, and its domain by the name that was given and by the real one.
fn one(accounts: &Accounts, word: &OsStr) -> Result<(AliasName, (DomainName, Domain)), Failure> {
    let (name, domain) = address::split(accounts, word)?;
    let name = AliasName::parse(name.as_bytes())?;
    let real = address::real(accounts, &domain)?;
    Ok((name, (domain, real)))
}

fn whole(accounts: &Accounts, word: &OsStr) -> Result<(DomainName, Domain), Failure> {
    let name = address::domain(word)?;
    let domain = address::real(accounts, &name)?;
    Ok((name, domain))
}
