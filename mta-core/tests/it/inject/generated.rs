//! What is added, removed and left alone (spec §11.2, §11.3).

use super::{FROM, STAMP, environment, hosts, injected, rewritten, run, settings};
use mta_core::control::HostSet;
use mta_core::inject::{DateForm, Environment, Hosts, InjectError};

#[test]
fn missing_fields_are_added_at_the_top() {
    let nobody = "Cc: recipient list not shown: ;\n";
    let resent_stamp = STAMP
        .replace("Date", "Resent-Date")
        .replace("Message", "Resent-Message");
    let resent = format!("{resent_stamp}Resent-{FROM}");
    // name, header, header afterwards
    let rows = [
        ("an empty message", "", format!("{STAMP}{FROM}{nobody}")),
        (
            "To is enough",
            "To: a@b.c\n",
            format!("{STAMP}{FROM}To: a@b.c\n"),
        ),
        (
            "Cc is enough",
            "Cc: a@b.c\n",
            format!("{STAMP}{FROM}Cc: a@b.c\n"),
        ),
        (
            "Bcc is not",
            "Bcc: a@b.c\n",
            format!("{STAMP}{FROM}{nobody}"),
        ),
        (
            "Apparently-To is not",
            "Apparently-To: a@b.c\n",
            format!("{STAMP}{FROM}{nobody}Apparently-To: a@b.c\n"),
        ),
        (
            "all there",
            "date: x\nmessage-id: y\nfrom: a@b.c\nto: a@b.c\n",
            "date: x\nmessage-id: y\nfrom: a@b.c\nto: a@b.c\n".to_owned(),
        ),
        (
            "resent",
            "Resent-To: a@b.c\n",
            format!("{resent}Resent-To: a@b.c\n"),
        ),
        (
            "resent to nobody shown",
            "Resent-Bcc: a@b.c\nTo: d@e.f\n",
            format!("{resent}Resent-{nobody}To: d@e.f\n"),
        ),
        (
            "resent with all",
            "Resent-Date: x\nResent-Message-ID: y\nResent-From: a@b.c\nResent-Cc: a@b.c\n",
            "Resent-Date: x\nResent-Message-ID: y\nResent-From: a@b.c\nResent-Cc: a@b.c\n"
                .to_owned(),
        ),
    ];
    for (name, before, after) in rows {
        let (text, _) = injected(settings(&[]), &[], before);
        assert_eq!(text, after, "{name}");
    }
}

#[test]
fn each_field_gets_what_the_table_says() {
    // name of the field, body, field afterwards, recipients
    let kept = "a@b.example.com";
    for name in [
        "Sender",
        "From",
        "Reply-To",
        "Return-Receipt-To",
        "Errors-To",
    ] {
        let (field, recipients) = rewritten(&format!("{name}: a@b"));
        assert_eq!(
            (field, recipients),
            (format!("{name}: {kept}\n"), String::new())
        );
    }
    for name in ["To", "Cc", "Apparently-To"] {
        let (field, recipients) = rewritten(&format!("{name}: a@b"));
        assert_eq!(
            (field, recipients),
            (format!("{name}: {kept}\n"), kept.to_owned())
        );
    }
    for name in [
        "Resent-Sender",
        "Resent-From",
        "Resent-Reply-To",
        "Resent-To",
        "Resent-Cc",
    ] {
        let (text, _) = injected(settings(&[]), &[], &format!("{name}: a@b\n"));
        assert!(text.ends_with(&format!("{name}: {kept}\n")), "{text}");
    }
    for name in ["Bcc", "Content-Length", "Return-Path"] {
        assert_eq!(rewritten(&format!("{name}: 5")).0, "", "{name} is deleted");
    }
    for field in [
        "Subject: a@b,  (c",
        "Received: from a@b",
        "X-To: a@b",
        "Delivered-To: a@b",
        "Mail-Followup-To: a@b",
        "Notice-Requested-Upon-Delivery-To: a@b",
        "Content-Type: a;\n\tb=c",
        "Tø: a@b",
    ] {
        let want = format!("{field}\n");
        if field.is_ascii() {
            assert_eq!(rewritten(field).0, want, "copied");
        }
    }
    assert_eq!(rewritten("tO \t: a@b").0, "tO: a@b.example.com\n");
}

type Person = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

