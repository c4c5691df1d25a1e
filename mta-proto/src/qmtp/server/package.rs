//! One package on its way in: what is known of its message and of its recipients (qmail-qmtpd(8)).

use super::event::AbortReason;
use crate::qmtp::Encoding;
use bytes::BytesMut;
use mta_core::report::Report;

pub(super) const TOO_BIG: &str = "sorry, that message size exceeds my databytes limit (#5.3.4)";
pub(super) const BAD_SENDER: &str = "unacceptable sender (#5.1.7)";
pub(super) const BAD_RECIPIENT: &str = "sorry, I can't handle that recipient (#5.1.3)";
pub(super) const EXCESS: &str =
    "too many recipients; send to the others in another message (#4.5.3)";

/// A package of which more is to come, or whose responses are on their way.
#[derive(Debug, Default)]
pub(super) struct Package {
    /// Known from the first byte of the message on.
    pub(super) encoding: Option<Encoding>,
    /// Bytes handed out.
    pub(super) size: u64,
    /// The application heard of the message and has to hear of its end.
    pub(super) told: bool,
    /// What becomes of the recipients who are not refused for reasons of their own.
    pub(super) outcome: Option<Report>,
    pub(super) recipients: Vec<Fate>,
    /// Recipients beyond the limit: only their number is kept.
    pub(super) excess: u64,
    /// Recipients who were answered.
    pub(super) answered: usize,
}

/// What is known of one recipient.
#[derive(Debug)]
pub(super) enum Fate {
    /// That of the message.
    Message,
    /// The address cannot be taken.
    Bad,
    /// Refused by the application.
    Refused(Report),
}

impl Package {
    pub(super) const fn is_dead(&self) -> bool {
        self.outcome.is_some()
    }

    /// The message is not going to be taken; tells whether the application has to hear of it.
    pub(super) fn condemn(&mut self, text: &str, reason: AbortReason) -> Option<AbortReason> {
        self.outcome = Some(Report::failure(text));
        std::mem::take(&mut self.told).then_some(reason)
    }

    pub(super) fn has_recipient(&self) -> bool {
        self.recipients
            .iter()
            .any(|fate| matches!(fate, Fate::Message))
    }

    /// The response to the next recipient, and `None` when all were answered.
    pub(super) fn next_response(&mut self) -> Option<Report> {
        let Some(fate) = self.recipients.get(self.answered) else {
            self.excess = self.excess.checked_sub(1)?;
            return Some(Report::deferral(EXCESS));
        };
        self.answered += 1;
        Some(match fate {
            Fate::Bad => Report::failure(BAD_RECIPIENT),
            Fate::Refused(report) => report.clone(),
            Fate::Message => self
                .outcome
                .clone()
                .unwrap_or_else(|| Report::success("ok")),
        })
    }
}

/// How many of `have` bytes can be decoded now: a CR at their end has to wait for the byte behind
/// it, unless it is the message's last.
pub(super) fn decodable(encoding: Encoding, input: &[u8], have: usize, left: u64) -> usize {
    let ends_in_cr = have.checked_sub(1).and_then(|last| input.get(last)) == Some(&b'\r');
    if encoding == Encoding::Crlf && ends_in_cr && have as u64 != left {
        have - 1
    } else {
        have
    }
}

/// Turns CRLF into LF in place; a CR elsewhere is kept, as in the original.
pub(super) fn decode(encoding: Encoding, text: &mut BytesMut) {
    if encoding == Encoding::Lf {
        return;
    }
    let (mut from, mut to) = (0, 0);
    while from < text.len() {
        let rest = text.get(from..).unwrap_or_default();
        let end = memchr::memmem::find(rest, b"\r\n").unwrap_or(rest.len());
        if from != to {
            text.copy_within(from..from + end, to);
        }
        from += end;
        to += end;
        if from < text.len() {
            // The LF behind the CR begins the next stretch.
            from += 1;
            if let Some(place) = text.get_mut(to) {
                *place = b'\n';
            }
            to += 1;
            from += 1;
        }
    }
    text.truncate(to);
}
