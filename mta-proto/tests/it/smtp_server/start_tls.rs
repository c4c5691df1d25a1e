//! STARTTLS: what is said in the clear does not count (RFC 3207 §4.2, CVE-2011-1431).

use super::config;
use crate::oracle::{Answering, Seen, Session};
use mta_core::Mono;
use mta_proto::Machine;
use mta_proto::smtp::server::{AbortReason, Server, StartTls};
use proptest::prelude::*;

fn session() -> Session {
    Session::new(
        &config(|c| c.starttls = StartTls::Offered),
        Answering::AtOnce,
    )
}

fn say(session: &mut Session, text: &str) -> String {
    session.settle();
    let before = session.trace.replies.len();
    session.feed(text.as_bytes(), &mut std::iter::empty());
    session.settle();
    String::from_utf8_lossy(&session.trace.replies[before..]).into_owned()
}

#[test]
fn everything_is_forgotten_when_tls_starts() {
    let mut session = session();
    assert!(say(&mut session, "EHLO c\r\n").contains("250-STARTTLS\r\n"));
    say(&mut session, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
    assert_eq!(
        say(&mut session, "STARTTLS\r\n"),
        "220 2.0.0 ready to start TLS\r\n"
    );
    assert_eq!(
        session.trace.seen.last_chunk(),
        Some(&[Seen::Abort(AbortReason::StartTls), Seen::TlsStarted])
    );
    assert!(session.server.is_tls());
    assert_eq!(say(&mut session, "DATA\r\n"), "503 5.5.1 MAIL first\r\n");
    assert!(!say(&mut session, "EHLO c\r\n").contains("STARTTLS"));
    assert_eq!(
        say(&mut session, "STARTTLS\r\n"),
        "503 5.5.1 TLS is on already\r\n"
    );
}

#[test]
fn bytes_behind_starttls_end_the_session() {
    let mut session = session();
    let replies = say(&mut session, "STARTTLS\r\nMAIL FROM:<evil@b>\r\n");
    assert_eq!(replies, "554 5.5.1 bytes came behind STARTTLS; closing\r\n");
    assert!(session.settle());
}

#[test]
fn bytes_that_come_before_the_reply_has_left_end_the_session() {
    use mta_proto::Action;
    let mut session = session();
    session.settle();
    let server = &mut session.server;
    server.wire_mut().push(b"STARTTLS\r\n");
    assert_eq!(server.poll(Mono::ZERO), Action::Write);
    server.wire_mut().push(b"x");
    assert_eq!(server.poll(Mono::ZERO), Action::Close);
}

#[test]
fn where_tls_cannot_be_had_the_command_is_refused_and_nothing_is_lost() {
    let rows = [
        ("off", StartTls::Off, "502 5.5.1 unimplemented\r\n"),
        (
            "without a certificate",
            StartTls::Unavailable,
            "454 4.7.0 TLS not available due to temporary reason\r\n",
        ),
    ];
    for (name, starttls, reply) in rows {
        let mut session = Session::new(&config(|c| c.starttls = starttls), Answering::AtOnce);
        assert!(
            !say(&mut session, "EHLO c\r\n").contains("STARTTLS"),
            "{name}"
        );
        say(&mut session, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
        assert_eq!(say(&mut session, "STARTTLS\r\n"), reply, "{name}");
        assert!(!session.server.is_tls(), "{name}");
        let go = say(&mut session, "DATA\r\n");
        assert!(go.starts_with("354"), "{name}: {go}");
    }
}

#[test]
fn starttls_takes_no_argument_and_follows_no_helo() {
    let mut session = session();
    assert_eq!(
        say(&mut session, "STARTTLS now\r\n"),
        "501 5.5.4 syntax: STARTTLS\r\n"
    );
    assert_eq!(
        say(&mut session, "starttls\r\n"),
        "220 2.0.0 ready to start TLS\r\n"
    );
}

#[test]
fn where_tls_came_first_it_is_not_offered_again() {
    let config = config(|c| c.starttls = StartTls::Offered);
    let mut session = Session::new(&config, Answering::AtOnce);
    session.server = Server::new(config, Mono::ZERO);
    session.server.tls_started(Mono::ZERO);
    assert!(session.server.is_tls());
    assert!(!say(&mut session, "EHLO c\r\n").contains("STARTTLS"));
    assert!(!session.trace.seen.contains(&Seen::TlsStarted));
    assert_eq!(
        say(&mut session, "STARTTLS\r\n"),
        "503 5.5.1 TLS is on already\r\n"
    );
}

proptest! {
    #[test]
    fn any_cuts_on_both_sides_of_the_handshake_give_the_same(
        clear in prop::collection::vec(
            prop::sample::select(vec![
                "EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "RSET", "BDAT 2\r\nx", "", "\0",
            ]), 0..6),
        secret in prop::collection::vec(
            prop::sample::select(vec![
                "EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "STARTTLS", "DATA", "x\r\n.", "QUIT",
            ]), 0..8),
        cuts in prop::collection::vec(1usize..30, 1..20),
    ) {
        let clear = clear.join("\r\n") + "\r\nSTARTTLS\r\n";
        let secret = secret.join("\r\n") + "\r\n";
        let config = config(|c| c.starttls = StartTls::Offered);
        let run = |cuts: &mut dyn Iterator<Item = usize>| {
            let mut session = Session::new(&config, Answering::AtOnce);
            session.feed(clear.as_bytes(), cuts);
            session.settle();
            session.feed(secret.as_bytes(), cuts);
            session.hang_up();
            session.trace
        };
        let whole = run(&mut std::iter::empty());
        prop_assert_eq!(whole, run(&mut cuts.into_iter().cycle()));
    }
}
