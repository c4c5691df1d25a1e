//! POP3 command lines and whole sessions: one answer each, the same for any split (RFC 1939 §3, RFC 2595 §4, RFC 5034 §4).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::Mono;
use mta_fuzz::{across_tls, bytes, pieces, split};
use mta_proto::pop3::command::Command;
use mta_proto::pop3::{Admission, AuthAnswer, Config, Event, Listing, Refusal, Server};
use mta_proto::sasl::Offer;
use mta_proto::{Action, Chunk, Machine};
use std::sync::Arc;

/// Runs a session on what is said in the clear and behind the handshake; `None` where bytes in the
/// clear were still to come when it was due, for what becomes of them depends on how fast they come.
fn run(input: &[&[u8]], secret: &[&[u8]]) -> Option<Vec<u8>> {
    let config = Config { stls: true, ..Config::default() };
    let mut server = Server::new(Arc::new(config), Mono::ZERO);
    let offer = || Offer::mechanisms(["PLAIN", "X"]);
    server.offer_auth(offer());
    let mut sent = Vec::new();
    let mut coming = input.iter().copied();
    let mut piece: &[u8] = &[];
    let mut given = 0;
    for _ in 0..2_000_000 {
        match server.poll(Mono::ZERO) {
            Action::Write => drain(&mut server, &mut sent),
            Action::Read | Action::Wait => {
                drain(&mut server, &mut sent);
                if piece.is_empty() {
                    match coming.next() {
                        Some(next) => piece = next,
                        None => server.wire_mut().push_eof(),
                    }
                }
                let taken = server.wire_mut().push(piece);
                piece = &piece[taken..];
            }
            Action::Event(Event::Login { password, ticket, .. }) => {
                server.admit(ticket, admission(password.expose().len()));
            }
            Action::Event(Event::Auth { initial, ticket, .. }) => {
                server.answer_auth(ticket, step(initial.as_ref().map_or(b"", |message| message.expose())));
            }
            Action::Event(Event::AuthResponse { message, ticket }) => {
                server.answer_auth(ticket, step(message.expose()));
            }
            Action::Event(Event::TlsStarted) => server.offer_auth(offer()),
            Action::Event(Event::Open { index, ticket, .. }) => {
                given = 0;
                let refuse = index == 2;
                server.opened(ticket, if refuse { Err(Refusal::NO_MESSAGE) } else { Ok(()) });
            }
            Action::Event(Event::Need(ticket)) => {
                given += 1;
                let piece = match given {
                    1 => Chunk::Bytes(bytes(b"Subject: x\n\n.\n..dot\r\nlast")),
                    2 => Chunk::Bytes(bytes(b"\rline")),
                    _ => Chunk::End,
                };
                server.chunk(ticket, piece);
            }
            Action::Event(Event::Quit { ticket, .. }) => server.updated(ticket, Ok(())),
            Action::Event(_) => {}
            Action::StartTls => {
                assert!(server.wire().output().is_empty(), "the reply has not left");
                if !piece.is_empty() || coming.clone().any(|p| !p.is_empty()) {
                    return None;
                }
                coming = secret.iter().copied();
                server.tls_started(Mono::ZERO);
                assert!(server.is_tls());
            }
            Action::Close => {
                sent.extend_from_slice(server.wire().output());
                return Some(sent);
            }
        }
    }
    panic!("no end");
}

/// An odd number lets in.
fn admission(length: usize) -> Admission {
    if length.is_multiple_of(2) {
        return Admission::Refuse(Refusal::AUTHORIZATION);
    }
    let mut listing = Listing::new(10);
    for uid in [&b"one"[..], b"two", b"\0three"] {
        listing.push(20, uid).unwrap();
    }
    Admission::Accept(listing)
}

/// A short message is challenged.
fn step(message: &[u8]) -> AuthAnswer {
    if message.len() < 3 {
        return AuthAnswer::Challenge(message.to_vec());
    }
    AuthAnswer::Done(admission(message.len()))
}

fn drain(server: &mut Server, sent: &mut Vec<u8>) {
    sent.extend_from_slice(server.wire().output());
    let n = server.wire().output().len();
    server.wire_mut().advance_output(n);
}

/// One session in three splits.
fn agree(clear: &[u8], secret: &[u8], cuts: &[u8]) {
    let Some(bytewise) = run(&pieces(clear, &[1]), &pieces(secret, &[1])) else {
        return;
    };
    assert_eq!(run(&[clear], &[secret]).as_ref(), Some(&bytewise));
    assert_eq!(run(&pieces(clear, cuts), &pieces(secret, cuts)), Some(bytewise));
}

fuzz_target!(|data: &[u8]| {
    let _ = Command::parse(data);
    let (cuts, input) = split(data, 4);
    let (clear, secret) = across_tls(input);
    agree(clear, secret, cuts);
    let login = b"USER joe\r\nPASS abc\r\n";
    agree(&[login, input].concat(), b"", cuts);
    agree(b"STLS\r\n", &[login, secret].concat(), cuts);
});
