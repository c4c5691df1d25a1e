//! The POP3 server's limits and timeouts, and its ids (RFC 1939 §3, §7; RFC 2449 §4).

use super::kit::{Application, run, server};
use mta_core::Mono;
use mta_proto::pop3::{AbortReason, Admission, Event, Listing, Server};
use mta_proto::{Action, Chunk, Machine};
use std::time::Duration;

const IDLE: Duration = Duration::from_secs(600);

fn login(server: &mut Server, listing: Listing) {
    server.wire_mut().push(b"USER joe\r\nPASS x\r\n");
    let Action::Event(Event::Login { ticket, .. }) = server.poll(Mono::ZERO) else {
        panic!("expected a login");
    };
    server.admit(ticket, Admission::Accept(listing));
    assert_eq!(server.poll(Mono::ZERO), Action::Read);
}

#[test]
fn a_long_line_is_refused_once_and_its_rest_is_dropped() {
    let fits = format!("USER {}\r\n", "x".repeat(505));
    let long = format!("USER {}\r\n", "x".repeat(506));
    let huge = format!("{}\r\n", "NOOP ".repeat(20_000));
    for cut in [1, 100, 4096] {
        let input = [&fits, &long, &huge, "NOOP\r\n"].concat();
        let seen = run(server(), Application::new(&[]), input.as_bytes(), || cut);
        assert_eq!(
            seen.output,
            "+OK hi\r\n+OK now the password\r\n-ERR line too long\r\n-ERR line too long\r\n\
             +OK nothing done\r\n"
        );
    }
}

#[test]
fn twenty_mistakes_end_the_session() {
    let input = "\0\r\n".repeat(1000);
    let seen = run(server(), Application::new(&[]), input.as_bytes(), || 99);
    assert_eq!(seen.output.matches("-ERR").count(), 20);
    assert_eq!(seen.events, ["abort TooManyErrors"]);
}

#[test]
fn silence_of_ten_minutes_ends_the_session_without_a_word() {
    let mut server = server();
    login(&mut server, Listing::new(1));
    let late = Mono::ZERO + IDLE;
    assert_eq!(server.deadline(), Some(late));
    server.wire_mut().push(b"NOOP\r\n");
    let almost = Mono::from_start(IDLE - Duration::from_secs(1));
    assert_eq!(server.poll(almost), Action::Read);
    assert_eq!(server.poll(late), Action::Read);
    let before = server.wire().output().len();
    let timed_out = Action::Event(Event::Abort(AbortReason::TimedOut));
    assert_eq!(server.poll(almost + IDLE), timed_out);
    assert_eq!(server.poll(almost + IDLE), Action::Close);
    assert_eq!(server.wire().output().len(), before);
}

#[test]
fn a_login_cannot_be_put_off_for_ever() {
    let mut server = server();
    let mut now = Mono::ZERO;
    for _ in 0..100 {
        server.wire_mut().push(b"NOOP\r\n");
        now = now + Duration::from_secs(59);
        if server.poll(now) != Action::Read {
            break;
        }
    }
    assert_eq!(server.poll(now), Action::Close);
    assert!(now < Mono::ZERO + IDLE + Duration::from_secs(60));
}

#[test]
fn a_reader_who_takes_byte_by_byte_loses_the_maildrop_after_a_day() {
    let mut server = server();
    login(&mut server, Listing::new(1));
    let mut now = Mono::ZERO;
    let mut hours = 0;
    while server.poll(now) == Action::Read {
        server.wire_mut().push(b"NOOP\r\n");
        server.wire_mut().advance_output(1);
        now = now + Duration::from_secs(360);
        hours += 1;
        assert!(hours < 1000, "the session does not end");
    }
    assert_eq!(server.poll(now), Action::Close);
    assert_eq!(now, Mono::ZERO + Duration::from_secs(86_400));
}

#[test]
fn a_session_that_is_shown_shows_no_password() {
    let mut server = server();
    server
        .wire_mut()
        .push(b"USER joe\r\nPASS open sesame\r\nPASS open sesame\r\n");
    let before = format!("{server:?}");
    let event = server.poll(Mono::ZERO);
    for shown in [before, format!("{server:?}"), format!("{event:?}")] {
        let as_numbers = format!("{:?}", b"sesame");
        let as_numbers = as_numbers.trim_matches(['[', ']']);
        assert!(
            !shown.contains("sesame") && !shown.contains(as_numbers),
            "{shown}"
        );
    }
}

#[test]
fn a_slow_application_is_not_the_clients_fault() {
    let mut server = server();
    server.wire_mut().push(b"USER joe\r\nPASS x\r\n");
    let Action::Event(Event::Login { ticket, .. }) = server.poll(Mono::ZERO) else {
        panic!("expected a login");
    };
    assert_eq!(server.deadline(), None);
    let late = Mono::ZERO + IDLE * 5;
    assert_eq!(server.poll(late), Action::Wait);
    server.admit(ticket, Admission::Accept(Listing::new(1)));
    assert_eq!(server.poll(late), Action::Read);
    assert_eq!(server.deadline(), Some(late + IDLE));
}

