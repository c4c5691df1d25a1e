//! The POP3 server in transcripts, fed whole, byte by byte and cut at random (RFC 1939, RFC 2449).

mod auth;
mod kit;
mod limits;
mod start_tls;

use kit::{Application, Seen, run, server, transcript};
use mta_core::Mono;
use mta_proto::pop3::{Config, Server};
use proptest::prelude::*;
use std::sync::Arc;

const FIRST: &str = "Subject: one\n\nline 1\n.dot\n..\nlast";
const SECOND: &str = "Subject: two\n\n";
const MAILBOX: [&str; 5] = [
    FIRST,
    SECOND,
    "gone",
    "Subject: four\n\nx\n",
    "no header\r\nat all\r\n",
];

/// Runs a transcript in every kind of cut and returns the events, which must agree.
#[track_caller]
fn plays(make: impl Fn() -> Server, text: &str) -> Vec<String> {
    let (input, expected) = transcript(text);
    let whole = run(make(), Application::new(&MAILBOX), &input, || usize::MAX);
    assert_eq!(whole.output, expected, "fed whole");
    let bytewise = run(make(), Application::new(&MAILBOX), &input, || 1);
    assert_eq!(bytewise, whole, "fed byte by byte");
    let mut seed = 1u32;
    for _ in 0..20 {
        let cut = run(make(), Application::new(&MAILBOX), &input, || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as usize % 23
        });
        assert_eq!(cut, whole, "cut at random");
    }
    whole.events
}

fn after_login(text: &str) -> String {
    format!(
        "S: +OK hi\nC: USER joe\nS: +OK now the password\nC: PASS sesame\n\
         S: +OK 5 messages (101 octets)\n{text}"
    )
}

#[test]
fn a_whole_session_lists_fetches_deletes_and_updates() {
    let events = plays(
        server,
        &after_login(
            "C: STAT
            S: +OK 5 101
            C: LIST
            S: +OK list follows
            S: 1 40
            S: 2 16
            S: 3 6
            S: 4 20
            S: 5 19
            S: .
            C: DELE 2
            S: +OK deleted
            C: STAT
            S: +OK 4 85
            C: LIST 2
            S: -ERR already deleted
            C: LIST 1
            S: +OK 1 40
            C: UIDL
            S: +OK list follows
            S: 1 uid1
            S: 3 uid3
            S: 4 uid4
            S: 5 uid5
            S: .
            C: uidl 5
            S: +OK 5 uid5
            C: RETR 1
            S: +OK message follows
            S: Subject: one
            S: 
            S: line 1
            S: ..dot
            S: ...
            S: last
            S: .
            C: NOOP
            S: +OK nothing done
            C: QUIT
            S: +OK bye",
        ),
    );
    assert_eq!(events, ["login joe", "open 0 None", "quit [1]"]);
}

#[test]
fn top_sends_the_header_and_as_many_lines_as_asked_for() {
    plays(
        server,
        &after_login(
            "C: TOP 1 0
            S: +OK message follows
            S: Subject: one
            S: 
            S: .
            C: TOP 1 2
            S: +OK message follows
            S: Subject: one
            S: 
            S: line 1
            S: ..dot
            S: .
            C: TOP 1 99999999999999999999
            S: +OK message follows
            S: Subject: one
            S: 
            S: line 1
            S: ..dot
            S: ...
            S: last
            S: .
            C: TOP 2 5
            S: +OK message follows
            S: Subject: two
            S: 
            S: .
            C: TOP 5 0
            S: +OK message follows
            S: no header
            S: at all
            S: .
            C: TOP 1
            S: -ERR syntax error
            C: QUIT
            S: +OK bye",
        ),
    );
}

