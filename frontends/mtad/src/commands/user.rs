//! `mtad user`: mailboxes of virtual domains (vadduser(8), vdeluser(8), vpasswd(8)).

use super::domain;
use super::password::{self, Unsaid};
use crate::cli::User;
use crate::home::Home;
use crate::{Failure, accounts};
use mta_auth::sasl::ScramKeys;
use mta_auth::vpopmail::{AccountError, NewUser};
use mta_auth::{DomainName, MailboxName};
use std::io::Write;

pub(super) fn run(home: &Home, what: &User, out: &mut dyn Write) -> Result<(), Failure> {
    let accounts = accounts::of(home)?;
    match what {
        User::Add { address, password } => {
            let (name, domain) = parse(address)?;
            let new = password::new(home, *password, Unsaid::AskOrInvent)?;
            let (shown, user) = (format!("{name}@{domain}"), name.clone());
            let added = NewUser::new(name, new.crypt).clear(new.kept);
            accounts.add_user(&domain, &added)?;
            keep(&accounts, (&domain, &user), new.scram)?;
            if let Some(clear) = new.shown {
                writeln!(out, "{shown} password {clear}")?;
            }
        }
        User::Remove { address } => {
            let (name, domain) = parse(address)?;
            accounts.remove_user(&domain, &name)?;
        }
        User::Passwd { address, password } => {
            let (name, domain) = parse(address)?;
            let new = password::new(home, *password, Unsaid::Ask)?;
            accounts.set_passwords(&domain, &name, (&new.crypt, new.kept.as_ref()))?;
            keep(&accounts, (&domain, &name), new.scram)?;
        }
        User::List { address } => list(&accounts, address.as_deref(), out)?,
    }
    Ok(())
}

/// Keeps keys of SCRAM beside a password that was just set.
fn keep(
    accounts: &accounts::Accounts,
    (domain, name): (&DomainName, &MailboxName),
    keys: Option<ScramKeys>,
) -> Result<(), Failure> {
    let Some(keys) = keys else {
        return Ok(());
    };
    if let Some(mailbox) = accounts.find(name.as_str(), domain.as_str())? {
        accounts.keep_scram_keys(&mailbox, &keys)?;
    }
    Ok(())
}

fn list(
    accounts: &accounts::Accounts,
    only: Option<&str>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let (user, domains) = match only.map(|only| only.rsplit_once('@').ok_or(only)) {
        None => {
            let all = accounts.domains()?;
            let real = all.into_iter().filter(|listed| listed.alias_of.is_none());
            let names: Result<Vec<_>, _> = real.map(|listed| domain::parse(&listed.name)).collect();
            (None, names?)
        }
        Some(Ok((user, domain))) => (
            Some(user.to_ascii_lowercase()),
            vec![domain::parse(domain)?],
        ),
        Some(Err(domain)) => (None, vec![domain::parse(domain)?]),
    };
    let mut listed = 0_usize;
    for domain in domains {
        for entry in accounts.users(&domain)? {
            let name = String::from_utf8_lossy(&entry.name);
            if user.as_ref().is_none_or(|user| *user == name) {
                writeln!(out, "{name}@{domain}")?;
                listed += 1;
            }
        }
    }
    match only.filter(|_| user.is_some() && listed == 0) {
        Some(address) => Err(AccountError::NoSuchUser(address.to_owned()).into()),
        None => Ok(()),
    }
}

fn parse(address: &str) -> Result<(MailboxName, DomainName), Failure> {
    let Some((name, domain)) = address.rsplit_once('@') else {
        return Err(Failure::permanent(format!(
            "expected user@domain, found {address:?}"
        )));
    };
    let name = MailboxName::parse(name.as_bytes())
        .map_err(|error| Failure::permanent(format!("{address:?}: {error}")))?;
    Ok((name, domain::parse(domain)?))
}
