//! Dialogues of the QMTP server (qmail-qmtpd(8)).

use super::oracle::{Qmtp, check};
use super::{lines, ns, qmtp};
use mta_proto::qmtp::server::{Config, Limits};
use std::sync::Arc;

fn config(change: impl FnOnce(&mut Limits)) -> Arc<Config> {
    let mut config = Config::default();
    change(&mut config.limits);
    Arc::new(config)
}

#[track_caller]
fn expect(name: &str, config: &Arc<Config>, input: &[u8], expected: &[&str]) {
    for cuts in [&[2][..], &[3, 1, 7], &[11, 2]] {
        let seen = check(|| Qmtp::new(config), input, cuts);
        assert_eq!(lines(&seen), expected, "{name}");
    }
}

#[test]
fn every_recipient_gets_an_answer_in_its_place() {
    let input = qmtp(
        "\nSubject: x\n\nhi\n",
        "joe@a",
        &["ann@b", "nobody@b", "later@b", "ann@b"],
    );
    expect(
        "one package",
        &config(|_| {}),
        &input,
        &[
            "connected",
            "message 15",
            "body Subject: x\\n\\nhi\\n",
            "sender <joe@a>",
            "rcpt <ann@b>",
            "rcpt <nobody@b>",
            "rcpt <later@b>",
            "rcpt <ann@b>",
            "end 15",
            "> 10:Kok 1 qp 2,22:Dno such user (#5.1.1),19:Ztry again (#4.7.1),10:Kok 1 qp 2,",
            "closed: the client hung up",
        ],
    );
}

#[test]
fn packages_follow_each_other_without_waiting() {
    let input = [
        qmtp("\none", "a@a", &["b@b"]),
        qmtp("\n", "full@a", &["b@b", "c@c"]),
        qmtp("\rthree\r\n", "", &["nobody@b"]),
        qmtp("\rfour\r\n", "", &["d@d"]),
    ]
    .concat();
    expect(
        "four packages",
        &config(|_| {}),
        &input,
        &[
            "connected",
            "message 3",
            "body one",
            "sender <a@a>",
            "rcpt <b@b>",
            "end 3",
            "> 10:Kok 1 qp 2,",
            "message 0",
            "sender <full@a>",
            "rcpt <b@b>",
            "rcpt <c@c>",
            "end 0",
            "> 19:Zdisk full (#4.3.0),19:Zdisk full (#4.3.0),",
            "message 7",
            "body three\\n",
            "sender <>",
            "rcpt <nobody@b>",
            "abort: no recipient was taken",
            "> 22:Dno such user (#5.1.1),",
            "message 6",
            "body four\\n",
            "sender <>",
            "rcpt <d@d>",
            "end 5",
            "> 10:Kok 1 qp 2,",
            "closed: the client hung up",
        ],
    );
}

#[test]
fn line_ends_are_decoded_as_the_first_byte_says() {
    let rows = [
        ("LF stays", "\na\r\nb\rc\n", "a\\r\\nb\\rc\\n"),
        ("CRLF becomes LF", "\ra\r\nb\r\n", "a\\nb\\n"),
        ("lone CR stays", "\ra\rb\r", "a\\rb\\r"),
        ("CR CR LF", "\r\r\r\n", "\\r\\n"),
        ("many", "\r\r\n\r\n\r\nx\r\n", "\\n\\n\\nx\\n"),
        ("lone LF stays", "\ra\nb", "a\\nb"),
        ("LF first", "\r\n\r\n", "\\n\\n"),
        ("CR last behind a line", "\ra\r\n\r", "a\\n\\r"),
        ("no partial line is completed", "\rabc", "abc"),
    ];
    for (name, message, body) in rows {
        let input = qmtp(message, "", &["b@b"]);
        for size in 1..input.len() {
            let seen = lines(&check(|| Qmtp::new(&config(|_| {})), &input, &[size]));
            assert_eq!(seen[2], format!("body {body}"), "{name}, {size}");
        }
    }
}

