//! The port that takes a message and keeps it until it is delivered (qmail-queue(8)).

use crate::Envelope;
use async_trait::async_trait;
use bytes::Bytes;

/// Names a message in one spool for as long as it lives there; ids are reused afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

impl std::fmt::Display for MessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a message was not taken; it is not kept, and the sender may try again later unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// No room: `ENOSPC` or `EDQUOT`.
    #[error("no space left for the spool")]
    Full,
    /// Any other failure of the storage; the text is for the log only.
    #[error("the spool failed: {0}")]
    Storage(String),
    /// This spool can never hold such an envelope; permanent, and the sender's to change.
    #[error("the message cannot be kept: {0}")]
    Unacceptable(String),
    /// The spool is closing down.
    #[error("the spool is closing")]
    Closed,
}

/// Takes messages. `Ok` from [`Incoming::commit`] is a promise: the message is on stable storage.
#[async_trait]
pub trait Spool: Send + Sync {
    /// Begins a message. Dropping the [`Incoming`] without commit leaves nothing behind.
    async fn begin(&self) -> Result<Box<dyn Incoming>, SpoolError>;
}

/// A message that is being taken in.
#[async_trait]
pub trait Incoming: Send {
    /// Adds bytes with LF line ends. May wait for the storage: that is the back-pressure.
    async fn write(&mut self, chunk: Bytes) -> Result<(), SpoolError>;

    /// Makes message and envelope durable and returns the id; a future dropped once this was
    /// polled does not undo it.
    async fn commit(self: Box<Self>, envelope: Envelope) -> Result<MessageId, SpoolError>;
}
