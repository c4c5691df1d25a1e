//! One end-of-data in means one message out (RFC 5321 §2.3.8, §4.1.1.4; CVE-2023-51764).

use super::config;
use crate::oracle::{self, Seen, Trace};
use mta_proto::smtp::server::{Config, LineEnds};
use std::sync::Arc;

/// What somebody might take for the end of a message.
const SEPARATORS: &[(&str, &str)] = &[
    ("LF dot LF", "\n.\n"),
    ("LF dot CRLF", "\n.\r\n"),
    ("CRLF dot LF", "\r\n.\n"),
    ("CR dot CR", "\r.\r"),
    ("CR dot CRLF", "\r.\r\n"),
    ("CR dot LF", "\r.\n"),
    ("CRLF dot CR", "\r\n.\r"),
    ("LF dot CR", "\n.\r"),
    ("CR CRLF dot CRLF", "\r\r\n.\r\r\n"),
    ("CRLF NUL dot CRLF", "\r\n\0.\r\n"),
    ("CRLF dot NUL CRLF", "\r\n.\0\r\n"),
];

fn dialogue(separator: &str) -> Vec<u8> {
    format!(
        "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n\
         Subject: one\r\n\r\nbody{separator}MAIL FROM:<evil@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n\
         Subject: two\r\n\r\nsmuggled\r\n.\r\nQUIT\r\n"
    )
    .into_bytes()
}

fn run(config: &Arc<Config>, separator: &str) -> Trace {
    let input = dialogue(separator);
    let whole = oracle::check(config, &input, &[2, 7]);
    for size in [1, 2, 3, 64] {
        let answering = oracle::Answering::AtOnce;
        let cut = oracle::run(config, &input, answering, &mut std::iter::repeat(size));
        assert_eq!(whole, cut, "pieces of {size}");
    }
    whole
}

fn mails(trace: &Trace) -> usize {
    let mails = trace
        .seen
        .iter()
        .filter(|seen| matches!(seen, Seen::Mail(..)));
    mails.count()
}

#[test]
fn no_separator_but_the_right_one_ends_a_message() {
    let config = config(|_| {});
    for (name, separator) in SEPARATORS {
        let trace = run(&config, separator);
        assert_eq!(mails(&trace), 1, "{name}");
        assert_eq!(trace.codes(), [220, 250, 250, 250, 354, 554, 221], "{name}");
        assert!(
            !trace.seen.iter().any(|seen| matches!(seen, Seen::End(_))),
            "{name}"
        );
    }
}

#[test]
fn normalising_takes_bare_line_ends_but_still_one_message() {
    let config = config(|config| config.line_ends = LineEnds::Normalise);
    for (name, separator) in SEPARATORS {
        let trace = run(&config, separator);
        assert_eq!(mails(&trace), 1, "{name}");
        // A NUL is refused in either mode.
        let last = if separator.contains('\0') { 554 } else { 250 };
        assert_eq!(
            trace.codes(),
            [220, 250, 250, 250, 354, last, 221],
            "{name}"
        );
    }
}

#[test]
fn the_right_separator_ends_a_message() {
    let trace = run(&config(|_| {}), "\r\n.\r\n");
    assert_eq!(mails(&trace), 2);
    assert_eq!(
        trace.codes(),
        [220, 250, 250, 250, 354, 250, 250, 250, 354, 250, 221]
    );
}
