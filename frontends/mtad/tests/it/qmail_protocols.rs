//! Mail by QMTP and QMQP: who may connect, who is taken, what is delivered (qmail-qmtpd(8), qmail-qmqpd(8)).

use crate::kit::{Home, Line, Running, until};
use mta_proto::netstring::encode;
use std::net::SocketAddr;

fn ns(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    encode(bytes.as_ref(), &mut out);
    out
}

/// Sends `bytes`, ends, and returns the answer.
fn ask(to: SocketAddr, bytes: &[u8]) -> String {
    let mut client = Line::connect(to);
    client.try_send(bytes);
    client.end();
    client.rest()
}

fn qmtp(message: &str, to: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = to.iter().flat_map(ns).collect();
    [ns(message), ns("a@client.example"), ns(list)].concat()
}

fn qmqp(message: &str, to: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = to.iter().flat_map(ns).collect();
    ns([ns(message), ns("a@client.example"), list].concat())
}

fn delivered(home: &Home) -> String {
    until("a message", || home.mail("joe").pop())
}

#[test]
fn qmtp_answers_for_each_recipient_and_delivers() {
    let home = Home::new();
    home.config("qmtp_from = [\"127.0.0.0/8\"]\n");
    home.control("databytes", "500\n");
    let mut mtad = Running::start_with(&home, &["--qmtp", "127.0.0.1:0"]);
    let to = mtad.listening("qmtp");
    let first = qmtp(
        "\rSubject: x\r\n\r\nhello\r\n",
        &[
            "joe@example.org",
            "nobody@example.org",
            "x@elsewhere.example",
        ],
    );
    let big = qmtp(&("\n".to_owned() + &"x".repeat(501)), &["joe@example.org"]);
    let answer = ask(to, &[first, big].concat());
    let ok = answer.strip_prefix(char::is_numeric).unwrap_or_default();
    assert!(
        ok.trim_start_matches(char::is_numeric).starts_with(":Kok "),
        "{answer}"
    );
    for said in [
        ",45:Dsorry, no mailbox here by that name (#5.1.1),",
        ",66:Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1),",
        ",61:Dsorry, that message size exceeds my databytes limit (#5.3.4),",
    ] {
        assert!(answer.contains(said), "{said}: {answer}");
    }
    let text = delivered(&home);
    assert!(text.contains("  by mx.example.org with QMTP; "), "{text}");
    assert!(text.ends_with("\nSubject: x\n\nhello\n"), "{text}");
    until("an empty queue", || (home.queued() == 0).then_some(()));
}

#[test]
fn qmqp_answers_once_and_takes_any_recipient() {
    let home = Home::new();
    home.config("qmqp_from = [\"127.0.0.1\"]\n");
    home.control("concurrencyremote", "0\n");
    let mut mtad = Running::start_with(&home, &["--qmqp", "127.0.0.1:0"]);
    let to = mtad.listening("qmqp");
    let recipients = ["joe@example.org", "x@elsewhere.example"];
    let answer = ask(to, &qmqp("Subject: x\n\nhello\n", &recipients));
    assert!(
        answer.contains(":Kok ") && answer.matches(',').count() == 1,
        "{answer}"
    );
    let text = delivered(&home);
    assert!(text.contains("  by mx.example.org with QMQP; "), "{text}");
    assert_eq!(home.queued(), 1, "the other recipient is elsewhere");
    let loops = "Received: x\n".repeat(100) + "\n";
    let answer = ask(to, &qmqp(&loops, &["joe@example.org"]));
    assert_eq!(
        answer,
        "48:Dtoo many hops, this message is looping (#5.4.6),"
    );
    assert_eq!(
        ask(to, b"EHLO x\r\n"),
        "",
        "what is no package has no answer"
    );
    assert!(mtad.alive());
}

#[test]
fn whoever_is_not_listed_is_not_heard() {
    let home = Home::new();
    home.config("qmqp_from = [\"192.0.2.0/24\"]\nqmtp_from = [\"192.0.2.0/24\"]\n");
    let mut mtad = Running::start_with(&home, &["--qmqp", "127.0.0.1:0", "--qmtp", "127.0.0.1:0"]);
    let to = mtad.listening("qmqp");
    assert_eq!(ask(to, &qmqp("x\n", &["joe@example.org"])), "");
    mtad.logged("is in no network of qmqp_from in mtad.toml");
    let to = mtad.listening("qmtp");
    assert_eq!(ask(to, &qmtp("\nx\n", &["joe@example.org"])), "");
    mtad.logged("is in no network of qmtp_from in mtad.toml");
    assert_eq!(home.queued(), 0);
}

#[test]
fn a_listener_without_its_list_does_not_start() {
    let home = Home::new();
    for name in ["qmqp", "qmtp"] {
        home.config(&format!("{name} = [\"127.0.0.1:1\"]\n"));
        let ran = home.run(&["check", "--no-dns"], "");
        assert_eq!(ran.code, Some(100), "{}", ran.out);
        assert!(
            ran.out.contains(&format!("{name}_from of mtad.toml")),
            "{}",
            ran.out
        );
        home.config("");
        let option = format!("--{name}");
        let arguments = [
            "serve",
            "--smtp",
            "127.0.0.1:0",
            "--pop3",
            "127.0.0.1:0",
            &option,
            "127.0.0.1:0",
        ];
        let ran = home.run(&arguments, "");
        assert_eq!(ran.code, Some(100), "{}", ran.err);
        let said = format!("{name}_from of mtad.toml");
        assert!(ran.err.contains(&said), "{}", ran.err);
    }
}
