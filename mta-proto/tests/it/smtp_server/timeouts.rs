//! Time as data: who is waited for, and what happens when it has run out (RFC 5321 §4.5.3.2).

use super::config;
use crate::oracle::{Answering, Seen, Session};
use mta_core::Mono;
use mta_proto::smtp::server::{AbortReason, Event, Server, Verdict};
use mta_proto::smtp::{Enhanced, Reply};
use mta_proto::{Action, Machine};
use std::time::Duration;

const TICK: Duration = Duration::from_nanos(1);

fn session() -> Session {
    let config = config(|config| {
        config.timeouts.command = Duration::from_secs(100);
        config.timeouts.body = Duration::from_secs(30);
        config.limits.body_rate = 0;
    });
    Session::new(&config, Answering::AtOnce)
}

fn say(session: &mut Session, text: &str) {
    session.feed(text.as_bytes(), &mut std::iter::empty());
    session.settle();
}

#[test]
fn silence_ends_a_session_at_the_moment_the_table_says() {
    let started = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";
    let data = format!("{started}DATA\r\n");
    let bdat = format!("{started}BDAT 10\r\nabc");
    let table: &[(&str, &str, u64, Option<AbortReason>)] = &[
        ("behind the greeting", "", 100, None),
        ("half a command", "MAI", 100, None),
        ("in a line too long", &"x".repeat(5000), 100, None),
        ("in a transaction", started, 100, Some(AbortReason::Timeout)),
        ("in DATA", &data, 30, Some(AbortReason::Timeout)),
        ("in a chunk", &bdat, 30, Some(AbortReason::Timeout)),
        ("in a chunk nobody wants", "BDAT 10\r\n", 30, None),
    ];
    for (name, text, seconds, abort) in table {
        let mut session = session();
        session.settle();
        say(&mut session, text);
        let deadline = session.now + Duration::from_secs(*seconds);
        assert_eq!(session.server.deadline(), Some(deadline), "{name}");
        session.now = Mono::from_start(deadline.since_start() - TICK);
        assert!(!session.settle(), "{name}: too early");
        session.now = deadline;
        assert!(session.settle(), "{name}: too late");
        let replies = String::from_utf8_lossy(&session.trace.replies).into_owned();
        assert!(
            replies.ends_with("421 4.4.2 timeout, closing\r\n"),
            "{name}"
        );
        let last = session.trace.seen.last();
        let wanted = abort.map(Seen::Abort);
        assert!(
            wanted.is_none() || last == wanted.as_ref(),
            "{name}: {last:?}"
        );
    }
}

