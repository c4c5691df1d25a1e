//! A stored message on its way out: CRLF line ends, stuffed dots, TOP's cut (RFC 1939 §3, §7).

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Converts one message piece by piece, never further than there is room.
#[derive(Debug)]
pub(super) struct Outgoing {
    waiting: Bytes,
    /// Body lines that are still wanted; `None` wants all.
    lines: Option<u64>,
    in_header: bool,
    at_line_start: bool,
    /// A CR at the end of a piece, which the next byte makes a line end or not.
    held_cr: bool,
    ended: bool,
}

/// What became of a conversion.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The output is full.
    Full,
    /// The piece is used up.
    NeedMore,
    /// The final dot is written.
    Done,
}

impl Outgoing {
    pub(super) const fn new(lines: Option<u64>) -> Self {
        Self {
            waiting: Bytes::new(),
            lines,
            in_header: true,
            at_line_start: true,
            held_cr: false,
            ended: false,
        }
    }

    pub(super) fn give(&mut self, piece: Bytes) {
        self.waiting = piece;
    }

    pub(super) const fn end(&mut self) {
        self.ended = true;
    }

    /// Writes until `output` holds `high_water` bytes, the piece is used up, or all is said.
    pub(super) fn write(&mut self, output: &mut BytesMut, high_water: usize) -> Progress {
        while !self.enough() {
            if self.waiting.is_empty() && !self.ended {
                return Progress::NeedMore;
            }
            if self.waiting.is_empty() {
                break;
            }
            if output.len() >= high_water {
                return Progress::Full;
            }
            self.write_line(output, high_water - output.len());
        }
        if std::mem::take(&mut self.held_cr) {
            output.put_u8(b'\r');
            self.at_line_start = false;
        }
        if !self.at_line_start {
            output.put_slice(b"\r\n");
        }
        output.put_slice(b".\r\n");
        Progress::Done
    }

    /// TOP has had its lines.
    fn enough(&self) -> bool {
        !self.in_header && self.at_line_start && self.lines == Some(0)
    }

    /// Writes one line of the piece, or `room` bytes of a line that is longer.
    fn write_line(&mut self, output: &mut BytesMut, room: usize) {
        if std::mem::take(&mut self.held_cr) {
            if self.waiting.first() == Some(&b'\n') {
                self.waiting.advance(1);
                return self.end_line(output);
            }
            output.put_u8(b'\r');
            self.at_line_start = false;
        }
        let near = self.waiting.get(..room).unwrap_or(&self.waiting);
        let line_end = memchr::memchr(b'\n', near);
        let used = line_end.map_or(near.len(), |at| at + 1);
        let text = near
            .get(..line_end.unwrap_or(near.len()))
            .unwrap_or_default();
        let (text, cr) = match text.split_last() {
            Some((b'\r', before)) => (before, true),
            _ => (text, false),
        };
        if self.at_line_start && text.first() == Some(&b'.') {
            output.put_u8(b'.');
        }
        output.put_slice(text);
        self.at_line_start &= text.is_empty();
        self.held_cr = cr && line_end.is_none();
        self.waiting.advance(used);
        if line_end.is_some() {
            self.end_line(output);
        }
    }

    fn end_line(&mut self, output: &mut BytesMut) {
        output.put_slice(b"\r\n");
        if self.in_header {
            self.in_header = !self.at_line_start;
        } else if let Some(lines) = &mut self.lines {
            *lines = lines.saturating_sub(1);
        }
        self.at_line_start = true;
    }
}
