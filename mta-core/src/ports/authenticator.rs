//! The port that checks a name and a password (checkpassword interface, vchkpw).

use async_trait::async_trait;

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

/// Checks logins. Implementations compare in constant time and hash for unknown names as well.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// Checks `name` against the clear `password`, neither of which is ever logged with the other.
    async fn login(&self, name: &[u8], password: &[u8]) -> Login;
}

/// Refuses everybody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

#[async_trait]
impl Authenticator for Nobody {
    async fn login(&self, _name: &[u8], _password: &[u8]) -> Login {
        Login::Refused
    }
}