#[test]
fn last_follows_retr_and_dele_and_rset_takes_everything_back() {
    let events = plays(
        server,
        &after_login(
            "C: LAST
            S: +OK 0
            C: RETR 2
            S: +OK message follows
            S: Subject: two
            S: 
            S: .
            C: LAST
            S: +OK 2
            C: TOP 5 0
            S: +OK message follows
            S: no header
            S: at all
            S: .
            C: DELE 4
            S: +OK deleted
            C: DELE 1
            S: +OK deleted
            C: LAST
            S: +OK 4
            C: RSET
            S: +OK nothing is deleted
            C: LAST
            S: +OK 0
            C: STAT
            S: +OK 5 101
            C: QUIT
            S: +OK bye",
        ),
    );
    assert_eq!(events.last().unwrap(), "quit []");
}

#[test]
fn wrong_numbers_are_told_apart() {
    plays(
        server,
        &after_login(
            "C: RETR 0
            S: -ERR messages are counted from 1
            C: RETR 6
            S: -ERR not that many messages
            C: DELE 184467440737095516170
            S: -ERR not that many messages
            C: DELE 1
            S: +OK deleted
            C: DELE 1
            S: -ERR already deleted
            C: RETR 1
            S: -ERR already deleted
            C: RETR one
            S: -ERR syntax error
            C: RETR -1
            S: -ERR syntax error
            C: RETR
            S: -ERR syntax error
            C: RETR 3
            S: -ERR [SYS/TEMP] unable to open that message
            C: LIST 1 2
            S: -ERR syntax error
            C: QUIT
            S: +OK bye",
        ),
    );
}

#[test]
fn before_the_login_little_is_allowed() {
    let events = plays(
        server,
        "S: +OK hi
        C: STAT
        S: -ERR authorization first
        C: NONSENSE
        S: -ERR authorization first
        C: 
        S: -ERR authorization first
        C: PASS sesame
        S: -ERR USER first
        C: USER
        S: -ERR syntax error
        C: USER joe
        S: +OK now the password
        C: PASS
        S: -ERR syntax error
        C: APOP joe 0123456789abcdef0123456789abcdef
        S: -ERR authorization first
        C: noop
        S: +OK nothing done
        C: CAPA
        S: +OK capability list follows
        S: TOP
        S: USER
        S: UIDL
        S: RESP-CODES
        S: AUTH-RESP-CODE
        S: PIPELINING
        S: .
        C: QUIT
        S: +OK bye",
    );
    assert_eq!(events, [""; 0]);
}

#[test]
fn a_refused_login_tells_why_in_a_code_and_three_end_the_session() {
    let events = plays(
        server,
        "S: +OK hi
        C: USER joe
        S: +OK now the password
        C: PASS wrong
        S: -ERR [AUTH] authorization failed
        C: PASS sesame
        S: -ERR USER first
        C: USER later
        S: +OK now the password
        C: PASS x
        S: -ERR [SYS/TEMP] cannot check the login now
        C: USER joe
        S: +OK now the password
        C: PASS wrong
        S: -ERR [AUTH] authorization failed
        C: USER joe",
    );
    let last = events.last().unwrap();
    assert_eq!(last, "abort TooManyErrors");
}

#[test]
fn a_password_may_hold_spaces_and_a_closing_refusal_stays_one_line() {
    plays(
        server,
        "S: +OK hi
        C: USER joe
        S: +OK now the password
        C: PASS open sesame \\n\\x
        S: +OK 5 messages (101 octets)
        C: USER joe
        S: -ERR already logged in
        C: FOO
        S: -ERR unimplemented
        C: QUIT
        S: +OK bye",
    );
    plays(
        server,
        "S: +OK hi
        C: USER banned
        S: +OK now the password
        C: PASS x
        S: -ERR go  away",
    );
}

