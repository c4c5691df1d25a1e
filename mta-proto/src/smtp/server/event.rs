//! What a server session tells and asks, and how it is answered (RFC 5321 §4.1.1).

use crate::Ticket;
use crate::sasl::{AuthStep, Message};
use crate::smtp::{Reply, Xclient};
use bytes::Bytes;
use mta_core::Address;
use mta_core::envelope::{MailParams, RcptParams};

/// What happened, and what the application has to decide.
///
/// A transaction begins when [`Event::Mail`] is accepted and ends with exactly one
/// [`Event::End`] or [`Event::Abort`]; what was kept of it is dropped at an abort. Until a question
/// is answered the session goes no further (see [`Limits::open_questions`](super::Limits)).
#[non_exhaustive]
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody connected. [`Verdict::Accept`] greets with 220.
    Connected(Ticket<Greeting>),
    /// HELO or EHLO.
    Hello {
        /// What the peer calls itself; not checked.
        name: Bytes,
        /// Whether it was EHLO.
        extended: bool,
        /// Asks whether to go on.
        ticket: Ticket<Hello>,
    },
    /// AUTH: somebody wants to say who it is. Answered by
    /// [`Server::answer_auth`](super::Server::answer_auth).
    Auth {
        /// One of those that were offered, as they were spelt there.
        mechanism: &'static str,
        /// What it says along with that.
        initial: Option<Message>,
        /// Asks how to go on.
        ticket: Ticket<AuthStep>,
    },
    /// What the client said to a challenge; answered in the same way.
    AuthResponse {
        /// Decoded.
        message: Message,
        /// Asks how to go on.
        ticket: Ticket<AuthStep>,
    },
    /// The exchange under way is over without an outcome: drop it.
    AuthCancelled,
    /// XCLIENT: the peer speaks for somebody else from now on. [`Verdict::Accept`] greets that
    /// client with 220: nothing said before counts, neither its name nor a login, unless it is
    /// told here.
    Xclient {
        /// What the peer tells of it.
        client: Box<Xclient>,
        /// Asks whether that client is welcome.
        ticket: Ticket<Stand>,
    },
    /// MAIL: a transaction wants to begin.
    Mail {
        /// The reverse-path.
        from: Address,
        /// The parameters that a message keeps.
        params: MailParams,
        /// What SIZE announced, already found to be within the limit (RFC 1870 §6).
        size: Option<u64>,
        /// Asks whether this sender may.
        ticket: Ticket<Mail>,
    },
    /// RCPT.
    Rcpt {
        /// The forward-path.
        to: Address,
        /// The parameters that a recipient keeps.
        params: RcptParams,
        /// Asks whether mail to this recipient is taken.
        ticket: Ticket<Rcpt>,
    },
    /// DATA, or the first BDAT, with at least one recipient.
    Data(Ticket<DataStart>),
    /// A piece of the body, without dot-stuffing; never empty. Write it away before polling on.
    Body(Bytes),
    /// The message is complete. [`Verdict::Accept`] promises that it is on stable storage.
    End {
        /// The bytes of all its pieces.
        size: u64,
        /// Asks whether it was taken.
        ticket: Ticket<Commit>,
    },
    /// The transaction is dead: drop what was kept of it.
    Abort(AbortReason),
    /// STARTTLS was done: drop all that the peer told so far, its name too (RFC 3207 §4.2).
    TlsStarted,
}

/// The decision on a question.
///
/// A reply must fit the question: 4xx and 5xx refuse, 2xx (354 for [`Event::Data`]) accepts with a
/// text of one's own, and anything else becomes 451. A reply with code 421 closes as well.
///
/// ```
/// use mta_proto::smtp::{Enhanced, Reply, server::Verdict};
/// let unknown = Verdict::Reply(Reply::fixed(550, "no such user").with(Enhanced::new(1, 1)));
/// assert_ne!(unknown, Verdict::Accept);
/// ```
#[expect(
    clippy::exhaustive_enums,
    reason = "these are all the ways to answer a command"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on with the reply that the command prescribes.
    Accept,
    /// Go on with this reply.
    Reply(Reply),
    /// Give this reply and close.
    Close(Reply),
}

/// Why a transaction died.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AbortReason {
    /// RSET.
    Reset,
    /// HELO or EHLO again.
    Hello,
    /// QUIT before the message was complete.
    Quit,
    /// STARTTLS: nothing said in the clear counts (RFC 3207 §4.2).
    StartTls,
    /// The peer was silent for too long.
    Timeout,
    /// The peer hung up.
    Disconnected,
    /// The application refused the message at [`Event::Data`].
    Refused,
    /// The application closed the session.
    Closed,
    /// The peer made too many errors.
    TooManyErrors,
    /// The peer gave too many commands in a short time.
    TooManyCommands,
    /// The message is larger than the limit.
    TooBig,
    /// The header section is larger than the limit.
    HeaderTooBig,
    /// The message has passed too many hosts.
    TooManyHops,
    /// A line ended with LF alone.
    BareLf,
    /// A CR stood without LF.
    BareCr,
    /// A NUL byte.
    Nul,
}

/// Asks whether the connection is welcome.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting;

/// Asks about HELO or EHLO.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello;

/// Asks about a client that somebody else speaks for.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stand;

/// Asks about a reverse-path.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mail;

/// Asks about a forward-path.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rcpt;

/// Asks whether a message may come now.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataStart;

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
questions!(Greeting, Hello, Stand, Mail, Rcpt, DataStart, Commit);
