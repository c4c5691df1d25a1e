//! What the engine hears: new messages, answers to its own actions, and orders (qmail-send(8)).

use crate::requests::Request;
use mta_core::ports::spool::MessageId;
use mta_core::queue::{DeliveryId, Loaded, Manager, Preprocessed, Step, Trouble};
use mta_core::report::Report;

/// One piece of news.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the engine acts on every kind")]
pub enum News {
    /// There is a message in todo/.
    Found(MessageId),
    /// An action was carried out.
    Answer(Answer),
    /// A tool asks for something.
    Asked(Request),
    /// The control files were read again.
    Reloaded,
    /// SIGALRM: everything is due now.
    RetryAll,
}

/// The answer to one action of the manager.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the manager takes these answers")]
pub enum Answer {
    /// To a preprocessing step.
    Preprocessed(Step, MessageId, Result<Preprocessed, Trouble>),
    /// To a loading step.
    Loaded(Step, Result<Loaded, Trouble>),
    /// To a step whose answer says nothing more.
    Done(Step, Result<(), Trouble>),
    /// To the sending of a bounce.
    BounceSent(Step, Result<u64, Trouble>),
    /// To a delivery: one report for each recipient.
    Delivered(DeliveryId, Vec<Report>),
}

impl Answer {
    /// The message that the manager knows from now on, if it is that answer, or that it will never
    /// know.
    pub(super) const fn preprocessed(&self) -> Option<MessageId> {
        match self {
            Self::Preprocessed(_, _, Err(Trouble::Temporary(_))) => None,
            Self::Preprocessed(_, id, _) => Some(*id),
            _ => None,
        }
    }

    pub(super) fn give_to(self, manager: &mut Manager) {
        match self {
            Self::Preprocessed(step, _, Ok(found)) => manager.preprocessed(step, found),
            Self::Loaded(step, Ok(loaded)) => manager.loaded(step, loaded),
            Self::Done(step, Ok(())) => manager.done(step),
            Self::BounceSent(step, Ok(qp)) => manager.bounce_sent(step, qp),
            Self::Delivered(delivery, reports) => manager.delivered(delivery, reports),
            Self::Preprocessed(step, _, Err(trouble))
            | Self::Loaded(step, Err(trouble))
            | Self::Done(step, Err(trouble))
            | Self::BounceSent(step, Err(trouble)) => manager.failed(step, trouble),
        }
    }
}
