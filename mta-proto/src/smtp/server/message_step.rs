//! Takes a message from the input, by DATA or in chunks, and ends it (RFC 5321 §4.1.1.4, RFC 3030 §2).

use super::questions::Kind;
use super::replies;
use super::{AbortReason, Event, Phase, Server};
use crate::Action;
use bytes::{Buf, Bytes};

impl Server {
    pub(super) fn data_step(&mut self) -> Option<Action<Event>> {
        if let Some(abort) = self.bad_message() {
            return Some(abort);
        }
        let Some(message) = &mut self.message else {
            self.end(AbortReason::Closed);
            return None;
        };
        if message.ended() || message.is_beyond_patience(0, &self.config.limits) {
            self.phase = Phase::Command;
            return self.end_of_message(0);
        }
        let input = self.wire.input_mut();
        let before = input.len();
        let text = message.dots(input, &self.config.limits);
        let moved = input.len() != before;
        self.hand_out(text, moved)
    }

    pub(super) fn chunk_step(&mut self) -> Option<Action<Event>> {
        if let Some(abort) = self.bad_message() {
            return Some(abort);
        }
        let Phase::Chunk(chunk) = &mut self.phase else {
            return None;
        };
        let limits = &self.config.limits;
        let wanted = self.message.as_mut().filter(|_| chunk.refusal.is_none());
        let left = chunk.left;
        if wanted
            .as_ref()
            .is_some_and(|message| message.is_beyond_patience(left, limits))
        {
            self.phase = Phase::Command;
            return self.end_of_message(left);
        }
        let most = limits.refused_size;
        if wanted.is_none() && most > 0 && left > most {
            let refusal = chunk.refusal.take();
            self.reply(&refusal.unwrap_or(replies::MAIL_FIRST));
            self.end(AbortReason::Closed);
            return None;
        }
        let input = self.wire.input_mut();
        let before = input.len();
        if chunk.left > 0 {
            let text = match wanted {
                Some(message) => message.chunk(input, &mut chunk.left, limits),
                None => discard(input, &mut chunk.left),
            };
            let moved = input.len() != before;
            return self.hand_out(text, moved);
        }
        if let Some(message) = wanted.filter(|message| chunk.last && !message.ended()) {
            let text = message.finish(limits);
            return self.hand_out(text, true);
        }
        self.end_of_chunk()
    }

    /// Tells the application once that the message under way is bad. From then on the transaction
    /// is dead, though the peer goes on sending.
    fn bad_message(&mut self) -> Option<Action<Event>> {
        let reason = self.message.as_mut()?.take_abort()?;
        self.transaction = None;
        Some(Action::Event(Event::Abort(reason)))
    }

    fn hand_out(&mut self, text: Bytes, moved: bool) -> Option<Action<Event>> {
        if !text.is_empty() {
            return Some(Action::Event(Event::Body(text)));
        }
        let due = self.message.as_ref().is_some_and(|m| m.abort_due());
        if moved || due { None } else { self.read() }
    }

    fn end_of_chunk(&mut self) -> Option<Action<Event>> {
        let Phase::Chunk(chunk) = std::mem::replace(&mut self.phase, Phase::Command) else {
            return None;
        };
        self.since = self.now;
        if let Some(reply) = chunk.refusal {
            self.refuse(&reply);
            return None;
        }
        let bad = self.message.as_ref().is_none_or(|m| m.bad().is_some());
        if chunk.last || bad {
            return self.end_of_message(0);
        }
        self.reply(&replies::chunk_taken(chunk.size));
        None
    }

    /// `left` bytes of it are still to come, and nobody waits for them.
    fn end_of_message(&mut self, left: u64) -> Option<Action<Event>> {
        self.since = self.now;
        let message = self.message.take()?;
        self.transaction = None;
        if let Some(reason) = message.bad() {
            self.refuse(&replies::bad_message(reason));
            if message.is_beyond_patience(left, &self.config.limits) {
                self.end(AbortReason::Closed);
            }
            return None;
        }
        let ticket = self.ask(Kind::Commit);
        let size = message.size();
        Some(Action::Event(Event::End { size, ticket }))
    }
}

/// Drops what there is of a chunk that nobody wants.
fn discard(input: &mut bytes::BytesMut, left: &mut u64) -> Bytes {
    let length = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
    input.advance(length);
    *left = left.saturating_sub(length as u64);
    Bytes::new()
}
