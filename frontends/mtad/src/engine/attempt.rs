//! One delivery as the journal keeps it: each recipient with its answer (qmail-log(5)).

use crate::journal::{Journal, Word};
use driver::Clock;
use mta_core::log::Filtered;
use mta_core::ports::spool::MessageId;
use mta_core::queue::Delivery;
use mta_core::report::{Outcome, Report};

/// A delivery that was started.
pub(super) struct Attempt {
    id: MessageId,
    /// The recipients as the journal shows them.
    to: Vec<String>,
}

impl Attempt {
    pub(super) fn of(delivery: &Delivery) -> Self {
        let channel = delivery.channel.name();
        let recipients = delivery.recipients.iter();
        let shown = recipients.map(|to| {
            let address = Filtered(to.address.as_bytes());
            format!("{channel} {address}")
        });
        Self {
            id: delivery.id,
            to: shown.collect(),
        }
    }

    pub(super) fn note(&self, journal: &Journal, reports: &[Report]) {
        for (to, report) in self.to.iter().zip(reports) {
            let outcome = match report.outcome {
                Outcome::Success => "success",
                Outcome::Deferral => "deferral",
                Outcome::Failure => "failure",
            };
            let text = String::from_utf8_lossy(&report.text);
            let text = format!("{to}: {outcome}: {}", text.trim_end());
            journal.note(Clock::unix(), self.id, Word::Tried, &text);
        }
    }
}
