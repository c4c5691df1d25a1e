//! Servers that mean harm: each ends in a clear report and within the bounds (RFC 5321 §4.2).

use super::kit::{Random, address, check, mail, session};
use super::{OPENING, PIPELINED};
use bytes::Bytes;
use mta_core::Mono;
use mta_core::report::Outcome;
use mta_proto::smtp::client::{Chunk, Client, Config, Event, Tls, Transaction};
use mta_proto::{Action, Machine};
use std::sync::Arc;
use std::time::Duration;

const BAD: &str = "Z Connected to 192.0.2.1 but its reply was bad:";

#[test]
fn replies_that_are_none_end_the_connection_with_a_reason() {
    let rows = [
        (
            "another protocol",
            "SSH-2.0-OpenSSH_9.9",
            "a reply must begin with three digits",
        ),
        ("empty line", "", "a reply must begin with three digits"),
        (
            "two digits",
            "22 hi",
            "a reply must begin with three digits",
        ),
        (
            "four digits",
            "2200 hi",
            "a reply must begin with three digits",
        ),
        (
            "a code beyond all",
            "999 hi",
            "a reply must begin with three digits",
        ),
        (
            "codes change",
            "220-a\nS: 250 b",
            "a reply began with code 220 and went on with 250",
        ),
    ];
    for (_name, reply, why) in rows {
        let said = reply.replace("\nS: ", "|");
        check(
            &session(&[]),
            &format!(
                "S: {reply}\nE: next {BAD} {why}. (#4.5.0)|Remote host said: {said}|\nE: close"
            ),
        );
    }
}

#[test]
fn lines_without_code_inside_a_reply_are_text() {
    check(
        &session(&[]),
        "
        S: 220-mx.example.org
        S: no code here
        S: 220 done
        C: EHLO me.example
        S: 250-mx
        S: PIPELINING
        S: 250 SIZE
        E: ready ESMTP SIZE
        C: QUIT
        ",
    );
}

