//! Who a message is from and to (spec §11.1 to §11.3).

use super::{injected, run, settings};
use mta_core::inject::{InjectError, RecipientsFrom, Settings};

const MESSAGE: &str = "To: a@b.c, d@e.f\nSubject: x\nCc: g@h.i\nBcc: j@k.l\nApparently-To: m@n.o\n";

fn from(source: RecipientsFrom) -> Settings {
    let mut settings = settings(&[]);
    settings.recipients = source;
    settings
}

#[test]
fn recipients_come_from_where_the_option_says() {
    let header = "d@e.f a@b.c g@h.i j@k.l m@n.o";
    let rows = [
        (
            "-A with arguments",
            RecipientsFrom::ArgumentsElseHeader,
            vec!["p@q.r", "s@t.u"],
            "p@q.r s@t.u".to_owned(),
        ),
        (
            "-A without",
            RecipientsFrom::ArgumentsElseHeader,
            vec![],
            header.to_owned(),
        ),
        (
            "-a with arguments",
            RecipientsFrom::Arguments,
            vec!["p@q.r"],
            "p@q.r".to_owned(),
        ),
        (
            "-a without",
            RecipientsFrom::Arguments,
            vec![],
            String::new(),
        ),
        (
            "-h",
            RecipientsFrom::Header,
            vec!["p@q.r", "no such@ho st"],
            header.to_owned(),
        ),
        (
            "-H",
            RecipientsFrom::Both,
            vec!["p@q.r"],
            format!("p@q.r {header}"),
        ),
        (
            "-H without arguments",
            RecipientsFrom::Both,
            vec![],
            header.to_owned(),
        ),
    ];
    for (name, source, arguments, want) in rows {
        let (_, envelope) = injected(from(source), &arguments, MESSAGE);
        let want = format!("joe@mail.example.com to {want}");
        assert_eq!(envelope, want.trim_end(), "{name}");
    }
}

#[test]
fn bcc_goes_and_apparently_to_stays() {
    let (text, _) = injected(settings(&[]), &[], MESSAGE);
    assert!(
        !text.contains("j@k.l") && text.contains("\nApparently-To: m@n.o\n"),
        "{text}"
    );
}

#[test]
fn any_resent_field_makes_a_message_resent() {
    // name, field, recipients
    let rows = [
        ("sender", "Resent-Sender: r@r.r", ""),
        ("from", "Resent-From: r@r.r", ""),
        ("reply-to", "Resent-Reply-To: r@r.r", ""),
        ("to", "Resent-To: r@r.r, s@s.s", "s@s.s r@r.r"),
        ("cc", "Resent-Cc: r@r.r", "r@r.r"),
        ("bcc", "resent-bcc : r@r.r", "r@r.r"),
        ("date", "Resent-Date: x", ""),
        ("message-id", "Resent-Message-ID: x", ""),
    ];
    for (name, field, want) in rows {
        let (text, envelope) = injected(settings(&[]), &[], &format!("To: a@b.c\n{field}\n"));
        assert_eq!(
            envelope,
            format!("joe@mail.example.com to {want}").trim_end(),
            "{name}"
        );
        assert!(text.starts_with("Resent-"), "{name}: {text}");
        assert!(!text.contains("esent-bcc"), "{name}: {text}");
        assert!(!text.contains("\nDate:"), "{name}: {text}");
    }
    let not = injected(settings(&[]), &[], "To: a@b.c\nResent-Subject: x\n");
    assert_eq!(not.1, "joe@mail.example.com to a@b.c");
}

const BROKEN: &str = "To: a@b.c, (, d@e.f\n";

#[test]
fn a_broken_recipient_field_that_counts_refuses_the_message() {
    let resent = format!("Resent-{BROKEN}");
    let rows: [(_, _, &[&str], &str); 4] = [
        ("-h", RecipientsFrom::Header, &[], BROKEN),
        ("-H", RecipientsFrom::Both, &["x@y.z"], BROKEN),
        ("-A", RecipientsFrom::ArgumentsElseHeader, &[], BROKEN),
        ("Resent-To", RecipientsFrom::Header, &[], &resent),
    ];
    for (name, source, arguments, message) in rows {
        let error = run(from(source), arguments, &[message.as_bytes()]).unwrap_err();
        assert_eq!(error, InjectError::UnparsableLine(message.into()), "{name}");
    }
}

#[test]
fn a_broken_recipient_field_that_does_not_count_passes_and_names_nobody() {
    let both = format!("{BROKEN}Resent-To: g@h.i\n");
    let resent = format!("Resent-{BROKEN}");
    let rows: [(_, _, &[&str], &str, &str); 4] = [
        (
            "-A",
            RecipientsFrom::ArgumentsElseHeader,
            &["x@y.z"],
            BROKEN,
            "x@y.z",
        ),
        ("-a", RecipientsFrom::Arguments, &["x@y.z"], BROKEN, "x@y.z"),
        (
            "To of a resent message",
            RecipientsFrom::Header,
            &[],
            &both,
            "g@h.i",
        ),
        (
            "Resent-To",
            RecipientsFrom::Arguments,
            &["x@y.z"],
            &resent,
            "x@y.z",
        ),
    ];
    for (name, source, arguments, message, want) in rows {
        let (text, envelope) = injected(from(source), arguments, message);
        assert!(text.ends_with(message), "{name}: {text}");
        assert_eq!(
            envelope,
            format!("joe@mail.example.com to {want}"),
            "{name}"
        );
    }
}