#[test]
fn a_client_that_reads_nothing_stops_the_source_and_runs_out_of_time() {
    let mut server = server();
    let mut listing = Listing::new(1);
    listing.push(1, b"a").unwrap();
    login(&mut server, listing);
    server.wire_mut().push(b"RETR 1\r\n");
    let mut pieces = 0;
    loop {
        match server.poll(Mono::ZERO) {
            Action::Event(Event::Open { ticket, .. }) => server.opened(ticket, Ok(())),
            Action::Event(Event::Need(ticket)) => {
                pieces += 1;
                server.chunk(ticket, Chunk::Bytes(vec![b'\n'; 16 * 1024].into()));
            }
            Action::Write => break,
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(pieces <= 2);
    assert!(server.wire().output().len() < 17 * 1024);
    let timed_out = Action::Event(Event::Abort(AbortReason::TimedOut));
    assert_eq!(server.poll(Mono::ZERO + IDLE), timed_out);
}

#[test]
fn a_long_listing_waits_for_room() {
    let mut server = server();
    let mut listing = Listing::new(100_000);
    for i in 0..50_000 {
        listing.push(i, format!("{i}.mx").as_bytes()).unwrap();
    }
    login(&mut server, listing);
    server.wire_mut().push(b"UIDL\r\n");
    let mut lines = 0;
    loop {
        let action = server.poll(Mono::ZERO);
        let output = server.wire().output();
        assert!(output.len() < 17 * 1024);
        lines += output.iter().filter(|&&byte| byte == b'\n').count();
        let n = output.len();
        server.wire_mut().advance_output(n);
        match action {
            Action::Write => {}
            Action::Read => break,
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(lines > 50_000);
}

#[test]
fn a_broken_connection_does_not_read_the_message_to_its_end() {
    let mut server = server();
    let mut listing = Listing::new(1);
    listing.push(1, b"a").unwrap();
    login(&mut server, listing);
    server.wire_mut().push(b"RETR 1\r\n");
    let Action::Event(Event::Open { ticket, .. }) = server.poll(Mono::ZERO) else {
        panic!("expected to open");
    };
    server.opened(ticket, Ok(()));
    server.wire_mut().push_broken();
    let hung_up = Action::Event(Event::Abort(AbortReason::HungUp));
    assert_eq!(server.poll(Mono::ZERO), hung_up);
    assert_eq!(server.poll(Mono::ZERO), Action::Close);
}

#[test]
fn shutdown_waits_for_the_command_that_is_being_done() {
    let mut server = server();
    server.wire_mut().push(b"USER joe\r\nPASS x\r\nNOOP\r\n");
    let Action::Event(Event::Login { ticket, .. }) = server.poll(Mono::ZERO) else {
        panic!("expected a login");
    };
    server.shutdown();
    assert_eq!(server.poll(Mono::ZERO), Action::Wait);
    server.admit(ticket, Admission::Accept(Listing::new(1)));
    let closed = Action::Event(Event::Abort(AbortReason::Closed));
    assert_eq!(server.poll(Mono::ZERO), closed);
    let output = String::from_utf8_lossy(server.wire().output()).into_owned();
    assert!(output.ends_with("-ERR [SYS/TEMP] the server is shutting down\r\n"));
}

#[test]
fn an_answer_to_an_old_question_changes_nothing() {
    let (mut one, mut other) = (server(), server());
    one.wire_mut().push(b"USER joe\r\nPASS x\r\n");
    let Action::Event(Event::Login { ticket, .. }) = one.poll(Mono::ZERO) else {
        panic!("expected a login");
    };
    other.admit(ticket, Admission::Accept(Listing::new(1)));
    other.wire_mut().push(b"STAT\r\n");
    assert_eq!(other.poll(Mono::ZERO), Action::Read);
    let output = String::from_utf8_lossy(other.wire().output()).into_owned();
    assert!(output.ends_with("-ERR authorization first\r\n"));
}

#[test]
fn ids_keep_to_the_rfc_and_a_listing_to_its_limit() {
    let mut listing = Listing::new(4);
    let long = "x".repeat(71);
    for uid in ["plain", "with space", &long, ""] {
        listing.push(1, uid.as_bytes()).unwrap();
    }
    assert_eq!(listing.uid(0), Some(&b"plain"[..]));
    for index in 1..4 {
        let uid = listing.uid(index).unwrap();
        assert_eq!(uid.len(), 33);
        assert!(uid.iter().all(u8::is_ascii_graphic));
    }
    assert_ne!(listing.uid(1), listing.uid(2));
    assert_eq!(listing.push(1, b"more").unwrap_err().limit, 4);
}
