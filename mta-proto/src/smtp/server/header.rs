//! Watches a message's header section as it streams by: its size, and the hosts it has passed
//! (RFC 5321 §6.3, qmail-smtpd(8)).

use super::config::Limits;
use super::event::AbortReason;

/// The fields that count as one hop each.
const RECEIVED: &[u8] = b"received:";
const DELIVERED: &[u8] = b"delivered-to:";

/// Looks at each byte once and keeps only the first few bytes of a line.
///
/// Unlike the original, whole field names count, so that `Received-SPF` is not taken for a hop.
#[derive(Debug, Default)]
pub(super) struct HeaderWatch {
    over: bool,
    size: usize,
    hops: u32,
    /// The bytes of the current line so far.
    column: usize,
    /// The first of them.
    start: [u8; DELIVERED.len()],
}

impl HeaderWatch {
    /// Looks at a piece of text; tells where it goes beyond a limit and beyond which.
    pub(super) fn look(&mut self, text: &[u8], limits: &Limits) -> Option<(usize, AbortReason)> {
        let mut at = 0;
        while !self.over {
            let rest = text.get(at..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
            let line = rest.get(..len).unwrap_or_default();
            let room = limits.header_size.saturating_sub(self.size);
            let hop = self.hop(line, limits.hops);
            if let Some(offset) = hop.filter(|&offset| offset <= room) {
                return Some((at + offset, AbortReason::TooManyHops));
            }
            if len > room {
                return Some((at + room, AbortReason::HeaderTooBig));
            }
            self.end_of(line);
            self.size += len;
            at += len;
        }
        None
    }

    /// Notes the start of a line; tells where in `line` the last hop allowed is passed.
    fn hop(&mut self, line: &[u8], most: u32) -> Option<usize> {
        let known = self.column.min(self.start.len());
        let free = self.start.get_mut(known..).unwrap_or_default();
        let new = free.len().min(line.len());
        if let (Some(place), Some(bytes)) = (free.get_mut(..new), line.get(..new)) {
            place.copy_from_slice(bytes);
        }
        for name in [RECEIVED, DELIVERED] {
            let completed = known < name.len() && known + new >= name.len();
            let start = self.start.get(..name.len()).unwrap_or_default();
            if completed && start.eq_ignore_ascii_case(name) {
                self.hops = self.hops.saturating_add(1);
                if self.hops >= most {
                    return Some(name.len() - known);
                }
            }
        }
        None
    }

    /// Moves on behind `line`; an empty line ends the header section.
    fn end_of(&mut self, line: &[u8]) {
        if line.last() != Some(&b'\n') {
            self.column += line.len();
            return;
        }
        let content = (self.column + line.len()).saturating_sub(1);
        self.over = content == 0 || (content == 1 && self.start.first() == Some(&b'\r'));
        self.column = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &[u8], limits: &Limits, size: usize) -> Option<(usize, AbortReason)> {
        let mut watch = HeaderWatch::default();
        for (n, piece) in text.chunks(size).enumerate() {
            if let Some((at, reason)) = watch.look(piece, limits) {
                return Some((n * size + at, reason));
            }
        }
        None
    }

    #[test]
    fn hops_and_size_are_judged_alike_however_the_header_is_cut() {
        let limits = Limits {
            hops: 2,
            header_size: 60,
            ..Limits::default()
        };
        let hops = Some(AbortReason::TooManyHops);
        let long = format!("Subject: {}\n\n", "x".repeat(60));
        let body = format!("a: b\n\n{}", "received: x\n".repeat(90));
        let table: &[(&str, &str, Option<AbortReason>)] = &[
            ("one hop", "Received: x\n\n", None),
            ("two hops", "Received: x\nreCeived: y\n\n", hops),
            ("mixed fields", "Received: x\nDelivered-To: y\n\n", hops),
            ("CRLF", "Received: x\r\nDelivered-To: y\r\n\r\n", hops),
            (
                "other fields",
                "Received-SPF: x\nReceived: x\nDelivered: y\n\n",
                None,
            ),
            ("folded line", "Received: x\n received: y\n\n", None),
            ("body lines do not count", &body, None),
            (
                "body behind CRLF",
                "a: b\r\n\r\nReceived: x\r\nReceived: x\r\n",
                None,
            ),
            ("too long", &long, Some(AbortReason::HeaderTooBig)),
            ("cut right at the end", "Received: x\nReceived:", hops),
        ];
        for (name, text, wanted) in table {
            let whole = verdict(text.as_bytes(), &limits, text.len());
            assert_eq!(whole.map(|(_, reason)| reason), *wanted, "{name}");
            for size in 1..text.len() {
                assert_eq!(
                    verdict(text.as_bytes(), &limits, size),
                    whole,
                    "{name}, {size}"
                );
            }
        }
    }
}
