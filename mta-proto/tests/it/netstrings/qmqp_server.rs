//! Dialogues of the QMQP server (qmail-qmqpd(8)).

use super::oracle::{Qmqp, check};
use super::{lines, qmqp};
use mta_proto::qmqp::server::{Config, Limits};
use std::sync::Arc;

fn config(change: impl FnOnce(&mut Limits)) -> Arc<Config> {
    let mut config = Config::default();
    change(&mut config.limits);
    Arc::new(config)
}

#[track_caller]
fn expect(name: &str, config: &Arc<Config>, input: &[u8], expected: &[&str]) {
    for cuts in [&[2][..], &[3, 1, 7], &[11, 2]] {
        let seen = check(|| Qmqp::new(config), input, cuts);
        assert_eq!(lines(&seen), expected, "{name}");
    }
}

#[test]
fn a_message_has_one_answer_for_all_recipients() {
    let input = qmqp("A: b\n\n\0\r\n.\n", "joe@a", &["ann@b", "", "bob@b"]);
    expect(
        "taken",
        &config(|_| {}),
        &input,
        &[
            "connected",
            "message 11",
            "body A: b\\n\\n\\x00\\r\\n.\\n",
            "sender <joe@a>",
            "rcpt <ann@b>",
            "rcpt <>",
            "rcpt <bob@b>",
            "end 11",
            "> 10:Kok 1 qp 2,",
            "closed: ",
        ],
    );
    let input = [qmqp("", "full@a", &[]), b"more".to_vec()].concat();
    expect(
        "not taken, without recipients, and nothing behind it is read",
        &config(|_| {}),
        &input,
        &[
            "connected",
            "message 0",
            "sender <full@a>",
            "end 0",
            "> 19:Zdisk full (#4.3.0),",
            "closed: ",
        ],
    );
}

#[test]
fn one_bad_address_refuses_the_message() {
    let long = "x".repeat(1000);
    let bad = "> 51:Dsorry, I can't accept addresses like that (#5.1.3),";
    let abort = "abort: an address cannot be taken";
    for (name, wrong) in [("too long", &*long), ("NUL", "a\0b@c")] {
        let seen = check(
            || Qmqp::new(&config(|_| {})),
            &qmqp("x", wrong, &["a@b"]),
            &[7],
        );
        assert_eq!(
            lines(&seen)[3..],
            [abort, bad, "closed: "],
            "{name}, sender"
        );
        let input = qmqp("x", "", &["a@b", wrong, "c@d"]);
        let seen = check(|| Qmqp::new(&config(|_| {})), &input, &[7]);
        let expected = ["rcpt <a@b>", abort, bad, "closed: "];
        assert_eq!(lines(&seen)[4..], expected, "{name}");
    }
}

#[test]
fn limits_refuse_for_good() {
    let rows: [(&str, Arc<Config>, &[&str]); 3] = [
        (
            "message_size",
            config(|limits| limits.message_size = 2),
            &[
                "connected",
                "> 61:Dsorry, that message size exceeds my databytes limit (#5.3.4),",
                "closed: ",
            ],
        ),
        (
            "recipients",
            config(|limits| limits.recipients = 1),
            &[
                "connected",
                "message 3",
                "body abc",
                "sender <s@s>",
                "rcpt <a@b>",
                "abort: the message has too many recipients",
                "> 53:Dsorry, that message has too many recipients (#5.5.3),",
                "closed: ",
            ],
        ),
        (
            "envelope",
            config(|limits| limits.envelope = 3),
            &[
                "connected",
                "message 3",
                "body abc",
                "sender <s@s>",
                "rcpt <a@b>",
                "abort: the message has too many recipients",
                "> 53:Dsorry, that message has too many recipients (#5.5.3),",
                "closed: ",
            ],
        ),
    ];
    for (name, config, expected) in rows {
        expect(
            name,
            &config,
            &qmqp("abc", "s@s", &["a@b", "c@d", "e@f"]),
            expected,
        );
    }
}