#[test]
fn apop_is_offered_only_with_a_timestamp() {
    let make = || {
        let config = Config {
            greeting: "hi".into(),
            implementation: Some("test".into()),
            ..Config::default()
        };
        Server::with_apop(Arc::new(config), Mono::ZERO, "<1.2@mx>")
    };
    let events = plays(
        make,
        "S: +OK hi <1.2@mx>
        C: APOP joe 0123456789abcdef
        S: -ERR syntax error
        C: APOP joe 0123456789abcdef0123456789ABCDEF
        S: +OK 5 messages (101 octets)
        C: CAPA
        S: +OK capability list follows
        S: TOP
        S: UIDL
        S: RESP-CODES
        S: AUTH-RESP-CODE
        S: PIPELINING
        S: IMPLEMENTATION test
        S: .
        C: QUIT
        S: +OK bye",
    );
    assert_eq!(events, ["apop joe", "quit []"]);
}

#[test]
fn a_hang_up_removes_nothing() {
    let events = plays(
        server,
        &after_login("C: DELE 1\nS: +OK deleted\nC: QUIT\\x"),
    );
    assert_eq!(events, ["login joe", "abort HungUp"]);
}

#[test]
fn an_update_that_fails_is_told() {
    let events = plays(
        server,
        &after_login(
            "C: DELE 4
            S: +OK deleted
            C: QUIT
            S: -ERR [SYS/TEMP] unable to unlink all deleted messages",
        ),
    );
    assert_eq!(events, ["login joe", "quit [3]"]);
}

#[test]
fn a_source_that_fails_never_sends_the_final_dot() {
    let (input, _) = transcript("C: USER joe\nC: PASS sesame\nC: RETR 1\nC: NOOP");
    let mut application = Application::new(&MAILBOX);
    application.fails = Some(0);
    let Seen { output, events } = run(server(), application, &input, || 5);
    assert!(!output.contains("\r\n.\r\n"), "{output:?}");
    assert!(!output.contains("nothing done"), "{output:?}");
    assert_eq!(events.last().unwrap(), "abort SourceFailed");
}

/// What RETR must send for `message`: lines ended by CRLF, dots doubled, a last line completed.
fn wire_form(message: &str) -> String {
    let mut wire = String::new();
    for line in message.split_inclusive('\n') {
        let text = line.strip_suffix('\n').unwrap_or(line);
        let text = match line.ends_with('\n') {
            true => text.strip_suffix('\r').unwrap_or(text),
            false => text,
        };
        if text.starts_with('.') {
            wire.push('.');
        }
        wire.push_str(text);
        wire.push_str("\r\n");
    }
    wire + ".\r\n"
}

proptest! {
    #[test]
    fn any_message_in_any_pieces_arrives_as_it_should(
        message in "([a.\r\n]|\r\n){0,40}", piece in 1usize..9,
    ) {
        let message: &'static str = String::leak(message);
        let mut application = Application::new(&[message]);
        application.piece = piece;
        let (input, _) = transcript("C: USER joe\nC: PASS sesame\nC: RETR 1\nC: QUIT");
        let seen = run(server(), application, &input, || usize::MAX);
        let body = seen.output.split_once("follows\r\n").unwrap().1;
        prop_assert_eq!(body, wire_form(message) + "+OK bye\r\n");
    }

    #[test]
    fn any_bytes_in_any_cuts_give_the_same(
        lines in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "USER joe", "PASS sesame", "STAT", "LIST", "UIDL 1", "RETR 1", "RETR 2", "TOP 1 1",
                    "DELE 1", "RSET", "LAST", "NOOP", "CAPA", "QUIT", "\0", "\r", "",
                ]).prop_map(str::to_owned),
                "[ -~\r]{0,20}",
                "[a-z]{500,600}",
            ], 0..12),
        cuts in prop::collection::vec(1usize..50, 1..20),
    ) {
        let input = "USER joe\r\nPASS sesame\r\n".to_owned() + &lines.join("\r\n");
        let input = input.as_bytes();
        let whole = run(server(), Application::new(&MAILBOX), input, || usize::MAX);
        let mut cuts = cuts.into_iter().cycle();
        let cut = run(server(), Application::new(&MAILBOX), input, || cuts.next().unwrap());
        prop_assert_eq!(whole, cut);
    }
}
