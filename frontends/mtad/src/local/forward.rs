//! Forwards: one more message in the queue, before the delivery is reported (qmail-local(8), spec §6.6).

use super::Delivery;
use delivery::local::Forward;
use mta_core::Envelope;
use mta_core::dotqmail::Onward;
use mta_core::envelope::Recipient;
use mta_core::ports::spool::MessageId;
use mta_core::received::{Invoked, queue as received};
use mta_core::report::Report;
use mta_store::queue::QueueError;
use std::os::unix::fs::FileExt;

/// Bytes of a message that are copied in one go.
const PIECE: usize = 32 * 1024;

impl Delivery<'_> {
    /// Queues the message for others.
    pub(super) fn forward(&self, forward: Forward, onward: Onward) -> Result<MessageId, Report> {
        let queued = self.inject(forward, onward);
        let id = queued.map_err(|error| {
            tracing::warn!("unable to forward message {}: {error}", self.job.id);
            match error {
                QueueError::Envelope(_) => Report::failure(
                    "Unable to forward message: envelope address too long for qq (#5.1.3).\n",
                ),
                QueueError::Full { .. } => Report::deferral(
                    "Unable to forward message: qq write error or disk full (#4.3.0).\n",
                ),
                _ => Report::deferral(
                    "Unable to forward message: qq trouble creating files in queue (#4.3.0).\n",
                ),
            }
        })?;
        (self.local.queued)(id);
        Ok(id)
    }

    fn inject(&self, forward: Forward, onward: Onward) -> Result<MessageId, QueueError> {
        let Self {
            local,
            job,
            params,
            message,
        } = self;
        let mail = onward.mail(&local.store.params(job.id)?.mail);
        let rcpt = onward.rcpt(params);
        let recipient = |address| Recipient {
            address,
            params: rcpt.clone(),
        };
        let mut draft = local.store.begin(local.origin, job.now)?;
        let now = local.dates.stamp(job.now);
        let line = received(local.origin.pid, Invoked::ByAlias, now);
        draft.write(line.as_bytes())?;
        draft.write(&forward.head)?;
        let mut piece = vec![0; PIECE];
        let mut at = 0_u64;
        loop {
            let n = message
                .read_at(&mut piece, at)
                .map_err(|error| QueueError::Io {
                    doing: "read",
                    path: local.store.place(job.id),
                    source: error,
                })?;
            if n == 0 {
                break;
            }
            at += n as u64;
            draft.write(piece.get(..n).unwrap_or_default())?;
        }
        draft.commit(&Envelope {
            reverse_path: forward.sender,
            recipients: forward.recipients.into_iter().map(recipient).collect(),
            params: mail,
        })
    }
}
