//! What a QMTP server session tells and asks, and how it is answered (qmail-qmtpd(8)).

use crate::Ticket;
use crate::netstring::Malformed;
use bytes::Bytes;
use mta_core::Address;
use mta_core::report::Report;

/// What happened, and what the application has to decide.
///
/// A message begins with [`Event::Message`] and ends with exactly one [`Event::End`] or
/// [`Event::Abort`]; what was kept of it is dropped at an abort. The body comes before the
/// envelope. Until a question is answered the session goes no further.
#[non_exhaustive]
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody connected. [`Verdict::Accept`] listens to them; anything else closes, because the
    /// protocol has no word for it.
    Connected(Ticket<Greeting>),
    /// A message comes, of so many bytes as they are on the wire.
    Message {
        /// The announced size; with CRLF line ends what is handed out is smaller.
        size: u64,
    },
    /// A piece of the body, with LF line ends; never empty. Write it away before polling on.
    Body(Bytes),
    /// The whole body is here, and this is the reverse-path.
    Sender(Address),
    /// A forward-path.
    Rcpt {
        /// The forward-path.
        to: Address,
        /// Asks whether mail to this recipient is taken.
        ticket: Ticket<Rcpt>,
    },
    /// The message is complete and has recipients. [`Verdict::Accept`] promises that it is on
    /// stable storage.
    End {
        /// The bytes of all its pieces.
        size: u64,
        /// Asks whether it was taken.
        ticket: Ticket<Commit>,
    },
    /// The message is dead: drop what was kept of it.
    Abort(AbortReason),
}

/// The decision on a question.
///
/// ```
/// use mta_core::report::Report;
/// use mta_proto::qmtp::server::Verdict;
/// let foreign = "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)";
/// assert_ne!(Verdict::Report(Report::failure(foreign)), Verdict::Accept);
/// ```
#[expect(
    clippy::exhaustive_enums,
    reason = "these are all the ways to answer a question"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on; a message that is taken is answered with `Kok`.
    Accept,
    /// Go on where it is a success, and refuse where it is not. The text of a success at
    /// [`Event::End`] is the answer for every recipient who was taken.
    Report(Report),
    /// Close without a word.
    Close,
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
    /// The reverse-path is too long or holds a NUL.
    #[error("the sender cannot be taken")]
    BadSender,
    /// No recipient was taken.
    #[error("no recipient was taken")]
    NoRecipients,
}

/// Asks whether a connection is welcome.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting;

/// Asks about a forward-path.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rcpt;

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
questions!(Greeting, Rcpt, Commit);
