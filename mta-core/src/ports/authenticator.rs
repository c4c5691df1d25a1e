//! The port that checks a name and a password (checkpassword interface, vchkpw).

use async_trait::async_trait;
use std::fmt;
use std::net::IpAddr;

/// What checking a login came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Login {
    /// The password is right.
    Accepted(Account),
    /// Unknown name or wrong password; which of them is not told.
    Refused,
    /// It could not be checked now; trying later may help. The text is for the log only.
    Unsure(String),
}

/// Whoever logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The full name, `user@domain`, in lower case.
    pub name: String,
    /// The path of the Maildir.
    pub maildir: std::path::PathBuf,
}

/// What a client logs in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// Fetching mail by POP3.
    Pop,
    /// Sending mail.
    Smtp,
}

/// What a client knows its password by; `Debug` shows none of it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof<'a> {
    /// The clear password.
    Password(&'a [u8]),
    /// HMAC-MD5 of a challenge by CRAM-MD5 (RFC 2195), in hexadecimal digits.
    CramMd5 {
        /// What the server sent.
        challenge: &'a [u8],
        /// What the client answered.
        digest: &'a [u8],
    },
    /// MD5 of a timestamp and the password by APOP (RFC 1939 §7), in hexadecimal digits.
    Apop {
        /// What stood in the greeting.
        timestamp: &'a [u8],
        /// What the client answered.
        digest: &'a [u8],
    },
}

impl fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(..)",
            Self::CramMd5 { .. } => "CramMd5(..)",
            Self::Apop { .. } => "Apop(..)",
        })
    }
}

/// One attempt to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Attempt<'a> {
    /// As the client wrote it.
    pub name: &'a [u8],
    /// What it knows.
    pub proof: Proof<'a>,
    /// What it wants.
    pub service: Service,
    /// Where it is, for whoever keeps account of that.
    pub from: Option<IpAddr>,
}

/// Checks logins. Implementations compare in constant time and hash for unknown names as well.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// Checks one attempt, of which no part but the name is ever logged.
    async fn login(&self, attempt: Attempt<'_>) -> Login;
}

/// Refuses everybody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

#[async_trait]
impl Authenticator for Nobody {
    async fn login(&self, _attempt: Attempt<'_>) -> Login {
        Login::Refused
    }
}
