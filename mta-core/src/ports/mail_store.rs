//! The port that hands a stored mailbox to one reader at a time (RFC 1939 §3, maildir(5)).

use async_trait::async_trait;
use bytes::Bytes;
use std::path::Path;

/// Why a mailbox could not be used now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailStoreError {
    /// Another session has it; trying later helps (RFC 2449 §8.1.1, `IN-USE`).
    #[error("the mailbox is in use")]
    InUse,
    /// There is no such message, or another reader removed it.
    #[error("expected the number of a message that is there")]
    NoMessage,
    /// The storage failed; the text is for the log only. It never means an empty mailbox.
    #[error("the mailbox failed: {0}")]
    Storage(String),
}

/// A message as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every backend builds it")]
pub struct Listed {
    /// What it is called for as long as it exists.
    pub uid: Vec<u8>,
    /// Its octets with CRLF line ends.
    pub octets: u64,
}

/// Opens mailboxes.
#[async_trait]
pub trait MailStore: Send + Sync {
    /// Opens the mailbox at `path` as it is now; its messages keep their numbers until it is
    /// dropped, which changes nothing in it.
    async fn open(&self, path: &Path) -> Result<Box<dyn OpenMailbox>, MailStoreError>;
}

/// An open mailbox: a snapshot that deliveries do not disturb.
#[async_trait]
pub trait OpenMailbox: Send + Sync {
    /// The messages, numbered from 0 in this order.
    fn messages(&self) -> &[Listed];

    /// Reads at most `limit` bytes of a message as stored, from `at`; empty at its end.
    async fn read(&self, index: usize, at: u64, limit: usize) -> Result<Bytes, MailStoreError>;

    /// Removes these messages and marks all others as seen. `Ok` promises that it is on stable
    /// storage.
    async fn update(self: Box<Self>, removed: Vec<usize>) -> Result<(), MailStoreError>;
}

/// Has an empty mailbox for everybody.
///
/// ```
/// use mta_core::ports::mail_store::{Empty, OpenMailbox};
/// assert!(Empty.messages().is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Empty;

#[async_trait]
impl MailStore for Empty {
    async fn open(&self, _path: &Path) -> Result<Box<dyn OpenMailbox>, MailStoreError> {
        Ok(Box::new(*self))
    }
}

#[async_trait]
impl OpenMailbox for Empty {
    fn messages(&self) -> &[Listed] {
        &[]
    }

    async fn read(&self, _index: usize, _at: u64, _limit: usize) -> Result<Bytes, MailStoreError> {
        Err(MailStoreError::NoMessage)
    }

    async fn update(self: Box<Self>, _removed: Vec<usize>) -> Result<(), MailStoreError> {
        Ok(())
    }
}
