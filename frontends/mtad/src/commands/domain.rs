//! `mtad domain`: virtual domains in vpopmail's layout (vadddomain(8), vdeldomain(8)).

use super::ask;
use super::password::{self, Unsaid};
use crate::cli::Domain;
use crate::home::Home;
use crate::{Failure, accounts, ownership};
use mta_auth::DomainName;
use mta_auth::vpopmail::AccountError;
use std::io::Write;

pub(super) fn run(home: &Home, what: &Domain, out: &mut dyn Write) -> Result<(), Failure> {
    let accounts = accounts::of(home)?;
    match what {
        Domain::Add { domain, password } => {
            let name = parse(domain)?;
            let new = password::new(home, *password, Unsaid::Invent)?;
            accounts.add_domain(&name, &new.crypt)?;
            ownership::give(home, &[&home.control(), &home.users()])?;
            ask::reload(home)?;
            if let Some(clear) = new.shown {
                writeln!(out, "postmaster@{name} password {clear}")?;
            }
        }
        Domain::Remove { domain } => {
            accounts.remove_domain(&parse(domain)?)?;
            ownership::give(home, &[&home.control(), &home.users()])?;
            ask::reload(home)?;
        }
        Domain::List { domain } => {
            let only = domain.as_deref().map(parse).transpose()?;
            let all = accounts.domains()?;
            if let Some(only) = &only
                && !all.iter().any(|listed| listed.name == only.as_str())
            {
                return Err(AccountError::NoSuchDomain(only.to_string()).into());
            }
            for listed in all {
                if only
                    .as_ref()
                    .is_some_and(|only| only.as_str() != listed.name)
                {
                    continue;
                }
                match &listed.alias_of {
                    Some(real) => writeln!(out, "{} (alias of {real})", listed.name)?,
                    None => writeln!(out, "{}", listed.name)?,
                }
            }
        }
    }
    Ok(())
}

pub(super) fn parse(domain: &str) -> Result<DomainName, Failure> {
    DomainName::parse(domain.as_bytes())
        .map_err(|error| Failure::permanent(format!("{domain:?}: {error}")))
}
