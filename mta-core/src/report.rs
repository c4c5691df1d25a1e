//! The result of one delivery to one recipient: qmail's letters K, Z and D with their text (qmail-rspawn(8)).

/// What became of a delivery attempt.
#[expect(
    clippy::exhaustive_enums,
    reason = "qmail's report protocol has these three letters"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// `K`: delivered, or accepted by the next host.
    Success,
    /// `Z`: a temporary failure; trying later may help.
    Deferral,
    /// `D`: a permanent failure; trying later does not help.
    Failure,
}

impl Outcome {
    /// Returns qmail's letter.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Success => b'K',
            Self::Deferral => b'Z',
            Self::Failure => b'D',
        }
    }
}

/// How far a success carried the message, which decides what a sender hears that asked for it
/// (RFC 3461 §5.2.2, §5.2.7, RFC 3464 §2.3.3).
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 3464 has these actions for a success, and passing on has none"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Handover {
    /// It is in a mailbox, or with a program or a list.
    Delivered,
    /// The next host has it, and cannot report to the sender.
    Relayed,
    /// It goes on to several addresses.
    Expanded,
    /// Whoever has it now reports in our place.
    PassedOn,
}

/// One recipient's result with the text that the log and a bounce show.
///
/// ```
/// use mta_core::report::{Outcome, Report};
/// let r = Report::failure("Sorry, no mailbox here by that name. (#5.1.1)\n");
/// assert_eq!(r.outcome.letter(), b'D');
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The letter.
    pub outcome: Outcome,
    /// The text, lines ended by LF; may be empty; untrusted where a remote host spoke.
    pub text: Vec<u8>,
    /// How far a success went; `None` where nobody said: then a local delivery counts as
    /// delivered and a remote one as relayed.
    pub handover: Option<Handover>,
}

impl Report {
    /// Delivered.
    pub fn success(text: impl Into<Vec<u8>>) -> Self {
        Self::new(Outcome::Success, text)
    }

    /// Temporary failure.
    pub fn deferral(text: impl Into<Vec<u8>>) -> Self {
        Self::new(Outcome::Deferral, text)
    }

    /// Permanent failure.
    pub fn failure(text: impl Into<Vec<u8>>) -> Self {
        Self::new(Outcome::Failure, text)
    }

    /// Any outcome with its text.
    pub fn new(outcome: Outcome, text: impl Into<Vec<u8>>) -> Self {
        Self {
            outcome,
            text: text.into(),
            handover: None,
        }
    }

    /// Adds how far the message went.
    #[must_use]
    pub fn with(mut self, handover: Handover) -> Self {
        self.handover = Some(handover);
        self
    }
}
