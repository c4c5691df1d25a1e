//! QMTP in both roles: no cut of the input can be seen, and every message that was begun has one result (qmail-qmtpd(8)).
#![no_main]

#[path = "../../mta-proto/tests/it/netstrings/oracle.rs"]
mod oracle;

use libfuzzer_sys::fuzz_target;
use mta_core::{Address, Mono};
use mta_fuzz::{bytes, pieces, split};
use mta_proto::qmtp::client::{Client, Config, Event, Transaction};
use mta_proto::qmtp::server;
use mta_proto::{Action, Chunk, Machine};
use std::sync::Arc;

fn transaction(body: &[u8]) -> Transaction {
    let to = [&b"joe@example.org"[..], b"jane@example.org"].map(|a| Address::new(a).unwrap());
    Transaction::new(Address::null(), to, body.len() as u64)
}

/// Runs a client against what a server says and returns what it told.
fn client(said: &[&[u8]], body: &[u8]) -> Vec<String> {
    let mut client = Client::new(Arc::new(Config::default()), "192.0.2.1", Mono::ZERO);
    let mut coming = said.iter().copied();
    let (mut begun, mut results, mut whole, mut told) = (0, 0, false, Vec::new());
    for _ in 0..10_000 {
        match client.poll(Mono::ZERO) {
            Action::Read | Action::Wait | Action::Write => {
                let n = client.wire().output().len();
                assert!(n < 1 << 20, "unsent output grows without bound");
                client.wire_mut().advance_output(n);
                let mut piece = coming.next().unwrap_or_default();
                if piece.is_empty() {
                    client.wire_mut().push_eof();
                }
                while !piece.is_empty() && client.wire().room() > 0 {
                    let taken = client.wire_mut().push(piece);
                    piece = &piece[taken..];
                }
            }
            Action::Event(Event::Ready) if begun < 3 => {
                client.begin(transaction(body)).unwrap();
                (begun, whole) = (begun + 1, true);
            }
            Action::Event(Event::Ready) => client.quit(),
            Action::Event(Event::Need(ticket)) => {
                let chunk = if std::mem::take(&mut whole) { Chunk::Bytes(bytes(body)) } else { Chunk::End };
                client.chunk(ticket, chunk);
            }
            Action::Event(Event::Finished(reports)) => {
                assert_eq!(reports.len(), 2);
                results += 1;
                told.push(format!("{reports:?}"));
            }
            Action::Event(other) => {
                results = begun;
                told.push(format!("{other:?}"));
            }
            Action::StartTls => panic!("there is no TLS"),
            Action::Close => {
                assert_eq!(results, begun, "one result each");
                return told;
            }
        }
    }
    panic!("no end");
}

fuzz_target!(|data: &[u8]| {
    let (head, input) = split(data, 4);
    let (choice, cuts) = split(head, 1);
    let choice = choice.first().copied().unwrap_or(0);
    if choice % 2 == 0 {
        let mut config = server::Config::default();
        config.limits.message_size = u64::from(choice);
        config.limits.recipients = 5;
        let config = Arc::new(config);
        let cuts: Vec<usize> = cuts.iter().map(|&cut| usize::from(cut)).collect();
        oracle::check(|| oracle::Qmtp::new(&config), input, &cuts);
    } else {
        let (body, said) = split(input, usize::from(choice / 2));
        // What is said too early ends the connection, so each response has to wait for its turn.
        client(&pieces(said, cuts), body);
    }
});
