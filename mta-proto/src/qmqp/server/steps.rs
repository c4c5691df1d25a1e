//! Takes the package from the input, part by part (qmail-qmqpd(8)).

use super::{AbortReason, Event, Kind, Phase, Server, Step};
use crate::Action;
use crate::netstring::{Collected, Malformed, Part};
use mta_core::report::Report;

const TOO_BIG: &str = "sorry, that message size exceeds my databytes limit (#5.3.4)";
const BAD_ADDRESS: &str = "sorry, I can't accept addresses like that (#5.1.3)";
const TOO_MANY: &str = "sorry, that message has too many recipients (#5.5.3)";

impl Server {
    pub(super) fn package_step(&mut self) -> Step {
        if self.closing && self.outer.is_at_start() {
            self.end(AbortReason::Closed);
            return Ok(None);
        }
        match self.outer.step(self.wire.input_mut())? {
            Part::Starved => return Ok(self.read()),
            Part::Begin(_) => self.phase = Phase::Message,
            Part::Content(_) | Part::End => return Err(Malformed::Content),
        }
        Ok(None)
    }

    pub(super) fn message_step(&mut self) -> Step {
        let input = self.wire.input_mut();
        match self.inner.step_inside(input, &mut self.outer)? {
            Part::Starved => return Ok(self.read()),
            Part::Begin(size) => return Ok(self.message_begun(size)),
            Part::Content(have) => {
                let text = self.inner.take_inside(input, &mut self.outer, have);
                if self.refusal.is_some() {
                    return Ok(None);
                }
                self.size = self.size.saturating_add(text.len() as u64);
                return Ok(Some(Action::Event(Event::Body(text.freeze()))));
            }
            Part::End => self.phase = Phase::Sender,
        }
        Ok(None)
    }

    fn message_begun(&mut self, size: u64) -> Option<Action<Event>> {
        let most = self.config.limits.message_size;
        if most > 0 && size > most {
            self.refuse(TOO_BIG, AbortReason::TooBig);
            return None;
        }
        self.told = true;
        Some(Action::Event(Event::Message { size }))
    }

    pub(super) fn sender_step(&mut self) -> Step {
        let ended = self.address_step()?;
        let Address::Whole(sender) = ended else {
            return Ok(self.partly(&ended));
        };
        self.phase = Phase::Recipients;
        Ok(sender.map(|sender| Action::Event(Event::Sender(sender))))
    }

    pub(super) fn recipients_step(&mut self) -> Step {
        if self.outer.left() == 0 && self.inner.is_at_start() {
            return Ok(match self.outer.step(self.wire.input_mut())? {
                Part::Starved => self.read(),
                Part::End => self.package_complete(),
                Part::Begin(_) | Part::Content(_) => None,
            });
        }
        let ended = self.address_step()?;
        let Address::Whole(recipient) = ended else {
            return Ok(self.partly(&ended));
        };
        self.recipients = self.recipients.saturating_add(1);
        let length = recipient.as_ref().map_or(0, |to| to.as_bytes().len());
        self.envelope = self.envelope.saturating_add(length);
        let limits = &self.config.limits;
        if self.recipients > limits.recipients || self.envelope > limits.envelope {
            self.refuse(TOO_MANY, AbortReason::TooManyRecipients);
            return Ok(None);
        }
        Ok(recipient.map(|recipient| Action::Event(Event::Recipient(recipient))))
    }

    /// Reads an address; one that cannot be taken refuses the message.
    fn address_step(&mut self) -> Result<Address, Malformed> {
        let longest = self.config.limits.address;
        let input = self.wire.input_mut();
        match self.inner.step_inside(input, &mut self.outer)? {
            Part::Starved => return Ok(Address::Starved),
            Part::Begin(length) => self.address = Collected::begin(length, longest),
            Part::Content(have) => {
                let bytes = self.inner.take_inside(input, &mut self.outer, have);
                self.address.push(&bytes);
            }
            Part::End => {
                let address = std::mem::take(&mut self.address).address();
                if address.is_none() {
                    self.refuse(BAD_ADDRESS, AbortReason::BadAddress);
                }
                let wanted = self.refusal.is_none();
                return Ok(Address::Whole(address.filter(|_| wanted)));
            }
        }
        Ok(Address::Partly)
    }

    fn partly(&mut self, address: &Address) -> Option<Action<Event>> {
        match address {
            Address::Starved => self.read(),
            Address::Partly | Address::Whole(_) => None,
        }
    }

    fn package_complete(&mut self) -> Option<Action<Event>> {
        if let Some(refusal) = self.refusal.take() {
            self.respond(&refusal);
            return None;
        }
        self.told = false;
        let ticket = self.ask(Kind::Commit);
        let size = self.size;
        Some(Action::Event(Event::End { size, ticket }))
    }

    /// The message is not going to be taken; the first reason is the one that is told.
    fn refuse(&mut self, text: &str, reason: AbortReason) {
        if self.refusal.is_none() {
            self.refusal = Some(Report::failure(text));
        }
        if std::mem::take(&mut self.told) {
            self.abort = Some(reason);
        }
    }

    /// Waits for input; what was already sent half is dropped where none can come any more.
    fn read(&mut self) -> Option<Action<Event>> {
        self.wire.release_idle();
        if !self.wire.eof() {
            return Some(Action::Read);
        }
        self.end(AbortReason::Disconnected);
        None
    }
}

/// How far an address has come.
enum Address {
    Starved,
    Partly,
    /// `None` where nobody wants it.
    Whole(Option<mta_core::Address>),
}
