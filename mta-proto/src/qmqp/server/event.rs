//! What a QMQP server session tells and asks (qmail-qmqpd(8)).

use crate::Ticket;
use crate::netstring::Malformed;
use bytes::Bytes;
use mta_core::Address;

/// What happened, and what the application has to decide.
///
/// A message begins with [`Event::Message`] and ends with exactly one [`Event::End`] or
/// [`Event::Abort`]; what was kept of it is dropped at an abort. The body comes before the
/// envelope, and nobody is asked about single recipients: there is one verdict for all.
#[non_exhaustive]
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody connected. `Verdict::Accept` listens to them; anything else closes. Whoever is let
    /// in may send to anywhere.
    Connected(Ticket<Greeting>),
    /// A message comes, of so many bytes.
    Message {
        /// Its size.
        size: u64,
    },
    /// A piece of the body as it came; never empty. Write it away before polling on.
    Body(Bytes),
    /// The whole body is here, and this is the reverse-path.
    Sender(Address),
    /// A forward-path.
    Recipient(Address),
    /// The message is complete. `Verdict::Accept` promises that it is on stable storage.
    End {
        /// The bytes of all its pieces.
        size: u64,
        /// Asks whether it was taken.
        ticket: Ticket<Commit>,
    },
    /// The message is dead: drop what was kept of it.
    Abort(AbortReason),
}

/// Why a message died, or a session ended.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AbortReason {
    /// The session had its whole lifetime.
    #[error("the session lasted too long")]
    Timeout,
    /// The peer hung up.
    #[error("the client hung up")]
    Disconnected,
    /// The application closed the session.
    #[error("closed by us")]
    Closed,
    /// What the peer sends is not this protocol.
    #[error("protocol error: {0}")]
    Malformed(Malformed),
    /// The message is larger than the limit.
    #[error("the message is larger than the limit")]
    TooBig,
    /// An address is too long or holds a NUL.
    #[error("an address cannot be taken")]
    BadAddress,
    /// The message has more recipients than the limit.
    #[error("the message has too many recipients")]
    TooManyRecipients,
}

/// Asks whether a connection is welcome.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting;

/// Asks whether a complete message was taken.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit;

/// The kinds of question that a server session asks.
pub trait Question: sealed::Sealed {}

mod sealed {
    /// Keeps [`super::Question`] to this module.
    #[expect(unnameable_types, reason = "a sealed trait must not be nameable")]
    pub trait Sealed {}
}

macro_rules! questions {
    ($($kind:ty),*) => { $(impl sealed::Sealed for $kind {} impl Question for $kind {})* };
}
questions!(Greeting, Commit);
