//! The two buffers between a machine and its byte stream, each with a stated bound.

use bytes::{Buf, BytesMut};
use std::fmt;

/// Input that waits to be parsed and output that waits to be sent.
///
/// The input is capped: when it is full the driver stops reading, and that is the back-pressure.
/// Both buffers give their memory back when they are empty.
pub struct Wire {
    input: BytesMut,
    input_cap: usize,
    output: BytesMut,
    high_water: usize,
    received: u64,
    sent: u64,
    eof: bool,
    broken: bool,
}

/// How much waits, and not what: passwords and other people's mail pass through here.
impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("input", &self.input.len())
            .field("output", &self.output.len())
            .field("received", &self.received)
            .field("sent", &self.sent)
            .field("eof", &self.eof)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl Wire {
    /// Makes empty buffers: at most `input_cap` bytes wait to be parsed, and beyond `high_water`
    /// bytes of unsent output a machine asks to write before it goes on.
    #[must_use]
    pub fn new(input_cap: usize, high_water: usize) -> Self {
        Self {
            input: BytesMut::new(),
            input_cap,
            output: BytesMut::new(),
            high_water,
            received: 0,
            sent: 0,
            eof: false,
            broken: false,
        }
    }

    /// How many bytes more the input takes now; 0 tells the driver to stop reading.
    #[must_use]
    pub fn room(&self) -> usize {
        if self.eof {
            0
        } else {
            self.input_cap.saturating_sub(self.input.len())
        }
    }

    /// How many bytes of input wait to be looked at.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.input.len()
    }

    /// Copies as much of `bytes` as there is room for and returns how many were taken.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.room());
        if let Some(taken) = bytes.get(..n) {
            self.input.extend_from_slice(taken);
        }
        self.received = self.received.saturating_add(n as u64);
        n
    }

    /// Tells that the peer will send nothing more.
    pub fn push_eof(&mut self) {
        self.eof = true;
    }

    /// Tells that the stream broke: nothing more will come, and output cannot be sent any more.
    pub fn push_broken(&mut self) {
        self.eof = true;
        self.broken = true;
        self.output = BytesMut::new();
    }

    /// Tells whether the stream broke; a machine then need not produce output.
    #[must_use]
    pub const fn broken(&self) -> bool {
        self.broken
    }

    /// Tells whether the peer has ended its side.
    #[must_use]
    pub const fn eof(&self) -> bool {
        self.eof
    }

    /// All bytes ever pushed; a machine compares it to see whether the peer was active.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// All bytes ever sent.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// The output that waits to be sent.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// Tells that the first `n` bytes of the output were sent.
    ///
    /// Counts no further than there is output.
    pub fn advance_output(&mut self, n: usize) {
        let n = n.min(self.output.len());
        self.output.advance(n);
        self.sent = self.sent.saturating_add(n as u64);
        if self.output.is_empty() {
            self.output = BytesMut::new();
        }
    }

    /// Tells whether the output passed its high-water mark.
    #[must_use]
    pub fn output_full(&self) -> bool {
        self.output.len() >= self.high_water
    }

    pub(crate) const fn input_mut(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    pub(crate) fn input(&self) -> &[u8] {
        &self.input
    }

    pub(crate) const fn output_mut(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Makes room for longer lines.
    pub(crate) fn widen_input(&mut self, least: usize) {
        self.input_cap = self.input_cap.max(least);
    }

    /// Gives the input's memory back when nothing waits in it.
    pub(crate) fn release_idle(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }

    /// Forgets what arrived in the clear (RFC 3207 §4.2) and starts reading afresh.
    pub(crate) fn reset_input(&mut self) {
        self.input = BytesMut::new();
        self.eof = false;
    }
}