#[test]
fn a_message_beyond_the_limit_is_refused_and_the_next_is_taken() {
    let big = config(|limits| limits.message_size = 4);
    let taken = |body: &str, size: u64, announced: u64| {
        vec![
            format!("message {announced}"),
            format!("body {body}"),
            "sender <>".into(),
            "rcpt <b@b>".into(),
            format!("end {size}"),
            "> 10:Kok 1 qp 2,".into(),
        ]
    };
    let no = "> 61:Dsorry, that message size exceeds my databytes limit (#5.3.4),";
    let begun = |body: &str, announced: u64| {
        vec![
            format!("message {announced}"),
            format!("body {body}"),
            "abort: the message is larger than the limit".into(),
            no.into(),
        ]
    };
    let rows = [
        ("LF, at the limit", "\nabc\n", taken("abc\\n", 4, 4)),
        ("LF, beyond it", "\nabcd\n", vec![no.to_owned()]),
        (
            "CRLF, at it when decoded",
            "\rabc\r\n",
            taken("abc\\n", 4, 5),
        ),
        ("CRLF, beyond it", "\rabcd\r\n", begun("abcd", 6)),
        (
            "CRLF, far beyond it",
            "\r1\r\n2\r\n3\r\n",
            begun("1\\n2\\n", 9),
        ),
    ];
    for (name, message, expected) in rows {
        let input = [qmtp(message, "", &["b@b"]), qmtp("\nx", "", &["b@b"])].concat();
        let seen = lines(&check(|| Qmtp::new(&big), &input, &[3]));
        let mut all = vec!["connected".to_owned()];
        all.extend(expected);
        all.extend(taken("x", 1, 1));
        all.push("closed: the client hung up".into());
        assert_eq!(seen, all, "{name}");
    }
}

#[test]
fn addresses_that_cannot_be_taken_are_refused_each_for_itself() {
    let long = "x".repeat(1000);
    let longest = "x".repeat(999);
    let bad = "> 46:Dsorry, I can't handle that recipient (#5.1.3),10:Kok 1 qp 2,";
    for (name, wrong) in [("too long", &*long), ("NUL", "a\0b@c")] {
        let input = qmtp("\nx", "", &[wrong, "b@b"]);
        let seen = lines(&check(|| Qmtp::new(&config(|_| {})), &input, &[100]));
        assert_eq!(seen[4..7], ["rcpt <b@b>", "end 1", bad], "{name}");
        let input = qmtp("\nx", wrong, &["b@b", wrong]);
        let seen = lines(&check(|| Qmtp::new(&config(|_| {})), &input, &[100]));
        let refused =
            "> 29:Dunacceptable sender (#5.1.7),46:Dsorry, I can't handle that recipient (#5.1.3),";
        let expected = ["abort: the sender cannot be taken", refused];
        assert_eq!(seen[3..5], expected, "{name}");
    }
    let input = qmtp("\nx", &longest, &[&longest]);
    let seen = lines(&check(|| Qmtp::new(&config(|_| {})), &input, &[100]));
    assert_eq!(seen[5], "end 1", "999 bytes are taken");
}

#[test]
fn recipients_beyond_the_limit_are_told_to_come_later() {
    let few = config(|limits| limits.recipients = 2);
    let input = qmtp("\nx", "", &["a@a", "a\0", "c@c", "d\0"]);
    let seen = lines(&check(|| Qmtp::new(&few), &input, &[5]));
    let text = "too many recipients; send to the others in another message (#4.5.3)";
    let late = format!("{}:Z{text},", text.len() + 1);
    let bad = "46:Dsorry, I can't handle that recipient (#5.1.3),";
    assert_eq!(seen[6], format!("> 10:Kok 1 qp 2,{bad}{late}{late}"));
}

#[test]
fn a_package_without_recipients_has_no_answer() {
    let input = [qmtp("\nx", "", &[]), qmtp("\ny", "", &["b@b"])].concat();
    expect(
        "none",
        &config(|_| {}),
        &input,
        &[
            "connected",
            "message 1",
            "body x",
            "sender <>",
            "abort: no recipient was taken",
            "message 1",
            "body y",
            "sender <>",
            "rcpt <b@b>",
            "end 1",
            "> 10:Kok 1 qp 2,",
            "closed: the client hung up",
        ],
    );
}

#[test]
fn a_long_answer_is_cut_and_many_do_not_pile_up() {
    let small = config(|limits| {
        limits.response = 5;
        limits.output_high_water = 16;
        limits.recipients = 50;
    });
    let input = qmtp("\nx", "", &["b@b"; 100]);
    let seen = lines(&check(|| Qmtp::new(&small), &input, &[64]));
    let said = seen.iter().find(|line| line.starts_with("> ")).unwrap();
    let expected = "6:Kok 1 ,".repeat(50) + &"6:Ztoo m,".repeat(50);
    assert_eq!(said[2..], expected);
}

#[test]
fn the_application_may_close_and_the_peer_hears_nothing() {
    let input = [qmtp("\nx", "", &["a@a", "leave@b"]), ns("\ny")].concat();
    let seen = lines(&check(|| Qmtp::new(&config(|_| {})), &input, &[4]));
    let expected = [
        "rcpt <leave@b>",
        "abort: closed by us",
        "closed: closed by us",
    ];
    assert_eq!(seen[5..], expected);
}
