//! The text of a message as it comes over the wire: line ends, dot-stuffing, the end of DATA, and
//! chunks (RFC 5321 §4.5.2, RFC 5321 §2.3.8, RFC 3030 §2).

use crate::smtp::server::{LineEnds, Newline};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::ops::Range;

/// What makes a message unacceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    BareLf,
    BareCr,
    Nul,
}

/// What one call came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Text before the fault, if there is one; none behind a fault, ever.
    pub(crate) text: Bytes,
    /// Told once, where the first fault stands.
    pub(crate) fault: Option<Fault>,
    /// The end was found and consumed.
    pub(crate) ended: bool,
}

/// Decodes one message in place, keeping nothing but a few bits between calls.
///
/// Bytes whose meaning depends on what follows (a dot at the start of a line, a CR) are left in
/// the input until more comes.
#[derive(Debug)]
pub(crate) struct Unstuffer {
    newline: Newline,
    line_ends: LineEnds,
    /// A CRLF, or nothing, stands before the next byte.
    line_start: bool,
    /// The last chunk ended with a CR, which is not handed out yet (or, strict with CRLF, is).
    held_cr: bool,
    faulty: bool,
}

enum Token {
    /// Bytes to hand out as they are.
    Text(Range<usize>),
    /// A line end.
    Newline,
    Fault(Fault),
    /// CRLF "." CRLF.
    End,
    /// Nothing more can be told from these bytes.
    More,
}

/// How far the text reaches in the bytes at hand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// Up to CRLF "." CRLF.
    Dots,
    /// This is the middle of a chunk.
    Chunk,
    /// The bytes at hand end where the chunk ends.
    ChunkEnd,
}

impl Unstuffer {
    pub(crate) const fn new(newline: Newline, line_ends: LineEnds) -> Self {
        Self {
            newline,
            line_ends,
            line_start: true,
            held_cr: false,
            faulty: false,
        }
    }

    /// Decodes DATA; everything behind the end stays in `input`.
    ///
    /// ```abnf
    /// end-of-data = CRLF "." CRLF    ; the first CRLF may be the one that ended DATA
    /// ```
    pub(crate) fn dots(&mut self, input: &mut BytesMut) -> Decoded {
        let len = input.len();
        self.decode(input, len, Framing::Dots)
    }

    /// Decodes as much as there is of a chunk of which `left` bytes are to come, and counts them.
    pub(crate) fn chunk(&mut self, input: &mut BytesMut, left: &mut u64) -> Decoded {
        let len = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
        let framing = if len as u64 == *left {
            Framing::ChunkEnd
        } else {
            Framing::Chunk
        };
        let before = input.len();
        let decoded = self.decode(input, len, framing);
        *left = left.saturating_sub(before.saturating_sub(input.len()) as u64);
        decoded
    }

    /// Ends a message that came in chunks: a CR at its very end is bare.
    pub(crate) fn finish(&mut self) -> Decoded {
        let mut decoded = Decoded::default();
        if self.held_cr && !self.faulty {
            match self.line_ends {
                LineEnds::Strict => decoded.fault = Some(Fault::BareCr),
                LineEnds::Normalise => decoded.text = Bytes::from_static(self.line_end()),
            }
        }
        decoded
    }

