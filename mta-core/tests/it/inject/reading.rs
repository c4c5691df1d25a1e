//! Where a header ends, and what it may cost (spec §11.1).

use super::{FROM, STAMP, injected, run, settings};
use mta_core::inject::{InjectError, MAX_NAME};

/// Name, message, message afterwards without what is generated.
const ENDS: &[(&str, &str, &str)] = &[
    ("empty line", "To: a@b.c\n\nbody\n", "To: a@b.c\n\nbody\n"),
    (
        "CR LF as the empty line",
        "To: a@b.c\n\r\nbody\r\n",
        "To: a@b.c\n\r\nbody\r\n",
    ),
    ("header only", "To: a@b.c\n", "To: a@b.c\n"),
    ("header only, without LF", "To: a@b.c", "To: a@b.c\n"),
    ("empty line only, no body", "To: a@b.c\n\n", "To: a@b.c\n\n"),
    (
        "a body without LF",
        "To: a@b.c\n\nbody",
        "To: a@b.c\n\nbody\n",
    ),
    (
        "no empty line",
        "To: a@b.c\nHello world\nX: y\n",
        "To: a@b.c\n\nHello world\nX: y\n",
    ),
    (
        "no empty line, no LF",
        "To: a@b.c\nHello",
        "To: a@b.c\n\nHello\n",
    ),
    (
        "a colon without a name",
        "To: a@b.c\n: x\n",
        "To: a@b.c\n\n: x\n",
    ),
    (
        "a blank name",
        "To: a@b.c\nX y: x\n",
        "To: a@b.c\n\nX y: x\n",
    ),
    (
        "a name beyond ASCII",
        "To: a@b.c\nTø: x\n",
        "To: a@b.c\n\nTø: x\n",
    ),
    (
        "blanks before the colon",
        "To: a@b.c\nX \t : y\n",
        "To: a@b.c\nX \t : y\n",
    ),
    (
        "a CR before text",
        "To: a@b.c\n\rX: y\n",
        "To: a@b.c\n\n\rX: y\n",
    ),
    (
        "continuation lines",
        "To: a@b.c\nX: y\n z\n\tw\n \nV: u\n",
        "To: a@b.c\nX: y\n z\n\tw\n \nV: u\n",
    ),
    (
        "From_ lines",
        "From a@b Sat\nTo: a@b.c\nFrom x\n",
        "MBOX-Line: From a@b Sat\nTo: a@b.c\nMBOX-Line: From x\n",
    ),
    (
        "a continued From_ line",
        "To: a@b.c\nFrom x\n y\n",
        "To: a@b.c\nMBOX-Line: From x\n y\n",
    ),
    (
        "Fromage",
        "To: a@b.c\nFromage: x\n",
        "To: a@b.c\nFromage: x\n",
    ),
    ("From alone", "To: a@b.c\nFrom\n", "To: a@b.c\n\nFrom\n"),
];

#[test]
fn the_header_ends_where_a_line_is_no_field() {
    for (name, before, after) in ENDS {
        let (text, _) = injected(settings(&[]), &[], before);
        assert_eq!(text, format!("{STAMP}{FROM}{after}"), "{name}");
    }
}

#[test]
fn a_name_is_at_most_a_line_long() {
    let name = "x".repeat(MAX_NAME);
    let longest = format!("To: a@b.c\n{name}: y\n");
    let (text, _) = injected(settings(&[]), &[], &longest);
    assert_eq!(text, format!("{STAMP}{FROM}{longest}"));
    let longer = format!("x{name}: y\n");
    let (text, _) = injected(settings(&[]), &[], &format!("To: a@b.c\n{longer}"));
    assert_eq!(text, format!("{STAMP}{FROM}To: a@b.c\n\n{longer}"));
}

#[test]
fn a_message_without_a_header_gets_one() {
    let nobody = "Cc: recipient list not shown: ;\n";
    // name, message, what follows the generated fields
    let rows = [
        ("nothing", "", ""),
        ("an empty line", "\n", "\n"),
        ("text", "Hello\n", "\nHello\n"),
        ("text after an empty line", "\nHello\n", "\nHello\n"),
        ("a blank first", " X: y\n", "\n X: y\n"),
        ("a CR", "\r", "\r\n"),
    ];
    for (name, before, after) in rows {
        let (text, _) = injected(settings(&[]), &["a@b.c"], before);
        assert_eq!(text, format!("{STAMP}{FROM}{nobody}{after}"), "{name}");
    }
}

#[test]
fn limits_are_limits() {
    let limited = |header, field, addresses| {
        let mut settings = settings(&[]);
        settings.limits.header = header;
        settings.limits.field = field;
        settings.limits.addresses = addresses;
        settings
    };
    let message = b"To: a, b\nX: 3456789\nSubject: 0\n\nbody that does not count\n".as_slice();
    let too_long = |limit| Some(InjectError::HeaderTooLong { limit });
    let too_many = |limit| Some(InjectError::TooManyAddresses { limit });
    let rows = [
        ("just fits", limited(31, 11, 2), None),
        ("header", limited(30, 11, 2), too_long(30)),
        ("field", limited(31, 10, 2), too_long(10)),
        ("addresses", limited(31, 11, 1), too_many(1)),
    ];
    for (name, settings, want) in rows {
        let got = run(settings, &[], &[message]);
        assert_eq!(got.err(), want, "{name}");
    }
    let arguments = run(limited(100, 100, 2), &["a", "b", "c"], &[]);
    assert_eq!(arguments.err(), too_many(2));
    // Addresses that are no recipients count as well, for completing them makes them longer.
    let reply = run(limited(100, 100, 2), &["a"], &[b"Reply-To: a,b\n"]);
    assert_eq!(reply.err(), too_many(2));
    assert_eq!(
        too_long(5).unwrap().to_string(),
        "header longer than 5 bytes"
    );
}

#[test]
fn a_million_bytes_without_a_line_end_are_text() {
    let text = vec![b'x'; 1_000_000];
    let (injection, message) = run(settings(&[]), &["a@b.c"], &[&text]).unwrap();
    assert!(injection.head.len() < 2000);
    assert!(message.ends_with(b"xx\n") && message.len() > 1_000_000);
}
