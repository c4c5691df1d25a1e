//! Names of virtual domains and names of mailboxes in them, as values that are safe to put into
//! paths and colon files (vadddomain(8), vadduser(8)).

use crate::login_name::{self, LoginName};

/// The shortest domain.
pub const MIN_LENGTH: usize = 3;
/// The longest domain.
pub const MAX_LENGTH: usize = 96;

/// A virtual domain's name, in lower case.
///
/// It holds letters, digits, dots and hyphens only, so it is one safe path component. Unlike
/// vadddomain, labels may not be empty: `..` would leave the directory of domains.
///
/// ```
/// use mta_auth::DomainName;
/// assert_eq!(DomainName::parse(b"Example.ORG").unwrap().as_str(), "example.org");
/// assert!(DomainName::parse(b"../etc").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

/// A name that no virtual domain can have: the caller's fault, permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DomainNameError {
    /// Too short or too long.
    #[error("a domain of {MIN_LENGTH} to {MAX_LENGTH} bytes was expected")]
    Length,
    /// A byte that a domain cannot hold.
    #[error("a domain of ASCII letters, digits, dots and hyphens was expected")]
    Byte,
    /// An empty label, or a hyphen at one end.
    #[error("a domain without empty labels and without a hyphen at its ends was expected")]
    Label,
}

impl DomainName {
    /// Takes a name and folds it to lower case.
    ///
    /// # Errors
    /// Fails where the name is too short, too long or holds what a domain cannot.
    pub fn parse(name: &[u8]) -> Result<Self, DomainNameError> {
        if !(MIN_LENGTH..=MAX_LENGTH).contains(&name.len()) {
            return Err(DomainNameError::Length);
        }
        if !name.iter().all(|&b| login_name::is_domain_byte(b)) {
            return Err(DomainNameError::Byte);
        }
        let name: String = name
            .iter()
            .map(|b| char::from(b.to_ascii_lowercase()))
            .collect();
        let hyphens = name.starts_with('-') || name.ends_with('-');
        if hyphens || name.split('.').any(str::is_empty) {
            return Err(DomainNameError::Label);
        }
        Ok(Self(name))
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Display for DomainName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A mailbox's name that may be given to a new one: safe as one path component.
///
/// ```
/// use mta_auth::MailboxName;
/// assert!(MailboxName::parse(b"joe").is_ok());
/// assert!(MailboxName::parse(b"j").is_err(), "it would collide with a hashed sub-directory");
/// assert!(MailboxName::parse(b"a/b").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(String);

/// A name that no new mailbox can have: the caller's fault, permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a mailbox name of 2 to 64 characters was expected, without slash, colon, two dots in a row or a leading dot or hyphen, and not vpasswd"
)]
#[non_exhaustive]
pub struct MailboxNameError;

impl MailboxName {
    /// Takes a name and folds it to lower case.
    ///
    /// # Errors
    /// Fails where the name has one character, holds a slash or two dots in a row, begins with a dot
    /// or a hyphen, or is the name of the account file.
    pub fn parse(name: &[u8]) -> Result<Self, MailboxNameError> {
        let plain = LoginName::parse(name).map_err(|_| MailboxNameError)?;
        let own = plain.local();
        let unsafe_path = own.starts_with(['.', '-']) || own.contains('/') || own.contains("..");
        let unsafe_path = unsafe_path || own.len() < 2;
        let reserved = matches!(own, "vpasswd" | "vpasswd.cdb" | "vpasswd.cdb.tmp");
        if plain.domain().is_some() || own.len() != name.len() || unsafe_path || reserved {
            return Err(MailboxNameError);
        }
        Ok(Self(own.to_owned()))
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Display for MailboxName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