    const fn line_end(&self) -> &'static [u8] {
        match self.newline {
            Newline::Lf => b"\n",
            Newline::Crlf => b"\r\n",
        }
    }

    fn decode(&mut self, input: &mut BytesMut, len: usize, framing: Framing) -> Decoded {
        // Normalising can make text longer than it came, so it cannot be done in place.
        match self.line_ends {
            LineEnds::Strict => self.decode_in_place(input, len, framing),
            LineEnds::Normalise => self.decode_by_copy(input, len, framing),
        }
    }

    fn decode_in_place(&mut self, input: &mut BytesMut, len: usize, framing: Framing) -> Decoded {
        let mut decoded = Decoded::default();
        let line_end = self.line_end();
        let (mut at, mut written) = (0, 0);
        let Some(buffer) = input.get_mut(..len) else {
            return decoded;
        };
        loop {
            match self.next(buffer, &mut at, framing) {
                Token::Text(range) if !self.faulty => {
                    let taken = range.len();
                    if range.start != written {
                        buffer.copy_within(range, written);
                    }
                    written += taken;
                }
                Token::Newline if !self.faulty => {
                    if let Some(place) = buffer.get_mut(written..written + line_end.len()) {
                        place.copy_from_slice(line_end);
                    }
                    written += line_end.len();
                }
                Token::Text(_) | Token::Newline => {}
                token => {
                    if self.stop(token, &mut decoded) {
                        break;
                    }
                }
            }
        }
        let mut text = input.split_to(at);
        text.truncate(written);
        if written > 0 {
            decoded.text = text.freeze();
        }
        decoded
    }

    fn decode_by_copy(&mut self, input: &mut BytesMut, len: usize, framing: Framing) -> Decoded {
        let mut decoded = Decoded::default();
        let mut text = BytesMut::new();
        let mut at = 0;
        let buffer = input.get(..len).unwrap_or_default();
        loop {
            match self.next(buffer, &mut at, framing) {
                Token::Text(range) if !self.faulty => {
                    text.put_slice(buffer.get(range).unwrap_or_default());
                }
                Token::Newline if !self.faulty => text.put_slice(self.line_end()),
                Token::Text(_) | Token::Newline => {}
                token => {
                    if self.stop(token, &mut decoded) {
                        break;
                    }
                }
            }
        }
        input.advance(at);
        decoded.text = text.freeze();
        decoded
    }

    /// Notes a token that is no text; tells whether decoding stops at it.
    const fn stop(&mut self, token: Token, decoded: &mut Decoded) -> bool {
        match token {
            Token::Fault(_) if self.faulty => false,
            Token::Fault(fault) => {
                self.faulty = true;
                decoded.fault = Some(fault);
                true
            }
            Token::End => {
                decoded.ended = true;
                true
            }
            _ => true,
        }
    }

    fn next(&mut self, buffer: &[u8], at: &mut usize, framing: Framing) -> Token {
        let rest = buffer.get(*at..).unwrap_or_default();
        let Some(&first) = rest.first() else {
            return Token::More;
        };
        if self.held_cr {
            return self.behind_held_cr(first, at);
        }
        if self.line_start && first == b'.' && framing == Framing::Dots {
            return self.dot(rest, at);
        }
        match memchr::memchr3(b'\r', b'\n', 0, rest) {
            Some(0) => self.special(rest, at, framing),
            found => {
                self.line_start = false;
                let end = *at + found.unwrap_or(rest.len());
                Token::Text(std::mem::replace(at, end)..end)
            }
        }
    }

    /// A dot behind CRLF: the end, or stuffing that is dropped.
    fn dot(&mut self, rest: &[u8], at: &mut usize) -> Token {
        match (rest.get(1), rest.get(2)) {
            (None, _) | (Some(b'\r'), None) => return Token::More,
            (Some(b'\r'), Some(b'\n')) => {
                *at += 3;
                return Token::End;
            }
            _ => {}
        }
        *at += 1;
        self.line_start = false;
        Token::Text(*at..*at)
    }

    /// A CR, LF or NUL at the start of `rest`.
    fn special(&mut self, rest: &[u8], at: &mut usize, framing: Framing) -> Token {
        let fault = match (rest.first(), rest.get(1)) {
            (Some(b'\r'), Some(b'\n')) => {
                *at += 2;
                self.line_start = true;
                return Token::Newline;
            }
            (Some(b'\r'), None) if framing == Framing::ChunkEnd => return self.hold_cr(at),
            (Some(b'\r'), None) => return Token::More,
            (Some(b'\r'), _) => Fault::BareCr,
            (Some(b'\n'), _) => Fault::BareLf,
            _ => Fault::Nul,
        };
        *at += 1;
        self.line_start = false;
        if self.line_ends == LineEnds::Normalise && fault != Fault::Nul {
            Token::Newline
        } else {
            Token::Fault(fault)
        }
    }

    /// A CR ends a chunk: what it means is told by the next one.
    fn hold_cr(&mut self, at: &mut usize) -> Token {
        self.held_cr = true;
        self.line_start = false;
        *at += 1;
        // In place there is no room to hand it out later.
        let early = self.newline == Newline::Crlf && self.line_ends == LineEnds::Strict;
        Token::Text(*at - usize::from(early)..*at)
    }

    fn behind_held_cr(&mut self, first: u8, at: &mut usize) -> Token {
        self.held_cr = false;
        if first == b'\n' {
            self.line_start = true;
            *at += 1;
            if self.line_ends == LineEnds::Strict {
                return Token::Text(*at - 1..*at);
            }
            return Token::Newline;
        }
        match self.line_ends {
            LineEnds::Strict => Token::Fault(Fault::BareCr),
            LineEnds::Normalise => Token::Newline,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes DATA fed in pieces of `size` bytes; returns the text, the first fault and the rest.
    fn data(
        wire: &[u8],
        newline: Newline,
        line_ends: LineEnds,
        size: usize,
    ) -> (Vec<u8>, Option<Fault>, Option<Vec<u8>>) {
        let mut unstuffer = Unstuffer::new(newline, line_ends);
        let (mut input, mut text, mut fault) = (BytesMut::new(), Vec::new(), None);
        let mut fed = 0;
        for piece in wire.chunks(size) {
            fed += piece.len();
            input.extend_from_slice(piece);
            loop {
                let before = input.len();
                let decoded = unstuffer.dots(&mut input);
                text.extend_from_slice(&decoded.text);
                fault = fault.or(decoded.fault);
                if decoded.ended {
                    let rest = wire[fed - input.len()..].to_vec();
                    return (text, fault, Some(rest));
                }
                if input.len() == before {
                    break;
                }
            }
        }
        (text, fault, None)
    }

    type Row = (
        &'static str,
        &'static [u8],
        &'static [u8],
        Option<Fault>,
        Option<&'static [u8]>,
    );
    const DATA: &[Row] = &[
        ("empty", b".\r\nQUIT", b"", None, Some(b"QUIT")),
        ("a line", b"a\r\n.\r\n", b"a\n", None, Some(b"")),
        (
            "stuffed",
            b"..\r\n...b\r\n.c\r\n.\r\n",
            b".\n..b\nc\n",
            None,
            Some(b""),
        ),
        ("no end", b"a\r\n.\r", b"a\n", None, None),
        ("dot within", b"a.\r\n.\r\n", b"a.\n", None, Some(b"")),
        (
            "bare LF",
            b"a\nb\r\n.\r\n",
            b"a",
            Some(Fault::BareLf),
            Some(b""),
        ),
        (
            "bare CR",
            b"a\rb\r\n.\r\n",
            b"a",
            Some(Fault::BareCr),
            Some(b""),
        ),
        ("NUL", b"a\0b\r\n.\r\n", b"a", Some(Fault::Nul), Some(b"")),
        (
            "LF dot LF",
            b"a\n.\nb\r\n.\r\n",
            b"a",
            Some(Fault::BareLf),
            Some(b""),
        ),
        (
            "LF dot CRLF",
            b"a\n.\r\nb\r\n.\r\n",
            b"a",
            Some(Fault::BareLf),
            Some(b""),
        ),
        (
            "CRLF dot LF",
            b"a\r\n.\nb\r\n.\r\n",
            b"a\n",
            Some(Fault::BareLf),
            Some(b""),
        ),
        (
            "CRLF dot CR",
            b"a\r\n.\rb\r\n.\r\n",
            b"a\n",
            Some(Fault::BareCr),
            Some(b""),
        ),
        (
            "CR dot CR",
            b"a\r.\rb\r\n.\r\n",
            b"a",
            Some(Fault::BareCr),
            Some(b""),
        ),
        (
            "CR CRLF dot",
            b"a\r\r\n.\r\n",
            b"a",
            Some(Fault::BareCr),
            Some(b""),
        ),
    ];

    #[test]
    fn data_is_decoded_as_the_table_says_however_it_is_cut() {
        for (name, wire, text, fault, rest) in DATA {
            for size in 1..=wire.len() {
                let got = data(wire, Newline::Lf, LineEnds::Strict, size);
                let wanted = (text.to_vec(), *fault, rest.map(<[u8]>::to_vec));
                assert_eq!(got, wanted, "{name}, pieces of {size}");
            }
        }
    }

    #[test]
    fn normalising_takes_any_line_end_but_ends_only_at_crlf_dot_crlf() {
        let wire = b"a\n.\nb\r.\rc\n.\r\nd\r\n.\ne\r\r\n..f\r\n.\r\nQUIT";
        for size in 1..=wire.len() {
            let lf = data(wire, Newline::Lf, LineEnds::Normalise, size);
            assert_eq!(
                lf.0.escape_ascii().to_string(),
                "a\\n.\\nb\\n.\\nc\\n.\\nd\\n\\ne\\n\\n.f\\n"
            );
            assert_eq!((lf.1, lf.2.as_deref()), (None, Some(&b"QUIT"[..])));
            let crlf = data(wire, Newline::Crlf, LineEnds::Normalise, size);
            let back: Vec<u8> = crlf.0.iter().copied().filter(|&b| b != b'\r').collect();
            assert_eq!(back, lf.0);
            let lines = lf.0.iter().filter(|&&b| b == b'\n').count();
            assert_eq!(crlf.0.len(), lf.0.len() + lines);
        }
    }

    #[test]
    fn crlf_stays_when_asked_for() {
        let wire = b"..a\r\n\r\nb\r\n.\r\n";
        for size in 1..=wire.len() {
            let got = data(wire, Newline::Crlf, LineEnds::Strict, size);
            assert_eq!(got.0, b".a\r\n\r\nb\r\n", "pieces of {size}");
        }
    }

    fn chunks(pieces: &[&[u8]], newline: Newline, line_ends: LineEnds) -> (Vec<u8>, Option<Fault>) {
        let mut unstuffer = Unstuffer::new(newline, line_ends);
        let (mut text, mut fault) = (Vec::new(), None);
        for piece in pieces {
            let mut input = BytesMut::from(*piece);
            input.extend_from_slice(b"NOOP\r\n");
            let mut left = piece.len() as u64;
            while left > 0 {
                let decoded = unstuffer.chunk(&mut input, &mut left);
                text.extend_from_slice(&decoded.text);
                fault = fault.or(decoded.fault);
            }
            assert_eq!(&input[..], b"NOOP\r\n");
        }
        let decoded = unstuffer.finish();
        text.extend_from_slice(&decoded.text);
        (text, fault.or(decoded.fault))
    }

    #[test]
    fn a_line_end_may_be_cut_by_a_chunk() {
        type Row = (
            &'static str,
            &'static [&'static [u8]],
            &'static [u8],
            &'static [u8],
            Option<Fault>,
        );
        let table: &[Row] = &[
            ("cut", &[b"a\r", b"\nb"], b"a\nb", b"a\r\nb", None),
            (
                "dots are text",
                &[b".\r\n.", b"\r\n"],
                b".\n.\n",
                b".\r\n.\r\n",
                None,
            ),
            (
                "bare CR at a cut",
                &[b"a\r", b"b"],
                b"a",
                b"a\r",
                Some(Fault::BareCr),
            ),
            (
                "bare CR at the end",
                &[b"a\r"],
                b"a",
                b"a\r",
                Some(Fault::BareCr),
            ),
            (
                "bare LF at a cut",
                &[b"a", b"\nb"],
                b"a",
                b"a",
                Some(Fault::BareLf),
            ),
            (
                "two CR at a cut",
                &[b"a\r", b"\r\n"],
                b"a",
                b"a\r",
                Some(Fault::BareCr),
            ),
        ];
        for (name, pieces, lf, crlf, fault) in table {
            let got = chunks(pieces, Newline::Lf, LineEnds::Strict);
            assert_eq!(got, (lf.to_vec(), *fault), "{name}");
            let got = chunks(pieces, Newline::Crlf, LineEnds::Strict);
            assert_eq!(got, (crlf.to_vec(), *fault), "{name}");
        }
        let got = chunks(
            &[b"a\r", b"b\r", b"\n\r"],
            Newline::Crlf,
            LineEnds::Normalise,
        );
        assert_eq!(got, (b"a\r\nb\r\n\r\n".to_vec(), None));
    }
}
