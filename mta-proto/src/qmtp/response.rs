//! The responses of QMTP and QMQP: a netstring with a letter K, Z or D and a text (qmail-qmtpd(8)).

use crate::netstring::{self, Malformed, Part, Reader};
use bytes::{BufMut, BytesMut};
use mta_core::report::{Outcome, Report};

/// Appends a report as a response, its text cut at `longest` bytes.
pub(crate) fn encode(report: &Report, longest: usize, out: &mut BytesMut) {
    let text = report.text.get(..longest).unwrap_or(&report.text);
    out.put_slice(&netstring::head(text.len() as u64 + 1));
    out.put_u8(report.outcome.letter());
    out.put_slice(text);
    out.put_u8(b',');
}

/// Reads responses bit by bit and keeps so much of a text.
#[derive(Debug)]
pub(crate) struct Responses {
    reader: Reader,
    kept: usize,
    outcome: Option<Outcome>,
    text: Vec<u8>,
}

impl Responses {
    pub(crate) const fn new(longest: u64, kept: usize) -> Self {
        Self {
            reader: Reader::new(longest),
            kept,
            outcome: None,
            text: Vec::new(),
        }
    }

    /// Reads a response as far as it is there; the text has no CR, and `?` for NUL.
    pub(crate) fn feed(&mut self, input: &mut BytesMut) -> Result<Option<Report>, Malformed> {
        loop {
            match self.reader.step(input)? {
                Part::Starved => return Ok(None),
                Part::Begin(0) => return Err(Malformed::Content),
                Part::Begin(_) => {}
                Part::Content(n) => {
                    let bytes = self.reader.take(input, n);
                    self.content(&bytes)?;
                }
                Part::End => {
                    let outcome = self.outcome.take().ok_or(Malformed::Content)?;
                    let text = std::mem::take(&mut self.text);
                    return Ok(Some(Report::new(outcome, text)));
                }
            }
        }
    }

    fn content(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        if self.outcome.is_none()
            && let Some((&letter, text)) = bytes.split_first()
        {
            self.outcome = Some(match letter {
                b'K' => Outcome::Success,
                b'Z' => Outcome::Deferral,
                b'D' => Outcome::Failure,
                _ => return Err(Malformed::Content),
            });
            bytes = text;
        }
        let shown = bytes.iter().filter(|&&b| b != b'\r');
        let shown = shown.map(|&b| if b == 0 { b'?' } else { b });
        let room = self.kept.saturating_sub(self.text.len());
        self.text.extend(shown.take(room));
        Ok(())
    }
}
