//! Questions about pipelined recipients side by side (RFC 2920 §3.2).

use super::config;
use crate::oracle;
use mta_core::Mono;
use mta_proto::smtp::server::{Event, Rcpt, Server, Verdict};
use mta_proto::smtp::{Enhanced, Reply};
use mta_proto::{Action, Machine, Ticket};

fn accept_until_rcpt(server: &mut Server) -> Ticket<Rcpt> {
    loop {
        match server.poll(Mono::ZERO) {
            Action::Event(Event::Connected(ticket)) => server.answer(ticket, Verdict::Accept),
            Action::Event(Event::Mail { ticket, .. }) => server.answer(ticket, Verdict::Accept),
            Action::Event(Event::Rcpt { ticket, .. }) => return ticket,
            other => panic!("{other:?}"),
        }
    }
}

fn rcpt(server: &mut Server) -> Ticket<Rcpt> {
    match server.poll(Mono::ZERO) {
        Action::Event(Event::Rcpt { ticket, .. }) => ticket,
        other => panic!("{other:?}"),
    }
}

const PIPELINE: &[u8] = b"MAIL FROM:<a@b>\r\nRCPT TO:<1@b>\r\nRCPT TO:<2@b>\r\nRCPT TO:<3@b>\r\n\
    NOOP\r\nRCPT TO:<4@b>\r\n";

#[test]
fn replies_leave_in_command_order_whatever_order_answers_come_in() {
    let mut server = Server::new(config(|c| c.limits.open_questions = 8), Mono::ZERO);
    server.wire_mut().push(PIPELINE);
    let first = accept_until_rcpt(&mut server);
    let second = rcpt(&mut server);
    let third = rcpt(&mut server);
    assert_eq!(
        server.poll(Mono::ZERO),
        Action::Wait,
        "NOOP waits for its turn"
    );
    let before = server.wire().output().len();
    server.answer(third, Verdict::Accept);
    let refusal = Reply::fixed(550, "no").with(Enhanced::new(1, 1));
    server.answer(second, Verdict::Reply(refusal));
    assert_eq!(
        server.wire().output().len(),
        before,
        "the first is not answered yet"
    );
    assert_eq!(server.poll(Mono::ZERO), Action::Wait);
    server.answer(first, Verdict::Accept);
    let fourth = rcpt(&mut server);
    server.answer(fourth, Verdict::Accept);
    let output = String::from_utf8_lossy(server.wire().output()).into_owned();
    let wanted = "250 2.1.5 ok\r\n550 5.1.1 no\r\n250 2.1.5 ok\r\n250 2.0.0 ok\r\n250 2.1.5 ok\r\n";
    assert!(output.ends_with(wanted), "{output}");
}

#[test]
fn one_question_is_open_at_a_time_by_default() {
    let mut server = Server::new(config(|_| {}), Mono::ZERO);
    server.wire_mut().push(PIPELINE);
    let first = accept_until_rcpt(&mut server);
    assert_eq!(server.poll(Mono::ZERO), Action::Wait);
    server.answer(first, Verdict::Accept);
    drop(rcpt(&mut server));
}

#[test]
fn no_recipient_is_asked_about_whose_place_may_be_taken() {
    let change = |c: &mut mta_proto::smtp::server::Config| {
        c.limits.open_questions = 8;
        c.limits.recipients = 2;
    };
    let mut server = Server::new(config(change), Mono::ZERO);
    server.wire_mut().push(PIPELINE);
    let first = accept_until_rcpt(&mut server);
    let second = rcpt(&mut server);
    assert_eq!(server.poll(Mono::ZERO), Action::Wait);
    server.answer(first, Verdict::Reply(Reply::fixed(550, "no")));
    server.answer(second, Verdict::Accept);
    let third = rcpt(&mut server);
    server.answer(third, Verdict::Accept);
    assert_eq!(server.poll(Mono::ZERO), Action::Read);
    let output = String::from_utf8_lossy(server.wire().output()).into_owned();
    assert!(output.contains("250 2.0.0 ok\r\n452 4.5.3 "), "{output}");
}

#[test]
fn closing_at_one_recipient_forgets_those_behind() {
    let mut server = Server::new(config(|c| c.limits.open_questions = 8), Mono::ZERO);
    server.wire_mut().push(PIPELINE);
    let first = accept_until_rcpt(&mut server);
    let second = rcpt(&mut server);
    server.answer(second, Verdict::Accept);
    server.answer(first, Verdict::Close(Reply::fixed(421, "bye")));
    assert!(matches!(
        server.poll(Mono::ZERO),
        Action::Event(Event::Abort(_))
    ));
    assert_eq!(server.poll(Mono::ZERO), Action::Close);
    assert!(
        server
            .wire()
            .output()
            .ends_with(b"250 2.1.0 ok\r\n421 bye\r\n")
    );
}

#[test]
fn no_recipient_is_asked_about_behind_one_error_too_many() {
    let config = config(|c| {
        c.limits.open_questions = 4;
        c.limits.errors = 2;
    });
    let mut input = b"MAIL FROM:<a@b>\r\n".to_vec();
    input.extend_from_slice(&b"RCPT TO:<nobody@b>\r\n".repeat(6));
    let trace = oracle::check(&config, &input, &[500]);
    assert_eq!(trace.codes(), [220, 250, 550, 550, 421]);
    let asked = trace
        .seen
        .iter()
        .filter(|s| matches!(s, oracle::Seen::Rcpt(..)));
    assert_eq!(asked.count(), 2);
}

#[test]
fn hanging_up_does_not_take_open_questions_away() {
    let mut server = Server::new(config(|c| c.limits.open_questions = 8), Mono::ZERO);
    server
        .wire_mut()
        .push(b"MAIL FROM:<a@b>\r\nRCPT TO:<1@b>\r\n");
    let first = accept_until_rcpt(&mut server);
    assert_eq!(server.poll(Mono::ZERO), Action::Read);
    server.wire_mut().push_eof();
    assert_eq!(server.poll(Mono::ZERO), Action::Wait);
    server.answer(first, Verdict::Accept);
    assert!(matches!(
        server.poll(Mono::ZERO),
        Action::Event(Event::Abort(_))
    ));
    assert!(server.wire().output().ends_with(b"250 2.1.5 ok\r\n"));
}
