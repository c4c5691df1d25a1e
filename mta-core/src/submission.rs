//! What a submission server adds to a message: the fields that every message has (RFC 6409 §8.2, §8.3, RFC 5322 §3.6).

use crate::{Unix, date};

/// The longest field name that matters, with its colon.
const LONGEST: usize = b"message-id:".len();

/// Watches a message go by, with LF line ends, and says which fields to put at its header's end.
///
/// ```
/// use mta_core::{Unix, submission::Completer};
/// let mut completer = Completer::new(Unix(0), "<1.2@mx.example.org>");
/// let (at, fields) = completer.feed(b"Subject: x\n\nbody\n").unwrap();
/// assert_eq!(at, 11);
/// assert_eq!(
///     fields,
///     b"Date: Thu, 1 Jan 1970 00:00:00 +0000\nMessage-ID: <1.2@mx.example.org>\n"
/// );
/// assert_eq!(completer.finish(), b"", "once is enough");
/// ```
#[derive(Clone, Debug)]
pub struct Completer {
    date: Option<Vec<u8>>,
    id: Option<Vec<u8>>,
    /// The beginning of the line at hand.
    line: Vec<u8>,
    /// A line of the header is under way.
    within: bool,
    over: bool,
}

impl Completer {
    /// Begins a message with the fields that it gets where it has none.
    #[must_use]
    pub fn new(now: Unix, message_id: &str) -> Self {
        let date = format!("Date: {}\n", date::rfc5322(now));
        Self {
            date: Some(date.into_bytes()),
            id: Some(format!("Message-ID: {message_id}\n").into_bytes()),
            line: Vec::with_capacity(LONGEST),
            within: false,
            over: false,
        }
    }

    /// Looks at a piece. `Some` says that the header ends in it, and what belongs before the byte
    /// with that index; nothing if nothing is missing.
    pub fn feed(&mut self, piece: &[u8]) -> Option<(usize, Vec<u8>)> {
        for (at, &byte) in piece.iter().enumerate() {
            if self.over {
                return None;
            }
            if byte != b'\n' {
                self.within = true;
                if self.line.len() < LONGEST {
                    self.line.push(byte.to_ascii_lowercase());
                    self.note();
                }
            } else if self.within {
                self.within = false;
                self.line.clear();
            } else {
                self.over = true;
                return Some((at, self.missing()));
            }
        }
        None
    }

    /// What belongs behind a message that is nothing but a header.
    pub fn finish(&mut self) -> Vec<u8> {
        if std::mem::replace(&mut self.over, true) {
            return Vec::new();
        }
        let mut out = Vec::new();
        if self.within {
            out.push(b'\n');
        }
        out.extend(self.missing());
        out
    }

    fn note(&mut self) {
        match &*self.line {
            b"date:" => self.date = None,
            b"message-id:" => self.id = None,
            _ => {}
        }
    }

    fn missing(&mut self) -> Vec<u8> {
        let fields = [self.date.take(), self.id.take()];
        fields.into_iter().flatten().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Date: Thu, 1 Jan 1970 00:00:00 +0000\n";
    const ID: &str = "Message-ID: <i>\n";

    fn complete(message: &str, size: usize) -> String {
        let mut completer = Completer::new(Unix(0), "<i>");
        let mut out = Vec::new();
        for piece in message.as_bytes().chunks(size) {
            match completer.feed(piece) {
                Some((at, fields)) => {
                    out.extend_from_slice(&piece[..at]);
                    out.extend(fields);
                    out.extend_from_slice(&piece[at..]);
                }
                None => out.extend_from_slice(piece),
            }
        }
        out.extend(completer.finish());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_what_is_missing_is_added_and_only_once() {
        let rows = [
            (
                "both missing",
                "A: b\n\nx\n",
                format!("A: b\n{DATE}{ID}\nx\n"),
            ),
            ("date there", "dATE: x\n\nx", format!("dATE: x\n{ID}\nx")),
            (
                "id there",
                "Message-Id: x\n\n",
                format!("Message-Id: x\n{DATE}\n"),
            ),
            (
                "both there",
                "Date: x\nMessage-ID: y\n\n",
                "Date: x\nMessage-ID: y\n\n".to_owned(),
            ),
            (
                "in the body",
                "A: b\n\nDate: x\n\n",
                format!("A: b\n{DATE}{ID}\nDate: x\n\n"),
            ),
            (
                "folded",
                "A: b\n Date: x\n\n",
                format!("A: b\n Date: x\n{DATE}{ID}\n"),
            ),
            (
                "longer names",
                "Dates: x\nX-Date: y\n\n",
                format!("Dates: x\nX-Date: y\n{DATE}{ID}\n"),
            ),
            (
                "resent",
                "Resent-Date: x\n\n",
                format!("Resent-Date: x\n{DATE}{ID}\n"),
            ),
            ("no header", "\nbody", format!("{DATE}{ID}\nbody")),
            ("no body", "A: b\n", format!("A: b\n{DATE}{ID}")),
            ("no line end", "A: b", format!("A: b\n{DATE}{ID}")),
            ("nothing", "", format!("{DATE}{ID}")),
        ];
        for (name, message, wanted) in rows {
            for size in [1, 2, 3, 7, 1000] {
                assert_eq!(complete(message, size), wanted, "{name} by {size}");
            }
        }
    }
}
