//! The lifetime of server sessions, and their end on our side (qmail-qmtpd(8), qmail-qmqpd(8)).

use super::{qmqp, qmtp};
use mta_core::Mono;
use mta_proto::qmqp::server as q;
use mta_proto::qmtp::server as t;
use mta_proto::qmtp::server::Verdict;
use mta_proto::{Action, Machine};
use std::sync::Arc;
use std::time::Duration;

const HOUR: Mono = Mono::from_start(Duration::from_secs(3600));
const BEFORE: Mono = Mono::from_start(Duration::from_secs(3599));

fn qmtp_server(input: &[u8]) -> t::Server {
    let mut server = t::Server::new(Arc::new(t::Config::default()), Mono::ZERO);
    let Action::Event(t::Event::Connected(ticket)) = server.poll(Mono::ZERO) else {
        panic!()
    };
    assert_eq!(server.deadline(), None, "the application has the word");
    server.answer(ticket, Verdict::Accept);
    assert_eq!(server.deadline(), Some(HOUR));
    server.wire_mut().push(input);
    server
}

/// Polls on to something that is neither a body nor an envelope.
fn run(server: &mut t::Server, now: Mono) -> Action<t::Event> {
    loop {
        match server.poll(now) {
            Action::Event(t::Event::Rcpt { ticket, .. }) => server.answer(ticket, Verdict::Accept),
            Action::Event(t::Event::Message { .. } | t::Event::Body(_) | t::Event::Sender(_)) => {}
            other => return other,
        }
    }
}

#[test]
fn a_session_ends_after_an_hour_however_busy() {
    let mut server = qmtp_server(b"100:\nabc");
    assert_eq!(run(&mut server, BEFORE), Action::Read);
    assert_eq!(server.deadline(), Some(HOUR));
    server.wire_mut().push(b"d");
    let timeout = t::AbortReason::Timeout;
    assert_eq!(
        run(&mut server, HOUR),
        Action::Event(t::Event::Abort(timeout))
    );
    assert_eq!(run(&mut server, HOUR), Action::Close);
    assert_eq!((server.ended(), server.deadline()), (Some(timeout), None));
    assert!(server.wire().output().is_empty());

    let mut server = q::Server::new(Arc::new(q::Config::default()), Mono::ZERO);
    let Action::Event(q::Event::Connected(ticket)) = server.poll(Mono::ZERO) else {
        panic!()
    };
    server.answer(ticket, Verdict::Accept);
    assert_eq!(server.poll(BEFORE), Action::Read);
    assert_eq!(server.poll(HOUR), Action::Close);
    assert_eq!(server.ended(), Some(q::AbortReason::Timeout));
}

#[test]
fn a_message_that_was_complete_is_answered_however_late() {
    let mut server = qmtp_server(&qmtp("\nx", "", &["a@b"]));
    let Action::Event(t::Event::End { ticket, .. }) = run(&mut server, BEFORE) else {
        panic!()
    };
    assert_eq!(server.deadline(), None);
    assert_eq!(server.poll(HOUR), Action::Wait);
    server.answer(ticket, Verdict::Accept);
    assert_eq!(server.poll(HOUR), Action::Close);
    assert_eq!(server.wire().output(), b"3:Kok,");
}

#[test]
fn a_shutdown_lets_the_package_under_way_end() {
    let package = qmtp("\nx", "", &["a@b"]);
    let mut server = qmtp_server(&package[..4]);
    assert_eq!(run(&mut server, Mono::ZERO), Action::Read);
    server.shutdown();
    assert_eq!(run(&mut server, Mono::ZERO), Action::Read);
    server.wire_mut().push(&package[4..]);
    server.wire_mut().push(&package);
    let Action::Event(t::Event::End { ticket, .. }) = run(&mut server, Mono::ZERO) else {
        panic!()
    };
    server.answer(ticket, Verdict::Accept);
    assert_eq!(run(&mut server, Mono::ZERO), Action::Close);
    assert_eq!(server.wire().output(), b"3:Kok,");
    let mut idle = qmtp_server(b"");
    assert_eq!(run(&mut idle, Mono::ZERO), Action::Read);
    idle.shutdown();
    assert_eq!(run(&mut idle, Mono::ZERO), Action::Close);
}

#[test]
fn a_cut_drops_the_message_and_late_answers_do_nothing() {
    let mut server = qmtp_server(&qmtp("\nx", "", &["a@b"]));
    let ticket = loop {
        if let Action::Event(t::Event::Rcpt { ticket, .. }) = server.poll(Mono::ZERO) {
            break ticket;
        }
    };
    server.cut();
    server.answer(ticket, Verdict::Accept);
    let closed = t::AbortReason::Closed;
    assert_eq!(server.poll(HOUR), Action::Event(t::Event::Abort(closed)));
    assert_eq!(server.poll(HOUR), Action::Close);
}

#[test]
fn whoever_is_not_welcome_hears_nothing() {
    let mut server = q::Server::new(Arc::new(q::Config::default()), Mono::ZERO);
    server.wire_mut().push(&qmqp("x", "", &["a@b"]));
    let Action::Event(q::Event::Connected(ticket)) = server.poll(Mono::ZERO) else {
        panic!()
    };
    server.answer(ticket, Verdict::Close);
    assert_eq!(server.poll(Mono::ZERO), Action::Close);
    assert!(server.wire().output().is_empty());
    assert_eq!(server.ended(), Some(q::AbortReason::Closed));
}
