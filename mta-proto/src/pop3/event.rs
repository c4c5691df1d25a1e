//! What a POP3 session tells and asks, and the answers it takes (RFC 1939 §5, RFC 2449 §8, RFC 3206).

use super::Listing;
use crate::sasl::{AuthStep, Message};
use crate::{Chunk, Ticket};
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;

/// Marks the question whether a login is right.
#[non_exhaustive]
#[derive(Debug, PartialEq, Eq)]
pub enum LoginQuestion {}
/// Marks the wish to open a message.
#[non_exhaustive]
#[derive(Debug, PartialEq, Eq)]
pub enum OpenQuestion {}
/// Marks the order to remove what was deleted.
#[non_exhaustive]
#[derive(Debug, PartialEq, Eq)]
pub enum UpdateQuestion {}

/// What a session tells and asks.
#[non_exhaustive]
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// May `name` in with `password`? Answered by [`Server::admit`](super::Server::admit).
    Login {
        /// As given; never empty.
        name: Bytes,
        /// As given; never empty.
        password: Password,
        /// The right to answer.
        ticket: Ticket<LoginQuestion>,
    },
    /// May `name` in with the digest of our timestamp and the secret (RFC 1939 §7)? Answered by
    /// [`Server::admit`](super::Server::admit).
    Apop {
        /// As given; never empty.
        name: Bytes,
        /// MD5 of timestamp and secret in 32 hexadecimal digits.
        digest: Password,
        /// The right to answer.
        ticket: Ticket<LoginQuestion>,
    },
    /// AUTH: somebody wants to say who it is. Answered by
    /// [`Server::answer_auth`](super::Server::answer_auth).
    Auth {
        /// One of those that were offered, as they were spelt there.
        mechanism: &'static str,
        /// What it says along with that.
        initial: Option<Message>,
        /// The right to answer.
        ticket: Ticket<AuthStep>,
    },
    /// What the client said to a challenge; answered in the same way.
    AuthResponse {
        /// Decoded.
        message: Message,
        /// The right to answer.
        ticket: Ticket<AuthStep>,
    },
    /// The exchange under way is over without an outcome: drop it.
    AuthCancelled,
    /// Open a message. Answered by [`Server::opened`](super::Server::opened); pieces are asked for
    /// next. It is done with when any event but [`Event::Need`] follows.
    Open {
        /// Its place in the listing, counted from 0.
        index: u32,
        /// `Some` for TOP: only this many lines of the body will be needed.
        lines: Option<u64>,
        /// The right to answer.
        ticket: Ticket<OpenQuestion>,
    },
    /// The next piece of the open message. Answered by [`Server::chunk`](super::Server::chunk).
    Need(Ticket<Chunk>),
    /// The session ended in order: remove these messages. Answered by
    /// [`Server::updated`](super::Server::updated).
    Quit {
        /// Places in the listing, counted from 0, ascending.
        deleted: Vec<u32>,
        /// The right to answer.
        ticket: Ticket<UpdateQuestion>,
    },
    /// The session ended otherwise; nothing may be removed (RFC 1939 §6).
    Abort(AbortReason),
    /// STLS was done: drop all that the peer told so far (RFC 2595 §4).
    TlsStarted,
}

/// Why a session ended without the update.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AbortReason {
    /// The peer ended the connection without QUIT, or it broke.
    #[error("the client hung up without QUIT")]
    HungUp,
    /// The peer was silent for too long.
    #[error("the client was silent for too long")]
    TimedOut,
    /// The peer made too many mistakes or too many wrong guesses.
    #[error("the client made too many errors")]
    TooManyErrors,
    /// A message could not be read to its end.
    #[error("a message could not be read to its end")]
    SourceFailed,
    /// The application ended the session.
    #[error("the server ended the session")]
    Closed,
    /// Bytes in the clear stood behind STLS, where only a handshake may.
    #[error("the client sent bytes behind STLS")]
    Injection,
}

/// A password or digest, which no log shows.
///
/// ```
/// use mta_proto::pop3::Password;
/// assert_eq!(format!("{:?}", Password::from(&b"sesame"[..])), "Password(..)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<[u8]>);

impl Password {
    /// Returns the bytes themselves.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Password {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The answer to a login.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "in, not in, or out altogether: there is no fourth"
)]
pub enum Admission {
    /// In; this is the maildrop for the whole session.
    Accept(Listing),
    /// Not in; the client may try again until the limit is reached.
    Refuse(Refusal),
    /// Not in, and the session ends.
    Close(Refusal),
}

/// A response code that programs read (RFC 2449 §8, RFC 3206).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// `AUTH`: the credentials are the problem.
    Auth,
    /// `IN-USE`: the maildrop is locked by another session.
    InUse,
    /// `SYS/TEMP`: our fault; later may help.
    SysTemp,
    /// `SYS/PERM`: our fault; somebody must repair it.
    SysPerm,
}

impl Code {
    /// Returns the code as it stands between brackets.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "AUTH",
            Self::InUse => "IN-USE",
            Self::SysTemp => "SYS/TEMP",
            Self::SysPerm => "SYS/PERM",
        }
    }
}

/// An `-ERR` with its code and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(super) code: Option<Code>,
    pub(super) text: Cow<'static, str>,
}

impl Refusal {
    /// Wrong name or password, without saying which.
    pub const AUTHORIZATION: Self = Self::fixed(Some(Code::Auth), "authorization failed");
    /// The login could not be checked now.
    pub const UNSURE: Self = Self::fixed(Some(Code::SysTemp), "cannot check the login now");
    /// The mailbox could not be read now.
    pub const NO_MAILBOX: Self = Self::fixed(Some(Code::SysTemp), "cannot read the mailbox now");
    /// The message could not be opened.
    pub const NO_MESSAGE: Self = Self::fixed(Some(Code::SysTemp), "unable to open that message");
    /// The update was not complete.
    pub const NOT_REMOVED: Self =
        Self::fixed(Some(Code::SysTemp), "unable to unlink all deleted messages");

    const fn fixed(code: Option<Code>, text: &'static str) -> Self {
        Self {
            code,
            text: Cow::Borrowed(text),
        }
    }

    /// Makes a refusal; control characters of the text are shown as spaces.
    pub fn new(code: Option<Code>, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}