#[test]
fn trickling_prolongs_a_body_but_not_a_command() {
    let mut session = session();
    session.settle();
    for _ in 0..9 {
        session.now = session.now + Duration::from_secs(10);
        say(&mut session, "x");
    }
    session.now = session.now + Duration::from_secs(10);
    assert!(session.settle(), "a command takes 100 seconds at most");

    let mut session = self::session();
    say(&mut session, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
    for _ in 0..50 {
        session.now = session.now + Duration::from_secs(29);
        say(&mut session, "x");
        assert!(session.server.deadline().is_some());
    }
    say(&mut session, "\r\n.\r\nQUIT\r\n");
    assert!(session.trace.seen.contains(&Seen::End(51)));
}

const OPEN: &str = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";

/// Says `piece` every ten seconds until the session ends; returns for how long.
fn trickle(open: &str, piece: &str) -> u64 {
    let config = config(|config| {
        config.timeouts.body = Duration::from_secs(30);
        config.limits.body_rate = 2;
    });
    let mut session = Session::new(&config, Answering::AtOnce);
    say(&mut session, open);
    for tens in 1..1000 {
        session.now = session.now + Duration::from_secs(10);
        if session.settle() {
            let last = session.trace.seen.last();
            assert_eq!(last, Some(&Seen::Abort(AbortReason::Timeout)));
            return tens * 10;
        }
        say(&mut session, piece);
    }
    0
}

#[test]
fn a_body_that_trickles_ends_when_it_falls_behind_its_rate() {
    let data = format!("{OPEN}DATA\r\n");
    let bdat = format!("{OPEN}BDAT 1000000\r\n");
    let rows = [
        ("DATA at a tenth of a byte a second", &data, "x", 40),
        ("DATA at one byte a second", &data, "0123456789", 50),
        ("a chunk at one byte a second", &bdat, "0123456789", 50),
        ("chunks of ten bytes", &OPEN.to_owned(), "BDAT 1\r\nx", 60),
        (
            "DATA at two bytes a second",
            &data,
            "01234567890123456789",
            0,
        ),
    ];
    for (name, open, piece, seconds) in rows {
        assert_eq!(trickle(open, piece), seconds, "{name}");
    }
}

#[test]
fn a_body_is_not_late_because_the_store_is_slow() {
    let config = config(|config| {
        config.timeouts.body = Duration::from_secs(30);
        config.limits.body_rate = 1000;
    });
    let mut session = Session::new(&config, Answering::AtOnce);
    say(&mut session, &format!("{OPEN}DATA\r\n"));
    session.server.wire_mut().push(b"text\r\n");
    assert!(matches!(
        session.server.poll(session.now),
        Action::Event(Event::Body(_))
    ));
    session.now = session.now + Duration::from_secs(500);
    assert!(!session.settle());
    let left = session.now + Duration::from_secs(30);
    assert_eq!(session.server.deadline(), Some(left));
}

#[test]
fn a_session_that_brings_no_message_ends_however_busy_it_is() {
    let config = config(|config| config.timeouts.session = Duration::from_secs(1000));
    for (name, said, ends) in [
        ("NOOP", "NOOP\r\n", true),
        ("transactions given up", &*format!("{OPEN}RSET\r\n"), true),
        ("messages", &*format!("{OPEN}DATA\r\nx\r\n.\r\n"), false),
    ] {
        let mut session = Session::new(&config, Answering::AtOnce);
        session.settle();
        let mut ended = false;
        for _ in 0..20 {
            say(&mut session, said);
            session.now = session.now + Duration::from_secs(100);
            ended = ended || session.settle();
        }
        assert_eq!(ended, ends, "{name}");
    }
}

#[test]
fn a_command_that_came_in_time_is_served_however_late_it_is_looked_at() {
    let mut session = session();
    session.settle();
    session.server.wire_mut().push(b"NOOP\r\n");
    session.now = session.now + Duration::from_secs(1000);
    assert!(!session.settle());
    assert!(session.trace.replies.ends_with(b"250 2.0.0 ok\r\n"));
}

#[test]
fn nobody_is_late_while_the_application_thinks() {
    let config = config(|_| {});
    let mut server = Server::new(config, Mono::ZERO);
    let late = Mono::from_start(Duration::from_secs(100_000));
    let Action::Event(Event::Connected(ticket)) = server.poll(Mono::ZERO) else {
        panic!("the first event is the connection");
    };
    assert_eq!(server.deadline(), None);
    assert_eq!(server.poll(late), Action::Wait);
    server.answer(ticket, Verdict::Accept);
    assert_eq!(server.poll(late), Action::Read);
    assert_eq!(server.deadline(), Some(late + Duration::from_secs(300)));
}

#[test]
fn a_peer_that_does_not_read_is_given_up() {
    let mut server = Server::new(config(|c| c.limits.output_high_water = 10), Mono::ZERO);
    let Action::Event(Event::Connected(ticket)) = server.poll(Mono::ZERO) else {
        panic!("the first event is the connection");
    };
    server.answer(ticket, Verdict::Accept);
    server.wire_mut().push(b"NOOP\r\n");
    assert_eq!(server.poll(Mono::ZERO), Action::Write);
    let late = server.deadline().unwrap();
    assert_eq!(server.poll(late), Action::Close);
}

fn closing() -> Reply {
    Reply::fixed(421, "closing down").with(Enhanced::new(3, 2))
}

#[test]
fn shutting_down_waits_for_the_message_under_way() {
    let mut session = session();
    say(
        &mut session,
        "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx",
    );
    session.server.shutdown(closing());
    assert!(!session.settle());
    session.feed(b"y\r\n.\r\n", &mut std::iter::empty());
    assert!(session.settle());
    let replies = String::from_utf8_lossy(&session.trace.replies).into_owned();
    assert!(
        replies.ends_with("250 2.0.0 ok\r\n421 4.3.2 closing down\r\n"),
        "{replies}"
    );
}

#[test]
fn shutting_down_ends_an_idle_session_at_once() {
    let mut session = session();
    say(&mut session, "MAIL FROM:<a@b>\r\n");
    session.server.shutdown(closing());
    assert!(session.settle());
    assert_eq!(
        session.trace.seen.last(),
        Some(&Seen::Abort(AbortReason::Closed))
    );
}

#[test]
fn cutting_ends_even_a_message() {
    let mut session = session();
    say(
        &mut session,
        "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n",
    );
    session.server.cut(&closing());
    assert!(session.settle());
    assert!(
        session
            .trace
            .replies
            .ends_with(b"421 4.3.2 closing down\r\n")
    );
    assert_eq!(
        session.trace.seen.last(),
        Some(&Seen::Abort(AbortReason::Closed))
    );
}

#[test]
fn commands_have_a_pace_and_a_burst() {
    let config = config(|config| config.limits.commands_per_minute = 6);
    let mut session = Session::new(&config, Answering::AtOnce);
    session.settle();
    say(&mut session, &"NOOP\r\n".repeat(6));
    session.now = session.now + Duration::from_secs(10);
    say(&mut session, "MAIL FROM:<a@b>\r\n");
    let replies = |session: &Session| String::from_utf8_lossy(&session.trace.replies).into_owned();
    assert!(!replies(&session).contains("421"), "{}", replies(&session));
    say(&mut session, "NOOP\r\nNOOP\r\n");
    let end = "\r\n421 4.7.0 too many commands in a short time, closing\r\n";
    assert!(replies(&session).ends_with(end), "{}", replies(&session));
    let aborted = Seen::Abort(AbortReason::TooManyCommands);
    assert_eq!(session.trace.seen.last(), Some(&aborted));
}