#[test]
fn a_broken_bcc_is_taken_out_as_well() {
    let hidden = "Bcc: secret@b.c (\n";
    let (text, _) = injected(from(RecipientsFrom::Arguments), &[], hidden);
    assert!(
        !text.contains("secret"),
        "a broken Bcc is taken out as well: {text}"
    );
}

#[test]
fn a_broken_field_with_other_addresses_refuses_the_message() {
    for name in [
        "Sender",
        "From",
        "Reply-To",
        "Return-Receipt-To",
        "Errors-To",
        "Return-Path",
        "Resent-Sender",
        "Resent-From",
        "Resent-Reply-To",
    ] {
        let line = format!("{name}: a <b\n");
        let error = run(from(RecipientsFrom::Arguments), &[], &[line.as_bytes()]).unwrap_err();
        assert_eq!(
            error,
            InjectError::UnparsableLine(line.into_bytes()),
            "{name}"
        );
    }
}

#[test]
fn a_nul_where_addresses_stand_refuses_the_message_and_passes_elsewhere() {
    let error = run(settings(&[]), &[], &[b"To: a\0b@c.d\n"]).unwrap_err();
    assert_eq!(
        error.stderr(),
        "qmail-inject: fatal: invalid header field: To: a?b@c.d\n"
    );
    let (_, text) = run(settings(&[]), &["x@y.z"], &[b"Subject: a\0b\n\n\0\n"]).unwrap();
    assert!(text.ends_with(b"Subject: a\0b\n\n\0\n"));
}

const PATH: &str = "Return-Path: <r@s.t>\n";
const TWO_PATHS: &str = "Return-Path: <a@b.c>\nReturn-Path: <r@s.t>\n";

type Sender = (
    &'static str,
    &'static [(&'static str, &'static str)],
    Option<&'static str>,
    &'static str,
    &'static str,
);

/// Name, environment, `-f`, header, sender.
const SENDERS: &[Sender] = &[
    (
        "from the environment",
        &[],
        None,
        "",
        "joe@mail.example.com",
    ),
    ("-f", &[], Some("f@g"), "", "f@g.example.com"),
    (
        "-f without a host",
        &[],
        Some("f"),
        "",
        "f@mail.example.com",
    ),
    ("-f with a route", &[], Some("@a:f@g.h"), "", "f@g.h"),
    ("-f and nothing", &[], Some(""), "", ""),
    ("-f with empty brackets", &[], Some("<>"), "", ""),
    ("-f of a double bounce", &[], Some("#@[]"), "", "#@[]"),
    (
        "-f goes before Return-Path",
        &[],
        Some("f@g.h"),
        PATH,
        "f@g.h",
    ),
    ("Return-Path", &[], None, PATH, "r@s.t"),
    (
        "Return-Path is completed",
        &[],
        None,
        "Return-Path: r\n",
        "r@mail.example.com",
    ),
    ("the null Return-Path", &[], None, "Return-Path: <>\n", ""),
    (
        "the first of two Return-Paths",
        &[],
        None,
        TWO_PATHS,
        "a@b.c",
    ),
    (
        "a Return-Path without address",
        &[],
        None,
        "Return-Path: (x)\n",
        "joe@mail.example.com",
    ),
    (
        "s",
        &[("QMAILINJECT", "s")],
        None,
        PATH,
        "joe@mail.example.com",
    ),
    (
        "r",
        &[("QMAILINJECT", "r")],
        None,
        "",
        "joe-@mail.example.com-@[]",
    ),
    (
        "r with Return-Path",
        &[("QMAILINJECT", "r")],
        None,
        PATH,
        "r@s.t-@[]",
    ),
    (
        "r with a null Return-Path",
        &[("QMAILINJECT", "r")],
        None,
        "Return-Path: <>\n",
        "",
    ),
    (
        "r with -f",
        &[("QMAILINJECT", "r")],
        Some("f@g.h"),
        "",
        "f@g.h",
    ),
    (
        "m",
        &[("QMAILINJECT", "m")],
        None,
        "",
        "joe-1767413106.42@mail.example.com",
    ),
    (
        "m and r",
        &[("QMAILINJECT", "mr")],
        None,
        "",
        "joe-1767413106.42-@mail.example.com-@[]",
    ),
    (
        "QMAILSUSER and QMAILSHOST",
        &[("QMAILSUSER", "a b"), ("QMAILSHOST", "box")],
        None,
        "",
        "a b@box.example.com",
    ),
];

#[test]
fn the_sender_is_given_or_returned_to_or_made() {
    for (name, set, given, header, want) in SENDERS {
        let mut settings = settings(set);
        settings.sender = given.map(|text| text.as_bytes().to_vec());
        let (text, envelope) = injected(settings, &["x@y.z"], &format!("{header}To: a@b.c\n"));
        assert_eq!(envelope, format!("{want} to x@y.z"), "{name}");
        assert!(!text.contains("Return-Path"), "{name}");
    }
}

#[test]
fn a_message_may_have_no_recipients() {
    let (text, envelope) = injected(settings(&[]), &[], "Subject: x\n\nbody\n");
    assert_eq!(envelope, "joe@mail.example.com to");
    assert!(text.contains("\nCc: recipient list not shown: ;\n"));
}
