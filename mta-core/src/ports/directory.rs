//! The port that knows which local parts exist (vdelivermail, qmail-lspawn(8)).

use crate::Address;
use async_trait::async_trait;

/// What the directory says of an address of one of our own domains.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// Mail to it can be delivered, as far as is known without doing it.
    Known,
    /// There is no such mailbox, alias, list or catch-all (RFC 5321 §4.2.2, 550 5.1.1).
    Unknown,
    /// It could not be found out now; trying later may help. The text is for the log only.
    Unsure(String),
}

/// Answers "who is this local part?" at RCPT.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Tells whether mail to `recipient`, whose domain is ours, would find a mailbox.
    async fn presence(&self, recipient: &Address) -> Presence;
}

/// Knows everybody: for a backup MX, which cannot tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Everybody;

#[async_trait]
impl Directory for Everybody {
    async fn presence(&self, _recipient: &Address) -> Presence {
        Presence::Known
    }
}