#[test]
fn endless_replies_are_cut() {
    let rows: [(&str, &[u8]); 4] = [
        ("endless continuation", b"220-more and more\r\n"),
        ("endless lines without code", b"220-a\r\nb\r\n"),
        (
            "a line without end",
            b"220 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ),
        ("NULs", b"\0\0\0\0\0\0\0\0"),
    ];
    for (name, piece) in rows {
        let mut client = Client::new(Arc::new(Config::default()), "mx", Mono::ZERO);
        let mut fed = 0;
        let event = loop {
            match client.poll(Mono::ZERO) {
                Action::Event(event) => break event,
                Action::Read => fed += client.wire_mut().push(piece),
                other => panic!("{name}: {other:?}"),
            }
            assert!(fed < 1_000_000, "{name} is listened to for ever");
        };
        let Event::Unusable { report, .. } = event else {
            panic!("{name}: {event:?}")
        };
        assert_eq!(report.outcome, Outcome::Deferral, "{name}");
        assert!(
            report.text.len() < 5200,
            "{name}: {} bytes",
            report.text.len()
        );
        assert_eq!(client.poll(Mono::ZERO), Action::Close, "{name}");
    }
}

#[test]
fn a_refusal_inside_the_body_stops_it_without_a_dot() {
    let rows = [
        (
            "permanent",
            "552 too much",
            "D 192.0.2.1 failed after I sent the message.",
        ),
        (
            "temporary",
            "452 full",
            "Z 192.0.2.1 failed after I sent the message.",
        ),
        (
            "farewell",
            "421 bye",
            "Z Connected to 192.0.2.1 but connection died. (#4.4.2)",
        ),
        (
            "accepted before it was sent",
            "250 ok",
            "Z Connected to 192.0.2.1 but connection died. (#4.4.2)",
        ),
    ];
    for (name, reply, text) in rows {
        let mut client = in_body();
        let Action::Event(Event::Need(ticket)) = client.poll(Mono::ZERO) else {
            panic!()
        };
        client.chunk(ticket, Chunk::Bytes(Bytes::from_static(b"one\ntwo\n")));
        client.wire_mut().push(format!("{reply}\r\n").as_bytes());
        let event = loop {
            match client.poll(Mono::ZERO) {
                Action::Event(Event::Need(ticket)) => client.chunk(ticket, Chunk::End),
                Action::Event(event) => break event,
                other => panic!("{name}: {other:?}"),
            }
        };
        let Event::Finished(reports) = event else {
            panic!("{name}: {event:?}")
        };
        let letter = char::from(reports[0].outcome.letter());
        let shown = format!("{letter} {}", String::from_utf8_lossy(&reports[0].text));
        assert_eq!(
            shown,
            format!("{text}\nRemote host said: {reply}\n"),
            "{name}"
        );
        assert_eq!(
            client.wire().output(),
            b"",
            "{name}: the dot must never leave"
        );
        assert_eq!(client.poll(Mono::ZERO), Action::Close, "{name}");
    }
}

/// A client whose server is in the midst of a body.
fn in_body() -> Client {
    let mut client = Client::new(Arc::new(Config::default()), "192.0.2.1", Mono::ZERO);
    client
        .wire_mut()
        .push(b"220 hi\r\n250-hi\r\n250 PIPELINING\r\n");
    let Action::Event(Event::Ready { .. }) = client.poll(Mono::ZERO) else {
        panic!()
    };
    client
        .begin(Transaction::new(
            address("a@me.example"),
            [address("joe@example.org")],
        ))
        .unwrap();
    assert_eq!(client.poll(Mono::ZERO), Action::Read);
    client.wire_mut().push(b"250 ok\r\n250 ok\r\n354 go\r\n");
    let n = client.wire().output().len();
    client.wire_mut().advance_output(n);
    client
}

#[test]
fn replies_that_are_out_of_step_end_the_connection() {
    let one = [mail("a@me.example", &["joe@example.org"], "x\n")];
    check(
        &session(&one),
        &format!(
            "{OPENING}
        C: MAIL FROM:<a@me.example>
        S: 250 ok
        C: RCPT TO:<joe@example.org>
        S: 354 go
        E: Z 192.0.2.1 does not like recipient.|Remote host said: 354 go|
        E: close"
        ),
    );
    check(
        &session(&one),
        &format!(
            "{PIPELINED}
        C: MAIL FROM:<a@me.example>
        C: RCPT TO:<joe@example.org>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 250 ok
        E: Z 192.0.2.1 failed on DATA command.|Remote host said: 250 ok|
        E: close"
        ),
    );
}

#[test]
fn bytes_behind_the_answer_to_starttls_end_the_connection() {
    let config = Config {
        tls: Tls::WhenOffered,
        ..Config::default()
    };
    let mut client = Client::new(Arc::new(config), "mx", Mono::ZERO);
    client
        .wire_mut()
        .push(b"220 hi\r\n250-hi\r\n250 STARTTLS\r\n220 go\r\n250 injected\r\n");
    let Action::Event(Event::Unusable { report, .. }) = client.poll(Mono::ZERO) else {
        panic!()
    };
    assert!(
        report
            .text
            .starts_with(b"Connected to mx but STARTTLS failed.")
    );
}

#[test]
fn a_big_body_passes_in_constant_memory() {
    let mut client = in_body();
    let chunk = Bytes::from(b".\n".repeat(512 * 1024));
    let (mut left, mut sent, mut most) = (16, 0, 0);
    loop {
        let action = client.poll(Mono::ZERO);
        let n = client.wire().output().len();
        most = most.max(n);
        match action {
            Action::Event(Event::Need(ticket)) if left > 0 => {
                left -= 1;
                client.chunk(ticket, Chunk::Bytes(chunk.clone()));
            }
            Action::Event(Event::Need(ticket)) => client.chunk(ticket, Chunk::End),
            Action::Write => {
                client.wire_mut().advance_output(n);
                sent += n;
            }
            Action::Read => {
                sent += n;
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(sent, 16 * chunk.len() * 2 + 3);
    assert!(most <= 64 * 1024 + 2, "{most} bytes of output at once");
}

#[test]
fn a_thousand_recipients_are_pipelined_within_the_output_bound() {
    let config = Config {
        output_high_water: 500,
        ..Config::default()
    };
    let mut client = Client::new(Arc::new(config), "mx", Mono::ZERO);
    client
        .wire_mut()
        .push(b"220 hi\r\n250-hi\r\n250 PIPELINING\r\n");
    let _ = client.poll(Mono::ZERO);
    let to = (0..1000).map(|n| address(&format!("user{n}@example.org")));
    client
        .begin(Transaction::new(Default::default(), to))
        .unwrap();
    let mut commands = Vec::new();
    while client.poll(Mono::ZERO) == Action::Write {
        let output = client.wire().output();
        assert!(output.len() <= 600);
        commands.extend_from_slice(output);
        let n = output.len();
        client.wire_mut().advance_output(n);
    }
    commands.extend_from_slice(client.wire().output());
    assert_eq!(commands.iter().filter(|&&b| b == b'\n').count(), 1003);
}

/// A server of random words behind an honest greeting.
fn random_server(random: &mut Random) -> Vec<u8> {
    let words: [&[u8]; 16] = [
        b"220 ",
        b"250 ",
        b"250-",
        b"354 ",
        b"421 ",
        b"550 ",
        b"PIPELINING",
        b"SIZE 9",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"x",
        b"STARTTLS",
        b"220-",
    ];
    let mut input = b"220 hi\r\n250-hi\r\n250-STARTTLS\r\n250 PIPELINING\r\n".to_vec();
    (0..60).for_each(|_| input.extend_from_slice(words[random.below(words.len())]));
    input
}

#[test]
fn a_server_that_takes_byte_by_byte_is_given_up() {
    let config = Config {
        body_rate: 10,
        ..Config::default()
    };
    let mut client = Client::new(Arc::new(config), "mx", Mono::ZERO);
    let replies = b"220 hi\r\n250 hi\r\n250 ok\r\n250 ok\r\n354 go\r\n";
    let mut replies = replies.split_inclusive(|&b| b == b'\n');
    let mut now = Mono::ZERO;
    let mut turns = 0;
    let reports = loop {
        turns += 1;
        assert!(turns < 1000, "the connection does not end");
        match client.poll(now) {
            Action::Read => {
                let unsent = client.wire().output().len();
                client.wire_mut().advance_output(unsent);
                client.wire_mut().push(replies.next().unwrap());
            }
            Action::Event(Event::Ready { .. }) => {
                let to = [address("a@example.org")];
                let mail = Transaction::new(address("me@example.org"), to);
                assert_eq!(client.begin(mail), Ok(()));
            }
            Action::Event(Event::Need(ticket)) => {
                client.chunk(ticket, Chunk::Bytes(Bytes::from(vec![b'x'; 40_000])));
            }
            Action::Event(Event::Finished(reports)) => break reports,
            Action::Write => {
                client.wire_mut().advance_output(1);
                now = now + Duration::from_secs(100);
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reports[0].outcome, Outcome::Deferral);
    // The peace of data_block is over, and nobody waits for 200 bytes to earn the next 20 seconds.
    assert_eq!(now, Mono::ZERO + Duration::from_secs(200));
}

/// Answers whatever a client asks for with one of the possible answers.
fn random_application(client: &mut Client, random: &mut Random, event: Event) {
    match event {
        Event::Need(ticket) => {
            let some = Chunk::Bytes(Bytes::from_static(b"\r.\n"));
            let chunks = [some, Chunk::End, Chunk::Failed];
            client.chunk(ticket, chunks[random.below(3)].clone());
        }
        Event::Ready { .. } | Event::Finished(_) => {
            let to = [address("a@example.org"), address("b@example.org")];
            let _ = client.begin(Transaction::new(address("me@example.org"), to));
        }
        _ => {}
    }
}

#[test]
fn random_servers_never_make_a_client_panic_or_run_on() {
    for seed in 0..3000 {
        let mut random = Random(seed);
        let tls = [Tls::Never, Tls::WhenOffered, Tls::Required][random.below(3)];
        let config = Config {
            tls,
            ..Config::default()
        };
        let mut client = Client::new(Arc::new(config), "mx", Mono::ZERO);
        let input = random_server(&mut random);
        let (mut input, mut steps) = (&input[..], 0);
        loop {
            steps += 1;
            assert!(steps < 3000, "seed {seed} runs on");
            match client.poll(Mono::ZERO) {
                Action::Close => break,
                Action::Read | Action::Wait if input.is_empty() => client.wire_mut().push_eof(),
                Action::Read | Action::Wait | Action::Write => {
                    let n = client.wire().output().len();
                    client
                        .wire_mut()
                        .advance_output(n.min(1 + random.below(40)));
                    let end = (1 + random.below(20)).min(input.len());
                    let taken = client.wire_mut().push(&input[..end]);
                    input = &input[taken..];
                }
                Action::StartTls => client.tls_started(Mono::ZERO),
                Action::Event(event) => random_application(&mut client, &mut random, event),
            }
        }
    }
}
