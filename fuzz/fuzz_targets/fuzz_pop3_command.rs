//! POP3 command lines and whole sessions: one answer each, the same for any split (RFC 1939 §3).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::Mono;
use mta_fuzz::{bytes, pieces, split};
use mta_proto::pop3::command::Command;
use mta_proto::pop3::{Admission, Config, Event, Listing, Refusal, Server};
use mta_proto::{Action, Chunk, Machine};
use std::sync::Arc;

fn run(input: &[&[u8]]) -> Vec<u8> {
    let mut server = Server::new(Arc::new(Config::default()), Mono::ZERO);
    let mut sent = Vec::new();
    let mut coming = input.iter().copied();
    let mut piece: &[u8] = &[];
    let mut given = 0;
    for _ in 0..2_000_000 {
        match server.poll(Mono::ZERO) {
            Action::Read | Action::Write | Action::Wait => {
                sent.extend_from_slice(server.wire().output());
                let n = server.wire().output().len();
                server.wire_mut().advance_output(n);
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
                if password.expose().len() % 2 == 0 {
                    server.admit(ticket, Admission::Refuse(Refusal::AUTHORIZATION));
                    continue;
                }
                let mut listing = Listing::new(10);
                for uid in [&b"one"[..], b"two", b"\0three"] {
                    listing.push(20, uid).unwrap();
                }
                server.admit(ticket, Admission::Accept(listing));
            }
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
            Action::StartTls => server.tls_started(Mono::ZERO),
            Action::Close => {
                sent.extend_from_slice(server.wire().output());
                return sent;
            }
        }
    }
    panic!("no end");
}

fuzz_target!(|data: &[u8]| {
    let _ = Command::parse(data);
    let (cuts, input) = split(data, 4);
    let whole = run(&[input]);
    assert_eq!(whole, run(&pieces(input, cuts)));
    assert_eq!(whole, run(&pieces(input, &[1])));
    let login = [b"USER joe\r\nPASS abc\r\n", input].concat();
    assert_eq!(run(&[&login]), run(&pieces(&login, cuts)));
});