/// Name, environment, From.
const PERSONS: &[Person] = &[
    ("USER", &[], "joe@mail.example.com"),
    (
        "QMAILUSER first",
        &[("QMAILUSER", "q"), ("MAILUSER", "m")],
        "q@mail.example.com",
    ),
    (
        "MAILUSER next",
        &[("MAILUSER", "m"), ("LOGNAME", "l")],
        "m@mail.example.com",
    ),
    (
        "USER before LOGNAME",
        &[("LOGNAME", "l")],
        "joe@mail.example.com",
    ),
    (
        "QMAILHOST first",
        &[("QMAILHOST", "q.h"), ("MAILHOST", "m.h")],
        "joe@q.h",
    ),
    ("MAILHOST next", &[("MAILHOST", "m")], "joe@m.example.com"),
    (
        "an empty MAILHOST",
        &[("MAILHOST", "")],
        "joe@mail.example.com",
    ),
    (
        "QMAILNAME first",
        &[("QMAILNAME", "Q"), ("MAILNAME", "M"), ("NAME", "N")],
        "\"Q\" <joe@mail.example.com>",
    ),
    (
        "MAILNAME next",
        &[("MAILNAME", "M"), ("NAME", "N")],
        "\"M\" <joe@mail.example.com>",
    ),
    (
        "NAME last",
        &[("NAME", "Joe Doe")],
        "\"Joe Doe\" <joe@mail.example.com>",
    ),
    ("an empty name", &[("NAME", "")], "joe@mail.example.com"),
    (
        "a name with quotes",
        &[("NAME", "J \"x\" \\")],
        "\"J \\\"x\\\" \\\\\" <joe@mail.example.com>",
    ),
    (
        "c",
        &[("NAME", "Joe"), ("QMAILINJECT", "c")],
        "joe@mail.example.com (Joe)",
    ),
    (
        "c with parentheses",
        &[("NAME", "J (x"), ("QMAILINJECT", "c")],
        "joe@mail.example.com (J \\(x)",
    ),
    (
        "c without a name",
        &[("QMAILINJECT", "c")],
        "joe@mail.example.com",
    ),
    (
        "a user with a dot",
        &[("USER", "joe.doe")],
        "joe.doe@mail.example.com",
    ),
    (
        "a user that needs quotes",
        &[("USER", "joe doe")],
        "\"joe doe\"@mail.example.com",
    ),
    (
        "a user with an at sign",
        &[("USER", "joe@x")],
        "\"joe@x\"@mail.example.com",
    ),
    (
        "the sender's names do not matter",
        &[("QMAILSUSER", "s"), ("QMAILSHOST", "s.h")],
        "joe@mail.example.com",
    ),
    (
        "a name that forges a field",
        &[("NAME", "x\nBcc: y\r")],
        "\"x Bcc: y \" <joe@mail.example.com>",
    ),
    (
        "a user that forges a field",
        &[("USER", "x\nBcc: y")],
        "\"x_Bcc: y\"@mail.example.com",
    ),
];

#[test]
fn from_names_the_person_that_the_environment_names() {
    for (name, set, want) in PERSONS {
        let (text, _) = injected(settings(set), &[], "To: a@b.c\n");
        assert_eq!(text, format!("{STAMP}From: {want}\nTo: a@b.c\n"), "{name}");
    }
    let nobody =
        mta_core::inject::Settings::new(hosts(), Environment::default(), super::NOW, super::PID);
    let (text, _) = injected(nobody, &[], "To: a@b.c\n");
    assert!(text.contains("From: anonymous@mail.example.com\n"));
}

#[test]
fn a_host_in_the_environment_that_is_none_refuses_the_message() {
    let error = run(
        settings(&[("MAILHOST", "a b")]),
        &[],
        &[b"From: x\nTo: y\n"],
    )
    .unwrap_err();
    assert_eq!(
        error,
        InjectError::UnparsableLine(b"Return-Path: joe@a b".to_vec())
    );
}

#[test]
fn letters_replace_incoming_fields() {
    let message = "From: x@y.z\nMessage-ID: <old>\nTo: a@b.c\n";
    // name, letters, what is left of the message, what is new
    let date = "Date: 3 Jan 2026 04:05:06 -0000\n";
    let id = "Message-ID: <20260103040506.42.qmail@id.example.com>\n";
    let rows = [
        ("none", "", format!("{date}{message}")),
        (
            "f",
            "f",
            format!("{date}{FROM}Message-ID: <old>\nTo: a@b.c\n"),
        ),
        ("i", "i", format!("{date}{id}From: x@y.z\nTo: a@b.c\n")),
        ("both", "if", format!("{STAMP}{FROM}To: a@b.c\n")),
        ("unknown ones", "xyz", format!("{date}{message}")),
    ];
    for (name, letters, want) in rows {
        let (text, _) = injected(settings(&[("QMAILINJECT", letters)]), &[], message);
        assert_eq!(text, want, "{name}");
    }
}

