//! A server that talks and takes nothing: every recipient is refused with the same words (RFC 5321 §3.1, rblsmtpd(1), spec §9.4).

use crate::{Action, Machine, Wire};
use bytes::{Buf, BufMut, Bytes};
use mta_core::Mono;
use std::convert::Infallible;

/// The most bytes of input that wait to be looked at.
const INPUT: usize = 1024;
/// Output is sent before there is more of it.
const HIGH_WATER: usize = 4096;
/// As much of a line as tells its verb: the longest one, and the byte behind it.
const VERB: usize = 5;

/// One conversation, over at the deadline whatever the client does. It has no events.
///
/// ```
/// use mta_core::Mono;
/// use mta_proto::smtp::refusing::Refusing;
/// use mta_proto::{Action, Machine};
/// let mut server = Refusing::new("rblsmtpd.local", "451 listed", Mono::from_start(std::time::Duration::from_secs(60)));
/// server.wire_mut().push(b"EHLO client\r\nRCPT TO:<a@b>\r\nQUIT\r\n");
/// assert_eq!(server.poll(Mono::ZERO), Action::Close);
/// assert_eq!(
///     server.wire().output(),
///     b"220 rblsmtpd.local\r\n250 rblsmtpd.local\r\n451 listed\r\n221 rblsmtpd.local\r\n"
/// );
/// ```
#[derive(Debug)]
pub struct Refusing {
    wire: Wire,
    name: Bytes,
    refusal: Bytes,
    deadline: Mono,
    /// The beginning of the line that is being read.
    line: Vec<u8>,
    over: bool,
}

impl Refusing {
    /// Greets as `name`; `refusal` is a reply with its code, without CRLF.
    #[must_use]
    pub fn new(name: &str, refusal: impl Into<Bytes>, deadline: Mono) -> Self {
        let mut this = Self {
            wire: Wire::new(INPUT, HIGH_WATER),
            name: Bytes::copy_from_slice(name.as_bytes()),
            refusal: refusal.into(),
            deadline,
            line: Vec::with_capacity(VERB),
            over: false,
        };
        this.say(b"220 ", this.name.clone());
        this
    }

    fn say(&mut self, code: &[u8], text: Bytes) {
        let output = self.wire.output_mut();
        output.put_slice(code);
        output.put(text);
        output.put_slice(b"\r\n");
    }

    /// Answers the line that has come to its end.
    fn answer(&mut self) {
        let verb = self.line.split(|byte| matches!(byte, b' ' | b'\r'));
        let verb = verb.into_iter().next().unwrap_or_default();
        let known = |words: &[&str]| {
            words
                .iter()
                .any(|word| verb.eq_ignore_ascii_case(word.as_bytes()))
        };
        if known(&["QUIT"]) {
            self.over = true;
            self.say(b"221 ", self.name.clone());
        } else if known(&["HELO", "EHLO", "MAIL", "RSET", "NOOP"]) {
            self.say(b"250 ", self.name.clone());
        } else {
            self.say(b"", self.refusal.clone());
        }
        self.line.clear();
    }
}

impl Machine for Refusing {
    type Event = Infallible;

    fn poll(&mut self, now: Mono) -> Action<Infallible> {
        if now >= self.deadline {
            self.over = true;
        }
        while !self.over && !self.wire.output_full() && !self.wire.input().is_empty() {
            match self.wire.input_mut().get_u8() {
                b'\n' => self.answer(),
                byte if self.line.len() < VERB => self.line.push(byte),
                _ => {}
            }
        }
        match () {
            () if self.over => Action::Close,
            () if self.wire.output_full() => Action::Write,
            () if self.wire.eof() => Action::Close,
            () => Action::Read,
        }
    }

    fn deadline(&self) -> Option<Mono> {
        Some(self.deadline)
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LATER: Mono = Mono::from_start(Duration::from_secs(60));

    /// What is answered to input that comes in pieces of so many bytes, and what it wants last.
    fn answers(input: &[u8], piece: usize) -> (String, Action<Infallible>) {
        let mut server = Refusing::new("me", "553 no", LATER);
        let mut output = Vec::new();
        let mut pieces = input.chunks(piece);
        loop {
            let action = server.poll(Mono::ZERO);
            output.extend_from_slice(server.wire().output());
            let sent = server.wire().output().len();
            server.wire_mut().advance_output(sent);
            match (action, pieces.next()) {
                (Action::Write, None) => {}
                (Action::Read, Some(piece)) => {
                    assert_eq!(server.wire_mut().push(piece), piece.len())
                }
                (action, _) => return (String::from_utf8(output).unwrap(), action),
            }
        }
    }

    #[test]
    fn verbs_are_answered_however_they_come() {
        let input =
            b"EHLO x\r\nmAiL FROM:<>\nmailx\r\nRCPT TO:<a>\r\n\r\n quit\r\nQUIT\r\nNOOP\r\n";
        let expected =
            "220 me\r\n250 me\r\n250 me\r\n553 no\r\n553 no\r\n553 no\r\n553 no\r\n221 me\r\n";
        for piece in [1, 2, 3, 7, input.len()] {
            let expected = (expected.to_owned(), Action::Close);
            assert_eq!(answers(input, piece), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let mut server = Refusing::new("me", "451 no", LATER);
        for _ in 0..100 {
            server.wire_mut().push(&[b'q'; INPUT]);
            assert_eq!(server.poll(Mono::ZERO), Action::Read);
        }
        assert_eq!(server.line.len(), VERB);
    }

    #[test]
    fn it_is_over_at_the_deadline_whatever_has_come() {
        let mut server = Refusing::new("me", "451 no", LATER);
        server.wire_mut().push(b"NOOP\r\n");
        assert_eq!(server.poll(LATER), Action::Close);
        assert_eq!(server.wire().output(), b"220 me\r\n");
    }
}
