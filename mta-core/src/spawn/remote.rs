//! What qmail-rspawn makes of the end of a qmail-remote (qmail-rspawn(8), spec §7.1).

use super::End;
use crate::report::{Outcome, Report};

/// The most of a qmail-remote's output that is kept: two reports with a server's words in each.
pub const REMOTE_MAX: usize = 16 * 1024;

/// Judges a delivery to one recipient by how qmail-remote ended and by its reports: the recipient's
/// (`r`, `h` or `s`), then the message's (`K`, `Z` or `D`).
///
/// Unlike qmail, a qmail-remote that cannot be run defers and does not bounce, as does one whose
/// output is more than is kept and holds no verdict.
///
/// ```
/// use mta_core::spawn::{End, remote};
/// let report = remote(End::Code(0), b"s1.2.3.4 is busy.\n\0DGiving up.\n\0");
/// assert_eq!(report.outcome.letter(), b'Z');
/// assert_eq!(report.text, b"1.2.3.4 is busy.\nGiving up.\n");
/// ```
#[must_use]
pub fn remote(end: End, output: &[u8]) -> Report {
    match end {
        End::Crashed => return Report::deferral("qmail-remote crashed.\n"),
        End::Code(0) => {}
        End::Code(_) => return Report::deferral("Unable to run qmail-remote.\n"),
    }
    if output.is_empty() {
        return Report::deferral("qmail-remote produced no output.\n");
    }
    let reports: Vec<&[u8]> = whole_reports(output).collect();
    let verdict = reports.iter().find_map(|report| verdict(report));
    if verdict.is_none() && output.len() > REMOTE_MAX {
        return Report::deferral("qmail-remote said too much.\n");
    }
    let said = verdict.unwrap_or(Outcome::Failure);
    let outcome = match output.first() {
        Some(b's') => Outcome::Deferral,
        Some(b'h') => Outcome::Failure,
        _ => said,
    };
    let text_of = |report: &[u8]| report.get(1..).unwrap_or_default().to_vec();
    let mut text = reports
        .first()
        .map(|first| text_of(first))
        .unwrap_or_default();
    let second = reports.get(1).filter(|report| verdict_letter(report));
    if let Some(second) = second.filter(|_| rank(said) <= rank(outcome)) {
        text.extend(text_of(second));
    }
    Report::new(outcome, text)
}

/// What ends in a NUL; what is behind the last one is left out.
fn whole_reports(output: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = output.iter().rposition(|&b| b == 0).unwrap_or(0);
    let whole = output.get(..end).unwrap_or_default();
    let any = output.contains(&0);
    whole.split(|&b| b == 0).filter(move |_| any)
}

fn verdict(report: &[u8]) -> Option<Outcome> {
    match report.first()? {
        b'K' => Some(Outcome::Success),
        b'Z' => Some(Outcome::Deferral),
        b'D' => Some(Outcome::Failure),
        _ => None,
    }
}

fn verdict_letter(report: &[u8]) -> bool {
    verdict(report).is_some()
}

const fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Failure => 0,
        Outcome::Deferral => 1,
        Outcome::Success => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_joined_as_the_original_joins_them() {
        let rows: [(&str, &[u8], char, &str); 13] = [
            (
                "accepted",
                b"r\0K1.2.3.4 accepted\n\0",
                'K',
                "1.2.3.4 accepted\n",
            ),
            ("accepted, then deferred", b"r\0Zlater\n\0", 'Z', "later\n"),
            ("accepted, then refused", b"r\0Dno\n\0", 'D', "no\n"),
            (
                "refused",
                b"hno such user\n\0DGiving up\n\0",
                'D',
                "no such user\nGiving up\n",
            ),
            (
                "deferred",
                b"sbusy\n\0DGiving up\n\0",
                'Z',
                "busy\nGiving up\n",
            ),
            (
                "refused, message accepted",
                b"hno\n\0Kaccepted\n\0",
                'D',
                "no\n",
            ),
            (
                "deferred, message accepted",
                b"sno\n\0Kaccepted\n\0",
                'Z',
                "no\n",
            ),
            (
                "refused, message deferred",
                b"hno\n\0Zlater\n\0",
                'D',
                "no\n",
            ),
            ("no recipient report", b"Zno host\n\0", 'Z', "no host\n"),
            (
                "no recipient report, refused",
                b"Dno host\n\0",
                'D',
                "no host\n",
            ),
            ("no verdict", b"r\0", 'D', ""),
            ("no NUL", b"Kaccepted\n", 'D', ""),
            ("empty reports", b"\0\0\0", 'D', ""),
        ];
        for (name, output, letter, text) in rows {
            let report = remote(End::Code(0), output);
            assert_eq!(char::from(report.outcome.letter()), letter, "{name}");
            assert_eq!(String::from_utf8(report.text).unwrap(), text, "{name}");
        }
    }

    #[test]
    fn what_did_not_run_well_defers() {
        let rows = [
            (End::Crashed, &b"r\0Kok\n\0"[..], "qmail-remote crashed.\n"),
            (End::Code(111), b"", "Unable to run qmail-remote.\n"),
            (End::Code(100), b"", "Unable to run qmail-remote.\n"),
            (End::Code(0), b"", "qmail-remote produced no output.\n"),
        ];
        for (end, output, text) in rows {
            assert_eq!(remote(end, output), Report::deferral(text), "{end:?}");
        }
        let flood = vec![b'r'; REMOTE_MAX + 1];
        let report = remote(End::Code(0), &flood);
        assert_eq!(report, Report::deferral("qmail-remote said too much.\n"));
    }
}
