//! Input that nobody sends in good faith: clear replies, bounded memory, no panic.

use super::config;
use crate::oracle::{self, Answering, Seen, Session};
use mta_core::Mono;
use mta_proto::smtp::server::{AbortReason, Event, Server, Verdict};
use mta_proto::smtp::{Enhanced, Reply};
use mta_proto::{Action, Machine};

fn run(config: &std::sync::Arc<mta_proto::smtp::server::Config>, input: &[u8]) -> oracle::Trace {
    oracle::run(config, input, Answering::AtOnce, &mut std::iter::empty())
}

#[test]
fn a_session_is_small_while_idle() {
    assert!(size_of::<Server>() < 700, "{}", size_of::<Server>());
}

#[test]
fn a_hundred_thousand_commands_in_one_segment_are_all_answered() {
    let trace = run(&config(|_| {}), &b"NOOP\r\n".repeat(100_000));
    assert_eq!(trace.codes().len(), 100_001);
}

#[test]
fn a_hundred_thousand_errors_are_not() {
    let trace = run(&config(|_| {}), &b"XYZZY\r\n".repeat(100_000));
    let codes = trace.codes();
    assert_eq!(codes.len(), 22);
    assert_eq!(codes.last(), Some(&421));
}

#[test]
fn a_line_of_a_hundred_kilobytes_gets_one_reply() {
    let config = config(|_| {});
    let mut input = vec![b'x'; 100_000];
    input.extend_from_slice(b"\r\nNOOP\r\n");
    let trace = oracle::check(&config, &input, &[777]);
    assert_eq!(trace.codes(), [220, 500, 250]);
}

#[test]
fn the_longest_line_allowed_is_understood() {
    let config = config(|c| c.limits.command_line = 600);
    for (length, code) in [(600, 250), (601, 500)] {
        let line = format!("NOOP {}\r\n", "x".repeat(length - 7));
        let trace = oracle::check(&config, line.as_bytes(), &[17]);
        assert_eq!(trace.codes(), [220, code], "{length}");
    }
}

#[test]
fn nul_bytes_are_refused_everywhere() {
    let config = config(|_| {});
    let input =
        b"\0\r\nNOOP\0\r\nMAIL FROM:<a\0@b>\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n\
        a\0b\r\n.\r\n";
    let trace = oracle::check(&config, input, &[4]);
    assert_eq!(trace.codes(), [220, 500, 500, 500, 250, 250, 354, 554]);
    assert!(trace.seen.contains(&Seen::Abort(AbortReason::Nul)));
}

#[test]
fn a_flood_of_recipients_is_told_to_come_again_and_then_cut() {
    let config = config(|_| {});
    let mut input = b"MAIL FROM:<a@b>\r\n".to_vec();
    input.extend_from_slice(&b"RCPT TO:<c@d>\r\n".repeat(5000));
    let codes = run(&config, &input).codes();
    let count = |wanted| codes.iter().filter(|&&code| code == wanted).count();
    assert_eq!(count(250), 1001);
    assert_eq!(count(452), 1020);
    assert_eq!(codes.last(), Some(&421));
}

#[test]
fn a_message_may_be_as_large_as_the_limit_and_no_larger() {
    for (limit, code) in [(9, 250), (8, 552)] {
        let config = config(|c| c.limits.message_size = limit);
        let data = b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\na: b\r\n\r\nxx\r\n.\r\n";
        let trace = oracle::check(&config, data, &[2, 3]);
        assert_eq!(trace.codes(), [220, 250, 250, 354, code], "DATA, {limit}");
        let bdat = b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 12 LAST\r\na: b\r\n\r\nxx\r\n";
        let trace = oracle::check(&config, bdat, &[2, 3]);
        assert_eq!(trace.codes(), [220, 250, 250, code], "BDAT, {limit}");
    }
}

#[test]
fn a_refused_message_is_not_read_forever() {
    let open = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";
    let rest = |n| "y".repeat(n);
    // Above 20 + 50 bytes nobody waits for the rest of a refused message.
    let rows: [(&str, String, &[u16]); 8] = [
        (
            "refused, short",
            format!("{open}DATA\r\na\0{}\r\n.\r\nNOOP\r\n", rest(60)),
            &[220, 250, 250, 354, 554, 250],
        ),
        (
            "refused, long",
            format!("{open}DATA\r\na\0{}\r\n.\r\nNOOP\r\n", rest(70)),
            &[220, 250, 250, 354, 554],
        ),
        (
            "refused, endless",
            format!("{open}DATA\r\na\0{}", rest(70)),
            &[220, 250, 250, 354, 554],
        ),
        (
            "too large, short",
            format!("{open}DATA\r\n{}\r\n.\r\nNOOP\r\n", rest(65)),
            &[220, 250, 250, 354, 552, 250],
        ),
        (
            "too large, long",
            format!("{open}DATA\r\n{}\r\n.\r\nNOOP\r\n", rest(66)),
            &[220, 250, 250, 354, 552],
        ),
        (
            "a chunk too large",
            format!("{open}BDAT 9999999\r\n{}", rest(30)),
            &[220, 250, 250, 552],
        ),
        (
            "a chunk out of place",
            "BDAT 50\r\n".to_owned() + &rest(50) + "NOOP\r\n",
            &[220, 503, 250],
        ),
        (
            "a large chunk out of place",
            "BDAT 51\r\n".to_owned() + &rest(51) + "NOOP\r\n",
            &[220, 503],
        ),
    ];
    let config = config(|c| {
        c.limits.message_size = 20;
        c.limits.refused_size = 50;
    });
    for (name, input, codes) in rows {
        let trace = oracle::check(&config, input.as_bytes(), &[1, 7]);
        assert_eq!(trace.codes(), codes, "{name}");
    }
}

