//! Addresses and domains of the command line, and the original's words for wrong ones (spec §2).

use crate::code::Code;
use crate::failure::Failure;
use crate::io::Accounts;
use mta_auth::domain_name::DomainNameError;
use mta_auth::login_name::LoginNameError;
use mta_auth::vpopmail::Domain;
use mta_auth::{DomainName, LoginName, MailboxName};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// A mailbox and its domain.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) name: MailboxName,
    pub(crate) domain: DomainName,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.domain)
    }
}

/// Reads `user@domain`; without a domain it is that of `etc/defaultdomain`.
pub(crate) fn mailbox(accounts: &Accounts, word: &OsStr) -> Result<Address, Failure> {
    let (name, domain) = split(accounts, word)?;
    let name = MailboxName::parse(name.as_bytes())
        .map_err(|error| Failure::code_with(Code::IllegalUsername, &error.to_string()))?;
    Ok(Address { name, domain })
}

/// Splits an address whose local part need not be fit for a new mailbox.
pub(crate) fn split(accounts: &Accounts, word: &OsStr) -> Result<(String, DomainName), Failure> {
    let login = LoginName::parse(word.as_bytes()).map_err(|error| {
        let code = match error {
            LoginNameError::Domain => Code::InvalidDomain,
            LoginNameError::TooLong => Code::UserTooLong,
            _ => Code::IllegalUsername,
        };
        Failure::code_with(code, &error.to_string())
    })?;
    let own = login.domain().map(str::to_owned);
    let domain = match own {
        Some(domain) => Some(domain),
        None => accounts.default_domain()?,
    };
    let Some(domain) = domain else {
        return Err(Failure::said(
            255,
            "You did not use a full email address for the user name\n\
             Only full email addresses should be used",
        ));
    };
    Ok((login.local().to_owned(), self::domain(OsStr::new(&domain))?))
}

/// Reads a domain.
pub(crate) fn domain(word: &OsStr) -> Result<DomainName, Failure> {
    DomainName::parse(word.as_bytes()).map_err(|error| {
        let code = match error {
            DomainNameError::Length if word.len() > mta_auth::domain_name::MAX_LENGTH => {
                Code::DomainTooLong
            }
            _ => Code::InvalidDomain,
        };
        Failure::code_with(code, &error.to_string())
    })
}

/// Tells whether a word is an address and not a domain.
pub(crate) fn is_address(word: &OsStr) -> bool {
    word.as_bytes().contains(&b'@')
}

/// The domain of that name, or the real one behind an alias.
///
/// # Errors
/// Fails where there is none.
pub(crate) fn real(accounts: &Accounts, name: &DomainName) -> Result<Domain, Failure> {
    let found = accounts.domain(name.as_str())?;
    found.ok_or_else(|| Code::NoSuchDomain.into())
}

/// The mailboxes that a word means: one address, or every one of a domain.
///
/// # Errors
/// Fails where the domain is none.
pub(crate) fn mailboxes(accounts: &Accounts, word: &OsStr) -> Result<Vec<Address>, Failure> {
    if is_address(word) {
        return Ok(vec![mailbox(accounts, word)?]);
    }
    let domain = domain(word)?;
    real(accounts, &domain)?;
    let mut all = Vec::new();
    for entry in accounts.users(&domain)? {
        let name = MailboxName::parse(&entry.name)
            .map_err(|error| Failure::code_with(Code::IllegalUsername, &error.to_string()))?;
        let domain = domain.clone();
        all.push(Address { name, domain });
    }
    Ok(all)
}
