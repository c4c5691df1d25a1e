//! The reports that qmail-rspawn reads: a letter, a text and a NUL each (qmail-remote(8), spec §7.1).

use mta_core::report::{Outcome, Report};
use mta_proto::smtp::client::{Fate, giving_up};

/// One report, that of the message.
pub(super) fn of_message(report: &Report) -> Vec<u8> {
    let mut out = Vec::new();
    push(&mut out, report.outcome.letter(), &report.text);
    out
}

/// The recipients who were answered, in their order, and then the message.
pub(super) fn of_all(peer: &str, fates: &[Fate], reports: &[Report]) -> Vec<u8> {
    let giving_up = giving_up(peer);
    let mut out = Vec::new();
    for (fate, report) in fates.iter().zip(reports) {
        match fate {
            Fate::Accepted => push(&mut out, b'r', b""),
            Fate::Refused => {
                let letter = match report.outcome {
                    Outcome::Failure => b'h',
                    Outcome::Success | Outcome::Deferral => b's',
                };
                // It is the message's report that says so.
                let text = report.text.strip_suffix(giving_up.as_bytes());
                push(&mut out, letter, text.unwrap_or(&report.text));
            }
            // Whoever reads counts the reports, so none may follow that is missing here. What it
            // would have said is said again when the message is tried again.
            _ => break,
        }
    }
    let mut whole = fates.iter().zip(reports);
    match whole.find(|(fate, _)| **fate != Fate::Refused) {
        Some((_, report)) => push(&mut out, report.outcome.letter(), &report.text),
        None => push(&mut out, b'D', giving_up.as_bytes()),
    }
    out
}

/// A NUL ends a report, so none may stand in it.
fn push(out: &mut Vec<u8>, letter: u8, text: &[u8]) {
    out.push(letter);
    out.extend(text.iter().map(|&byte| if byte == 0 { b'?' } else { byte }));
    out.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use Fate::{Accepted, Refused, Unanswered};

    #[test]
    fn recipients_come_first_and_the_message_last() {
        let taken = || Report::success("1.2.3.4 accepted message.\n");
        let died = || Report::deferral("Connected to 1.2.3.4 but connection died. (#4.4.2)\n");
        let refused = || Report::failure("1.2.3.4 does not like recipient.\n");
        let later = || Report::deferral("1.2.3.4 does not like recipient.\n");
        let gave_up = |report: Report| {
            let text = [&*report.text, b"Giving up on 1.2.3.4.\n"].concat();
            Report::new(report.outcome, text)
        };
        let k = "K1.2.3.4 accepted message.\n|";
        let z = "ZConnected to 1.2.3.4 but connection died. (#4.4.2)\n|";
        let (h, s) = (
            "h1.2.3.4 does not like recipient.\n|",
            "s1.2.3.4 does not like recipient.\n|",
        );
        let give_up = "DGiving up on 1.2.3.4.\n|";
        let rows: [(&str, &[Fate], Vec<Report>, String); 6] = [
            (
                "all taken",
                &[Accepted, Accepted],
                vec![taken(), taken()],
                format!("r|r|{k}"),
            ),
            (
                "one refused",
                &[Refused, Accepted],
                vec![refused(), taken()],
                format!("{h}r|{k}"),
            ),
            (
                "all refused",
                &[Refused, Refused],
                vec![gave_up(refused()), gave_up(later())],
                format!("{h}{s}{give_up}"),
            ),
            (
                "died at MAIL",
                &[Unanswered, Unanswered],
                vec![died(), died()],
                z.to_owned(),
            ),
            (
                "died among RCPT",
                &[Accepted, Refused, Unanswered],
                vec![died(), refused(), died()],
                format!("r|{h}{z}"),
            ),
            (
                "nothing behind a gap",
                &[Unanswered, Refused],
                vec![died(), refused()],
                z.to_owned(),
            ),
        ];
        for (name, fates, reports, want) in rows {
            let said = of_all("1.2.3.4", fates, &reports);
            let said = String::from_utf8(said).unwrap().replace('\0', "|");
            assert_eq!(said, want, "{name}");
        }
    }

    #[test]
    fn a_nul_from_afar_ends_no_report() {
        assert_eq!(of_message(&Report::deferral("a\0Kb")), b"Za?Kb\0");
    }
}