#[test]
fn a_browser_that_is_made_to_speak_smtp_is_sent_away() {
    let config = config(|_| {});
    let body = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n";
    for first in ["POST / HTTP/1.1", "GET /x y HTTP/1.0", "PRI * HTTP/2.0"] {
        let input = format!("{first}\r\nHost: mx\r\n\r\n{body}");
        let trace = oracle::check(&config, input.as_bytes(), &[1, 9]);
        assert_eq!(trace.codes(), [220, 500], "{first}");
    }
    for first in ["POST", "GET /", "XYZZY HTTP", "noop HTTP/1.1"] {
        let input = format!("{first}\r\nNOOP\r\n");
        let trace = oracle::check(&config, input.as_bytes(), &[1, 9]);
        assert_eq!(trace.codes().last(), Some(&250), "{first}");
    }
}

#[test]
fn hanging_up_anywhere_ends_in_an_abort() {
    let config = config(|_| {});
    let input = b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n\
        MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 5 LAST\r\nabcde";
    for length in 0..input.len() {
        // The session itself checks that a transaction ends with End or Abort.
        run(&config, &input[..length]);
    }
}

#[test]
fn a_message_is_taken_though_the_client_leaves_before_the_reply() {
    let config = config(|_| {});
    let mut session = Session::new(&config, Answering::Late);
    let input = b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n";
    session.settle();
    session.server.wire_mut().push(input);
    session.server.wire_mut().push_eof();
    session.settle();
    assert_eq!(session.trace.seen.last(), Some(&Seen::End(2)));
    assert!(session.trace.replies.ends_with(b"250 2.0.0 ok\r\n"));
}

/// Accepts everything until more is needed; gives what it sees of a body to `body`.
fn accept(server: &mut Server, body: &mut dyn FnMut(&[u8])) {
    loop {
        match server.poll(Mono::ZERO) {
            Action::Event(event) => match event {
                Event::Connected(ticket) => server.answer(ticket, Verdict::Accept),
                Event::Mail { ticket, .. } => server.answer(ticket, Verdict::Accept),
                Event::Rcpt { ticket, .. } => server.answer(ticket, Verdict::Accept),
                Event::Data(ticket) => server.answer(ticket, Verdict::Accept),
                Event::End { ticket, .. } => server.answer(ticket, Verdict::Accept),
                Event::Body(text) => body(&text),
                other => panic!("{other:?}"),
            },
            Action::Write => {
                let n = server.wire().output().len();
                server.wire_mut().advance_output(n);
            }
            Action::Read => return,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_long_body_streams_through_one_buffer() {
    const TOTAL: usize = 32 << 20;
    for framing in [
        "DATA\r\n".to_owned(),
        format!("BDAT {} LAST\r\n", TOTAL + 2),
    ] {
        let mut server = Server::new(config(|_| {}), Mono::ZERO);
        let mut nothing = |_: &[u8]| panic!("no body yet");
        accept(&mut server, &mut nothing);
        let opening = format!("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n{framing}");
        server.wire_mut().push(opening.as_bytes());
        accept(&mut server, &mut nothing);
        server.wire_mut().push(b"\r\n");
        accept(&mut server, &mut |text| assert_eq!(text, b"\n"));
        let piece = format!("{}\r\n", "x".repeat(62)).repeat(1024);
        let (mut seen, mut places) = (0, std::collections::BTreeSet::new());
        for _ in 0..TOTAL / piece.len() {
            assert_eq!(server.wire_mut().push(piece.as_bytes()), piece.len());
            accept(&mut server, &mut |text| {
                seen += text.len();
                assert!(text.len() <= piece.len());
                places.insert(text.as_ptr() as usize >> 20);
            });
        }
        assert_eq!(seen, TOTAL / 64 * 63);
        assert!(
            places.len() <= 4,
            "the same memory is used again: {places:?}"
        );
    }
}

#[test]
fn replies_of_the_application_that_mislead_become_451() {
    for (code, wanted) in [(250, 451), (354, 354), (220, 451), (550, 550)] {
        let mut server = Server::new(config(|_| {}), Mono::ZERO);
        server
            .wire_mut()
            .push(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
        loop {
            match server.poll(Mono::ZERO) {
                Action::Event(Event::Connected(ticket)) => server.answer(ticket, Verdict::Accept),
                Action::Event(Event::Mail { ticket, .. }) => server.answer(ticket, Verdict::Accept),
                Action::Event(Event::Rcpt { ticket, .. }) => server.answer(ticket, Verdict::Accept),
                Action::Event(Event::Data(ticket)) => {
                    server.answer(ticket, Verdict::Reply(Reply::fixed(code, "x")));
                }
                Action::Event(Event::Abort(AbortReason::Refused)) => {}
                Action::Read => break,
                other => panic!("{other:?}"),
            }
        }
        let codes = oracle::codes(server.wire().output());
        assert_eq!(codes.last(), Some(&wanted), "{code}");
    }
}

#[test]
fn a_peer_that_was_refused_may_only_quit() {
    let mut server = Server::new(config(|_| {}), Mono::ZERO);
    let Action::Event(Event::Connected(ticket)) = server.poll(Mono::ZERO) else {
        panic!("the first event is the connection");
    };
    let refusal = Reply::fixed(554, "you are not welcome").with(Enhanced::new(7, 1));
    server.answer(ticket, Verdict::Reply(refusal));
    let input = b"EHLO c\r\nMAIL FROM:<a@b>\r\nBDAT 6\r\nQUIT\r\nQUIT\r\n";
    server.wire_mut().push(input);
    assert_eq!(server.poll(Mono::ZERO), Action::Close);
    assert_eq!(
        oracle::codes(server.wire().output()),
        [554, 503, 503, 503, 221]
    );
}
