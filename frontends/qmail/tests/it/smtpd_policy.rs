//! Whom qmail-smtpd takes mail for and from: control files and variables (spec §8.3, §8.4, §8.6, §8.7).

use crate::smtpd::{host, says, session};

/// Names and values.
type Pairs = &'static [(&'static str, &'static str)];

/// What the reply to the last recipient is.
fn rcpt(files: &[(&str, &str)], variables: &[(&str, &str)], lines: &[&str]) -> String {
    let home = host();
    for (file, text) in files {
        home.write(&format!("control/{file}"), text);
    }
    let mut run = home.run("qmail-smtpd");
    for (name, value) in variables {
        run = run.env(name, value);
    }
    let got = session(run, &[lines, &["QUIT"]].concat());
    let replies: Vec<&str> = got.out.lines().collect();
    replies.iter().rev().nth(1).unwrap().to_string()
}

#[test]
fn recipients_are_judged_by_rcpthosts_and_relayclient() {
    let refused = "553 5.7.1 sorry, that domain isn't in my list of allowed rcpthosts";
    let ok = "250 2.1.5 ok";
    let rows: [(&str, Pairs, Pairs, &str, &str); 9] = [
        ("listed", &[], &[], "ann@EXAMPLE.org", ok),
        ("not listed", &[], &[], "ann@far.example", refused),
        (
            "suffix",
            &[("rcpthosts", ".far.example\n")],
            &[],
            "ann@a.far.example",
            ok,
        ),
        (
            "suffix itself",
            &[("rcpthosts", ".far.example\n")],
            &[],
            "ann@far.example",
            refused,
        ),
        (
            "relay client",
            &[],
            &[("RELAYCLIENT", "")],
            "ann@far.example",
            ok,
        ),
        (
            "percent",
            &[],
            &[],
            "ann%far.example@example.org",
            "553 5.7.1 we don't relay",
        ),
        (
            "percent of a relay client",
            &[],
            &[("RELAYCLIENT", "")],
            "a%b@far.example",
            "553 5.7.1 we don't relay",
        ),
        ("postmaster", &[], &[], "postmaster", ok),
        (
            "no host",
            &[("envnoathost", "far.example\n")],
            &[],
            "ann",
            refused,
        ),
    ];
    for (name, files, variables, to, want) in rows {
        let to = format!("RCPT TO:<{to}>");
        assert_eq!(
            rcpt(files, variables, &["MAIL FROM:<joe@b.example>", &to]),
            want,
            "{name}"
        );
    }
}

#[test]
fn a_missing_rcpthosts_opens_no_relay_unless_told_to() {
    let home = host();
    std::fs::remove_file(home.at("control/rcpthosts")).unwrap();
    let lines = [
        "MAIL FROM:<>",
        "RCPT TO:<a@far.example>",
        "RCPT TO:<a@example.org>",
        "QUIT",
    ];
    let got = says(&home, &lines);
    assert!(
        got.out.contains("\r\n553 5.7.1 ") && got.out.contains("\r\n250 2.1.5 ok"),
        "{}",
        got.out
    );
    let got = session(
        home.run("qmail-smtpd").env("MISSINGRCPTHOSTS", "anything"),
        &lines,
    );
    assert_eq!(got.out.matches("250 2.1.5 ok").count(), 2, "{}", got.out);
}

#[test]
fn the_bad_lists_refuse_and_say_so_in_the_log() {
    let lines = [
        "HELO evil.example",
        "MAIL FROM:<joe@evil.example>",
        "RCPT TO:<ann@example.org>",
    ];
    let denied = |what: &str| format!("553 5.7.1 sorry, your {what} has been denied");
    let rows: [(&str, Pairs, String); 6] = [
        ("badhelo", &[], denied("HELO host name")),
        ("badhelo", &[("NOBADHELO", "")], "250 2.1.5 ok".to_owned()),
        ("badmailfrom", &[], denied("envelope sender")),
        ("badmailfromnorelay", &[], denied("envelope sender")),
        (
            "badmailfromnorelay",
            &[("RELAYCLIENT", "")],
            "250 2.1.5 ok".to_owned(),
        ),
        ("badmailto", &[], "250 2.1.5 ok".to_owned()),
    ];
    for (file, variables, want) in rows {
        assert_eq!(
            rcpt(&[(file, "evil\n")], variables, &lines),
            want,
            "{file} {variables:?}"
        );
    }
    assert_eq!(
        rcpt(&[("badmailto", "^ann@\n")], &[], &lines),
        denied("envelope recipient")
    );
    let literally = [("NOQREGEX", "")];
    let want = "553 5.7.1 sorry, your envelope sender is in my badmailfrom list";
    assert_eq!(
        rcpt(&[("badmailfrom", "@evil.example\n")], &literally, &lines),
        want
    );

    let home = host();
    home.write("control/badmailfrom", "evil\n");
    let got = session(
        home.run("qmail-smtpd").env("TCPREMOTEIP", "192.0.2.1"),
        &lines,
    );
    assert_eq!(
        got.err,
        "qmail-smtpd: badmailfrom: <joe@evil.example> at 192.0.2.1\n"
    );
}

#[test]
fn relayclient_is_appended_and_our_address_becomes_our_name() {
    let home = host();
    let run = home.run("qmail-smtpd").env("RELAYCLIENT", "@relay.example");
    session(
        run,
        &[
            "MAIL FROM:<joe@[127.0.0.1]>",
            "RCPT TO:<ann@[0.0.0.0]>",
            "DATA",
            "x",
            ".",
            "QUIT",
        ],
    );
    let (envelope, _) = home.queued().remove(0);
    let envelope = String::from_utf8(envelope).unwrap();
    let want = "Fjoe@mx.example.org\0Tann@mx.example.org@relay.example\0";
    assert!(envelope.ends_with(want), "{envelope}");
}

#[test]
fn morercpthosts_counts_where_rcpthosts_does_not() {
    let home = host();
    home.write("control/morercpthosts", "more.example\n");
    assert_eq!(home.run("qmail-newmrh").end().code, 0);
    let lines = ["MAIL FROM:<>", "RCPT TO:<a@more.example>", "QUIT"];
    assert!(says(&home, &lines).out.contains("250 2.1.5 ok"));
    home.write("control/morercpthosts.cdb", "damaged");
    let got = says(&home, &lines);
    assert!(
        got.out
            .contains("\r\n451 4.3.0 unable to read controls\r\n"),
        "{}",
        got.out
    );
}
