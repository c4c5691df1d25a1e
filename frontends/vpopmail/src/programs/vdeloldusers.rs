//! vdeloldusers: removes mailboxes into which nobody has logged in for long (vdeloldusers(8), spec §2).

use crate::address;
use crate::failure::Failure;
use crate::io::{Accounts, Io};
use crate::onchange::{Change, tell};
use crate::options::{Options, Usage, number};
use applet::Exit;
use mta_auth::vpopmail::AccountError;
use mta_auth::{DomainName, MailboxName};
use mta_core::Unix;
use std::ffi::OsStr;
use std::io::Write;

const USUAL_DAYS: u64 = 180;
const DAY: u64 = 24 * 60 * 60;

const USAGE: Usage = Usage {
    program: "vdeloldusers",
    letters: "vVDd:a:e",
    text: "vdeloldusers: usage: [options]
options: -a age_in_days (will delete accounts older than this date)
                        (default is 6 months or 180 days)
         -v (print version number and exit)
         -d [domain] (process only [domain])
         -e (process every domain)
         -D (actually delete users. no users are deleted without this option)
         -V (verbose -- print old users that will be deleted)
",
};

/// Whether old mailboxes are only counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Dry,
    Real,
}

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    if io.arguments.is_empty() {
        return Err(Failure::usage(255, USAGE.text));
    }
    let options = Options::read(io, &USAGE)?;
    let days = match options.value(b'a') {
        Some(word) => number('a', word)?,
        None => USUAL_DAYS,
    };
    let accounts = io.accounts()?;
    let domains = match options.value(b'd') {
        Some(word) if !options.has(b'e') => vec![address::domain(word)?],
        _ if options.has(b'e') => real_domains(&accounts)?,
        _ => {
            let text = "error: you must supply either the -e or -d [domain] options";
            return Err(Failure::said(255, text));
        }
    };
    let run = if options.has(b'D') {
        Run::Real
    } else {
        Run::Dry
    };
    let before = Unix(io.now.0.saturating_sub(days.saturating_mul(DAY)));
    let mut found = 0_usize;
    for domain in domains {
        for (name, old) in aged(&accounts, &domain, before)? {
            let postmaster = name.as_str() == "postmaster";
            if options.has(b'V') && postmaster {
                writeln!(io.output, "skipping {name}@{domain}")?;
            }
            if postmaster || !old {
                continue;
            }
            found += 1;
            if options.has(b'V') {
                writeln!(io.output, "{name}@{domain}")?;
            }
            if run == Run::Real {
                remove(io, &accounts, (&domain, &name))?;
            }
        }
    }
    if found == 0 {
        writeln!(io.output, "no old users found")?;
    } else if run == Run::Dry {
        writeln!(io.output, " ** no users were deleted  **")?;
        writeln!(io.output, " ** use -D to delete users **")?;
    }
    Ok(Exit::OK)
}

/// The domains that are no aliases.
pub(super) fn real_domains(accounts: &Accounts) -> Result<Vec<DomainName>, Failure> {
    let listed = accounts.domains()?.into_iter();
    let real = listed.filter(|listed| listed.alias_of.is_none());
    real.map(|listed| address::domain(OsStr::new(&listed.name)))
        .collect()
}

/// Every mailbox of a domain, and whether its last login was before that time. Where nothing tells
/// when it was, it was not.
fn aged(
    accounts: &Accounts,
    domain: &DomainName,
    before: Unix,
) -> Result<Vec<(MailboxName, bool)>, Failure> {
    let mut all = Vec::new();
    for entry in accounts.users(domain)? {
        // A name that no program of ours would make is not touched.
        let Ok(name) = MailboxName::parse(&entry.name) else {
            continue;
        };
        let Some(mailbox) = accounts.find(name.as_str(), domain.as_str())? else {
            continue;
        };
        let last = accounts.last_login(&mailbox)?;
        all.push((name, last.is_some_and(|(time, _)| time < before)));
    }
    Ok(all)
}

/// Unlike the original, says where a mailbox stays because the domain's other mail goes to it.
fn remove(
    io: &mut Io<'_>,
    accounts: &Accounts,
    (domain, name): (&DomainName, &MailboxName),
) -> Result<(), Failure> {
    tell(io, accounts, &Change::UserGoes(domain, name))?;
    match accounts.remove_user(domain, name) {
        Err(AccountError::CatchAll(address)) => {
            writeln!(io.output, "skipping {address}: it is the catchall account")?;
            Ok(())
        }
        other => Ok(other?),
    }
}
