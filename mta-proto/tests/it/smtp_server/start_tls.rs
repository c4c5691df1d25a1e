//! STARTTLS: what is said in the clear does not count (RFC 3207 §4.2, CVE-2011-1431).

use super::config;
use crate::oracle::{Answering, Seen, Session};
use mta_core::Mono;
use mta_proto::Machine;
use mta_proto::smtp::server::AbortReason;

fn session() -> Session {
    Session::new(&config(|c| c.starttls = true), Answering::AtOnce)
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
        session.trace.seen.last(),
        Some(&Seen::Abort(AbortReason::StartTls))
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
