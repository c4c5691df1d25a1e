//! What a spawner says of a delivery (qmail-send(8), spec §5.3, §5.4).

use crate::queue::REPORT_MAX;
use crate::report::{Outcome, Report};

/// Returns the bytes that go to qmail-send. The text ends at its first NUL.
///
/// ```
/// use mta_core::{report::Report, spawn::encode};
/// assert_eq!(encode(7, &Report::success("done\n")), b"\x07Kdone\n\0");
/// ```
#[must_use]
pub fn encode(slot: u8, report: &Report) -> Vec<u8> {
    let text = report.text.split(|&b| b == 0).next().unwrap_or_default();
    [&[slot, report.outcome.letter()][..], text, b"\0"].concat()
}

/// A report for whoever has the slot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotReport {
    /// Which delivery.
    pub slot: u8,
    /// What came of it; `None` where its letter makes no sense.
    pub report: Option<Report>,
}

/// Takes reports out of a stream of bytes; of a long one only the beginning is kept.
///
/// ```
/// use mta_core::spawn::ReportReader;
/// let mut seen = Vec::new();
/// ReportReader::default().push(b"\0Kdone\n\0\x07?\0", &mut |one| seen.push(one));
/// assert_eq!(seen[0].report.as_ref().unwrap().text, b"done\n");
/// assert_eq!((seen[1].slot, &seen[1].report), (7, &None));
/// ```
#[derive(Debug, Default)]
pub struct ReportReader {
    line: Vec<u8>,
}

impl ReportReader {
    /// Takes bytes in and shows each report that they complete.
    pub fn push(&mut self, bytes: &[u8], show: &mut dyn FnMut(SlotReport)) {
        for &byte in bytes {
            // The first byte is the slot, which may be 0.
            if byte != 0 || self.line.is_empty() {
                if self.line.len() < REPORT_MAX {
                    self.line.push(byte);
                }
                continue;
            }
            if let Some((&slot, said)) = self.line.split_first() {
                let report = read(said);
                show(SlotReport { slot, report });
            }
            self.line.clear();
        }
    }
}

/// Reads a letter and its text.
fn read(said: &[u8]) -> Option<Report> {
    let (letter, text) = said.split_first()?;
    let outcome = match letter {
        b'K' => Outcome::Success,
        b'Z' => Outcome::Deferral,
        b'D' => Outcome::Failure,
        _ => return None,
    };
    Some(Report::new(outcome, text))
}

/// Makes a report of words that begin with their letter.
pub(super) fn worded(said: &str) -> Report {
    read(said.as_bytes()).unwrap_or_else(|| Report::deferral(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<SlotReport> {
        let mut seen = Vec::new();
        ReportReader::default().push(bytes, &mut |one| seen.push(one));
        seen
    }

    #[test]
    fn hostile_reports_are_bounded_and_the_next_one_is_read() {
        let flood = [b"\x05K".as_slice(), &[b'x'; 1_000_000], b"\0\x06Zlater\n\0"].concat();
        let [first, second] = all(&flood).try_into().unwrap();
        assert_eq!(first.report.unwrap().text.len(), REPORT_MAX - 2);
        assert_eq!(
            (second.slot, second.report),
            (6, Some(Report::deferral("later\n")))
        );
        for mangled in [&b"\x05\0"[..], b"\x05x\0", b"\x05 Kdone\0"] {
            let [one] = all(mangled).try_into().unwrap();
            assert_eq!(
                (one.slot, one.report),
                (5, None),
                "{}",
                mangled.escape_ascii()
            );
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for report in [
            Report::success(""),
            Report::failure("no\n"),
            Report::deferral("x"),
        ] {
            for slot in [0, 1, 119, 255] {
                let [one] = all(&encode(slot, &report)).try_into().unwrap();
                assert_eq!((one.slot, one.report), (slot, Some(report.clone())));
            }
        }
    }
}
