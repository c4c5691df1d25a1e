//! STLS: when it may be said, and that nothing said in the clear counts (RFC 2595 §4, CVE-2011-0411).

use super::kit::{Application, run, run_across_tls, transcript};
use super::{MAILBOX, plays};
use mta_core::Mono;
use mta_proto::pop3::{Config, Server};
use mta_proto::{Action, Machine};
use proptest::prelude::*;
use std::sync::Arc;

fn config() -> Arc<Config> {
    Arc::new(Config {
        greeting: "hi".into(),
        stls: true,
        ..Config::default()
    })
}

fn server() -> Server {
    Server::new(config(), Mono::ZERO)
}

const CAPABILITIES: &str = "S: TOP
    S: USER
    S: STLS
    S: UIDL
    S: RESP-CODES
    S: AUTH-RESP-CODE
    S: PIPELINING
    S: .";

#[test]
fn a_session_begins_afresh_behind_the_handshake() {
    let (clear, said_clear) = transcript(&format!(
        "S: +OK hi
        C: CAPA
        S: +OK capability list follows
        {CAPABILITIES}
        C: STLS now
        S: -ERR syntax error
        C: USER mallory
        S: +OK now the password
        C: stls
        S: +OK begin TLS negotiation"
    ));
    let (secret, said_secret) = transcript(
        "C: PASS sesame
        S: -ERR USER first
        C: CAPA
        S: +OK capability list follows
        S: TOP
        S: USER
        S: UIDL
        S: RESP-CODES
        S: AUTH-RESP-CODE
        S: PIPELINING
        S: .
        C: STLS
        S: -ERR TLS is on already
        C: USER joe
        S: +OK now the password
        C: PASS sesame
        S: +OK 5 messages (101 octets)
        C: STLS
        S: -ERR TLS is on already
        C: QUIT
        S: +OK bye",
    );
    for cut in [usize::MAX, 1, 7] {
        let application = Application::new(&MAILBOX);
        let seen = run_across_tls(server(), application, &[&clear, &secret], || cut);
        assert_eq!(seen.output, format!("{said_clear}{said_secret}"), "{cut}");
        assert_eq!(seen.events, ["tls", "login joe", "quit []"], "{cut}");
    }
}

#[test]
fn stls_is_refused_where_it_is_not_offered_and_behind_the_login() {
    plays(
        super::server,
        "S: +OK hi
        C: STLS
        S: -ERR unimplemented
        C: QUIT
        S: +OK bye",
    );
    plays(
        server,
        &super::after_login(
            "C: STLS
            S: -ERR STLS belongs before the login
            C: CAPA
            S: +OK capability list follows
            S: TOP
            S: UIDL
            S: RESP-CODES
            S: AUTH-RESP-CODE
            S: PIPELINING
            S: .
            C: QUIT
            S: +OK bye",
        ),
    );
}

#[test]
fn bytes_behind_stls_end_the_session_unread() {
    let input = b"STLS\r\nUSER joe\r\nPASS sesame\r\n";
    let seen = run(server(), Application::new(&MAILBOX), input, || usize::MAX);
    assert_eq!(
        seen.output,
        "+OK hi\r\n-ERR bytes came behind STLS; closing\r\n"
    );
    assert_eq!(seen.events, ["abort Injection"]);
}

#[test]
fn bytes_that_come_before_the_reply_has_left_end_the_session() {
    let mut server = server();
    server.wire_mut().push(b"STLS\r\n");
    assert_eq!(server.poll(Mono::ZERO), Action::Write);
    server.wire_mut().push(b"x");
    assert!(matches!(server.poll(Mono::ZERO), Action::Event(_)));
    assert_eq!(server.poll(Mono::ZERO), Action::Close);
    assert!(!server.is_tls());
}

#[test]
fn where_tls_came_first_stls_is_not_offered() {
    let make = || {
        let mut server = server();
        server.tls_started(Mono::ZERO);
        assert!(server.is_tls());
        server
    };
    let events = plays(
        make,
        "S: +OK hi
        C: STLS
        S: -ERR TLS is on already
        C: QUIT
        S: +OK bye",
    );
    assert!(events.is_empty());
}

proptest! {
    #[test]
    fn any_cuts_on_both_sides_of_the_handshake_give_the_same(
        clear in prop::collection::vec(
            prop::sample::select(vec!["USER joe", "NOOP", "CAPA", "PASS x", "\0", "", "xyzzy"]), 0..6),
        secret in prop::collection::vec(
            prop::sample::select(vec!["USER joe", "PASS sesame", "STLS", "LIST", "RETR 1", "QUIT"]), 0..8),
        cuts in prop::collection::vec(1usize..30, 1..20),
    ) {
        let clear = clear.join("\r\n") + "\r\nSTLS\r\n";
        let secret = secret.join("\r\n") + "\r\n";
        let inputs = [clear.as_bytes(), secret.as_bytes()];
        let whole = run_across_tls(server(), Application::new(&MAILBOX), &inputs, || usize::MAX);
        let mut cuts = cuts.into_iter().cycle();
        let cut = run_across_tls(
            server(), Application::new(&MAILBOX), &inputs, || cuts.next().unwrap());
        prop_assert_eq!(whole, cut);
    }
}