#[test]
fn the_environments_hosts_go_before_the_files() {
    let set = [
        ("QMAILDEFAULTHOST", "dh"),
        ("QMAILDEFAULTDOMAIN", "dd.example"),
        ("QMAILPLUSDOMAIN", "pd.example"),
        ("QMAILIDHOST", "id\n.example"),
    ];
    let (text, envelope) = injected(settings(&set), &[], "To: a, b@c, d@e+\n");
    assert!(
        text.contains("To: a@dh.dd.example, b@c.dd.example, d@e.pd.example\n"),
        "{text}"
    );
    assert!(text.contains(".qmail@id.example>\n"), "{text}");
    assert!(envelope.starts_with("joe@dh.dd.example to "), "{envelope}");
}

#[test]
fn hosts_default_to_me_and_then_to_their_own_names() {
    let read = |files: &'static [(&'static str, &'static str)]| {
        let load = |name: &str| {
            let found = files.iter().find(|(file, _)| *file == name);
            Ok::<_, ()>(found.map(|(_, text)| text.as_bytes().to_vec()))
        };
        let h = Hosts::load(load).unwrap();
        [h.defaulthost, h.defaultdomain, h.plusdomain, h.idhost]
            .map(|h| String::from_utf8(h).unwrap())
    };
    assert_eq!(
        read(&[]),
        ["defaulthost", "defaultdomain", "plusdomain", "idhost"]
    );
    assert_eq!(
        read(&[("me", "m \nx"), ("plusdomain", "p\n"), ("idhost", "")]),
        ["m", "m", "p", ""]
    );
    assert!(Hosts::load(|file| if file == "idhost" { Err(1) } else { Ok(None) }).is_err());
    let bare = mta_core::inject::Settings::new(Hosts::default(), environment(&[]), super::NOW, 1);
    let (text, envelope) = injected(bare, &[], "To: u\n");
    assert_eq!(
        envelope,
        "anonymous@defaulthost.defaultdomain to u@defaulthost.defaultdomain"
    );
    assert!(text.contains(".1.qmail@idhost>\n"));
}

#[test]
fn dates_are_in_local_time_where_asked() {
    let mut settings = settings(&[]);
    settings.date = DateForm::Local { east: 60 };
    let (text, _) = injected(settings, &[], "To: a@b.c\n");
    assert!(
        text.starts_with("Date: Sat, 3 Jan 2026 05:05:06 +0100\n"),
        "{text}"
    );
    assert!(
        text.contains("<20260103040506.42.qmail@"),
        "Message-ID stays in UTC: {text}"
    );
}

#[test]
fn mail_to_a_list_says_where_follow_ups_go() {
    let message = "To: a@b.c, LIST@l.example\nBcc: h@i.j\nCc: \"d d\"@e.f, <>\n";
    let added = "Mail-Followup-To: \"d d\"@e.f,\n  a@b.c,\n  LIST@l.example\n";
    // name, list file, message, whether the field is added
    let own = format!("{message}Mail-Followup-To: x\n");
    let resent = format!("{message}Resent-To: x\n");
    let bcc = message
        .replace("LIST", "x")
        .replace("h@i.j", "list@l.example");
    let rows = [
        ("a list", "list@L.example\n", message, true),
        ("no list", "other@l.example\n", message, false),
        ("no file", "", message, false),
        ("a field already", "list@l.example\n", &own, false),
        ("a resent message", "list@l.example\n", &resent, false),
        ("a list in Bcc", "list@l.example\n", &bcc, false),
    ];
    for (name, file, message, want) in rows {
        let mut settings = settings(&[]);
        settings.lists = HostSet::parse(file.as_bytes());
        let (text, _) = injected(settings, &[], message);
        assert_eq!(text.contains(added), want, "{name}: {text}");
        let made = text.contains("Mail-Followup-To: \"");
        assert_eq!(made, want, "{name}");
        if want {
            assert!(
                text.starts_with(&format!("{STAMP}{FROM}{added}To: ")),
                "{name}: {text}"
            );
        }
    }
}
