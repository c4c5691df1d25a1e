//! Takes packages from the input, part by part, and answers them (qmail-qmtpd(8)).

use super::package::{self, Fate, Package};
use super::{AbortReason, Event, Kind, Phase, Server, Step};
use crate::Action;
use crate::netstring::{Collected, Malformed, Part, Within, within};
use crate::qmtp::{Encoding, response};

impl Server {
    pub(super) fn message_step(&mut self) -> Step {
        if self.closing && self.outer.is_at_start() {
            self.end(AbortReason::Closed);
            return Ok(None);
        }
        match self.outer.step(self.wire.input_mut())? {
            Part::Starved => return Ok(self.read()),
            // The byte that tells the encoding is missing.
            Part::Begin(0) => return Err(Malformed::Content),
            Part::Begin(_) => self.package = Some(Box::default()),
            Part::Content(have) => return self.message_content(have),
            Part::End => self.phase = Phase::Sender,
        }
        Ok(None)
    }

    fn message_content(&mut self, have: usize) -> Step {
        let Some(package) = &mut self.package else {
            return Err(Malformed::Content);
        };
        let input = self.wire.input_mut();
        let Some(encoding) = package.encoding else {
            let mark = self.outer.take(input, 1);
            let encoding = mark.first().copied().and_then(Encoding::from_mark);
            package.encoding = Some(encoding.ok_or(Malformed::Content)?);
            return Ok(self.message_begun());
        };
        if package.is_dead() {
            self.outer.take(input, have);
            return Ok(None);
        }
        let whole = package::decodable(encoding, input, have, self.outer.left());
        if whole == 0 {
            return Ok(self.read());
        }
        let mut text = self.outer.take(input, whole);
        package::decode(encoding, &mut text);
        let (text, size) = within(text, package.size, self.config.limits.message_size);
        package.size = package.size.saturating_add(text.len() as u64);
        if size == Within::Excess {
            self.abort = package.condemn(package::TOO_BIG, AbortReason::TooBig);
        }
        Ok((!text.is_empty()).then_some(Action::Event(Event::Body(text))))
    }

    /// The encoding is known, and with LF line ends also the size of what will be handed out.
    fn message_begun(&mut self) -> Option<Action<Event>> {
        let size = self.outer.left();
        let most = self.config.limits.message_size;
        let package = self.package.as_mut()?;
        if package.encoding == Some(Encoding::Lf) && most > 0 && size > most {
            package.condemn(package::TOO_BIG, AbortReason::TooBig);
            return None;
        }
        package.told = true;
        Some(Action::Event(Event::Message { size }))
    }

    pub(super) fn sender_step(&mut self) -> Step {
        let longest = self.config.limits.address;
        let input = self.wire.input_mut();
        match self.outer.step(input)? {
            Part::Starved => return Ok(self.read()),
            Part::Begin(length) => self.address = Collected::begin(length, longest),
            Part::Content(have) => self.address.push(&self.outer.take(input, have)),
            Part::End => {
                self.phase = Phase::Recipients;
                return Ok(self.sender_known());
            }
        }
        Ok(None)
    }

    fn sender_known(&mut self) -> Option<Action<Event>> {
        let sender = std::mem::take(&mut self.address).address();
        let package = self.package.as_mut().filter(|package| !package.is_dead())?;
        match sender {
            Some(sender) => Some(Action::Event(Event::Sender(sender))),
            None => {
                self.abort = package.condemn(package::BAD_SENDER, AbortReason::BadSender);
                None
            }
        }
    }

    pub(super) fn recipients_step(&mut self) -> Step {
        let longest = self.config.limits.address;
        let input = self.wire.input_mut();
        if self.outer.left() == 0 && self.inner.is_at_start() {
            match self.outer.step(input)? {
                Part::Starved => return Ok(self.read()),
                Part::Begin(_) | Part::Content(_) => {}
                Part::End => return Ok(self.package_complete()),
            }
            return Ok(None);
        }
        match self.inner.step_inside(input, &mut self.outer)? {
            Part::Starved => return Ok(self.read()),
            Part::Begin(length) => self.address = Collected::begin(length, longest),
            Part::Content(have) => {
                let bytes = self.inner.take_inside(input, &mut self.outer, have);
                self.address.push(&bytes);
            }
            Part::End => return Ok(self.recipient_known()),
        }
        Ok(None)
    }

    fn recipient_known(&mut self) -> Option<Action<Event>> {
        let recipient = std::mem::take(&mut self.address).address();
        let package = self.package.as_mut()?;
        if package.recipients.len() >= self.config.limits.recipients {
            package.excess = package.excess.saturating_add(1);
            return None;
        }
        match recipient {
            None => package.recipients.push(Fate::Bad),
            Some(_) if package.is_dead() => package.recipients.push(Fate::Message),
            Some(to) => {
                let ticket = self.ask(Kind::Rcpt);
                return Some(Action::Event(Event::Rcpt { to, ticket }));
            }
        }
        None
    }

    fn package_complete(&mut self) -> Option<Action<Event>> {
        self.phase = Phase::Responses;
        let package = self.package.as_mut()?;
        if package.is_dead() {
            return None;
        }
        package.told = false;
        if !package.has_recipient() {
            self.abort = Some(AbortReason::NoRecipients);
            return None;
        }
        let size = package.size;
        let ticket = self.ask(Kind::Commit);
        Some(Action::Event(Event::End { size, ticket }))
    }

    /// Writes the responses, as many as the output has room for.
    pub(super) fn responses_step(&mut self) -> Option<Action<Event>> {
        let longest = self.config.limits.response;
        while !self.wire.output_full() {
            let Some(report) = self.package.as_deref_mut().and_then(Package::next_response) else {
                self.package = None;
                self.phase = Phase::Message;
                break;
            };
            response::encode(&report, longest, self.wire.output_mut());
        }
        None
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
