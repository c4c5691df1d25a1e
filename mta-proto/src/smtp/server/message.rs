//! One message on its way in: decoded, measured and judged piece by piece (RFC 5321 §4.5.2, RFC 1870 §6).

use super::config::{Config, Limits};
use super::event::AbortReason;
use super::header::HeaderWatch;
use crate::smtp::unstuff::{Decoded, Fault, Unstuffer};
use bytes::{Bytes, BytesMut};

/// A message of which more is to come.
#[derive(Debug)]
pub(super) struct Message {
    unstuffer: Unstuffer,
    header: HeaderWatch,
    /// Bytes handed out.
    size: u64,
    /// Bytes that came for it, as they came.
    came: u64,
    /// Why it is bad; from then on its bytes are only consumed.
    bad: Option<AbortReason>,
    /// The application does not know yet that it is bad.
    abort_due: bool,
    ended: bool,
}

impl Message {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            unstuffer: Unstuffer::new(config.newline, config.line_ends),
            header: HeaderWatch::default(),
            size: 0,
            came: 0,
            bad: None,
            abort_due: false,
            ended: false,
        }
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    pub(super) const fn bad(&self) -> Option<AbortReason> {
        self.bad
    }

    pub(super) const fn ended(&self) -> bool {
        self.ended
    }

    pub(super) const fn abort_due(&self) -> bool {
        self.abort_due
    }

    /// Tells whether the message is bad and so long, `more` bytes yet to come included, that the
    /// rest is not waited for.
    pub(super) fn is_beyond_patience(&self, more: u64, limits: &Limits) -> bool {
        let most = limits.message_size.saturating_add(limits.refused_size);
        let came = self.came.saturating_add(more);
        self.bad.is_some() && limits.refused_size > 0 && came > most
    }

    /// Tells once that the message turned out bad.
    pub(super) fn take_abort(&mut self) -> Option<AbortReason> {
        std::mem::take(&mut self.abort_due)
            .then_some(self.bad)
            .flatten()
    }

    /// Takes what there is of DATA; returns text to hand out, perhaps empty.
    pub(super) fn dots(&mut self, input: &mut BytesMut, limits: &Limits) -> Bytes {
        let before = input.len();
        let decoded = self.unstuffer.dots(input);
        self.came = self
            .came
            .saturating_add(before.saturating_sub(input.len()) as u64);
        self.judge(decoded, limits)
    }

    /// Takes what there is of a chunk; returns text to hand out, perhaps empty.
    pub(super) fn chunk(&mut self, input: &mut BytesMut, left: &mut u64, limits: &Limits) -> Bytes {
        let before = *left;
        let decoded = self.unstuffer.chunk(input, left);
        self.came = self.came.saturating_add(before.saturating_sub(*left));
        self.judge(decoded, limits)
    }

    /// Ends a message that came in chunks.
    pub(super) fn finish(&mut self, limits: &Limits) -> Bytes {
        let decoded = self.unstuffer.finish();
        self.ended = true;
        self.judge(decoded, limits)
    }

    fn judge(&mut self, decoded: Decoded, limits: &Limits) -> Bytes {
        self.ended |= decoded.ended;
        if self.bad.is_some() {
            return Bytes::new();
        }
        let mut text = decoded.text;
        let fault = decoded.fault.map(reason);
        if let Some((at, reason)) = self.first_excess(&text, limits) {
            text.truncate(at);
            self.condemn(reason);
        } else if let Some(reason) = fault {
            self.condemn(reason);
        }
        self.size = self.size.saturating_add(text.len() as u64);
        text
    }

    /// Where `text` first goes beyond a limit.
    fn first_excess(&mut self, text: &[u8], limits: &Limits) -> Option<(usize, AbortReason)> {
        let header = self.header.look(text, limits);
        let room = match limits.message_size {
            0 => u64::MAX,
            most => most.saturating_sub(self.size),
        };
        let size = usize::try_from(room)
            .ok()
            .filter(|&room| room < text.len())
            .map(|room| (room, AbortReason::TooBig));
        match (header, size) {
            (Some(header), Some(size)) if size.0 < header.0 => Some(size),
            (Some(header), _) => Some(header),
            (None, size) => size,
        }
    }

    const fn condemn(&mut self, reason: AbortReason) {
        self.bad = Some(reason);
        self.abort_due = true;
    }
}

const fn reason(fault: Fault) -> AbortReason {
    match fault {
        Fault::BareLf => AbortReason::BareLf,
        Fault::BareCr => AbortReason::BareCr,
        Fault::Nul => AbortReason::Nul,
    }
}
