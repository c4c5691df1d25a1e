//! A whole client session against a hostile server: every recipient gets one report, nothing bare goes out (qmail-remote(8)).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::{Address, Mono};
use mta_fuzz::{bytes, pieces, split};
use mta_proto::smtp::client::{Client, Config, Event, Transaction};
use mta_proto::{Action, Chunk, Machine};
use std::sync::Arc;

fn run(server: &[&[u8]], body: &[u8]) -> (Vec<u8>, Vec<String>) {
    let mut client = Client::new(Arc::new(Config::default()), "192.0.2.1", Mono::ZERO);
    let (mut sent, mut seen) = (Vec::new(), Vec::new());
    let mut coming = server.iter().copied();
    let mut piece: &[u8] = &[];
    let mut transactions = 0;
    let mut asked = 0;
    for _ in 0..200_000 {
        let n = client.wire().output().len();
        match client.poll(Mono::ZERO) {
            action @ (Action::Read | Action::Wait | Action::Write) => {
                sent.extend_from_slice(client.wire().output());
                let n = client.wire().output().len();
                client.wire_mut().advance_output(n);
                if matches!(action, Action::Write) {
                    continue;
                }
                if piece.is_empty() {
                    match coming.next() {
                        Some(next) => piece = next,
                        None => client.wire_mut().push_eof(),
                    }
                }
                let taken = client.wire_mut().push(piece);
                piece = &piece[taken..];
            }
            Action::Event(Event::Ready { .. }) => {
                let to = [&b"joe@example.org"[..], b"jane@example.org"].map(|a| Address::new(a).unwrap());
                transactions += usize::from(client.begin(Transaction::new(Address::null(), to)).is_ok());
            }
            Action::Event(Event::Need(ticket)) => {
                asked += 1;
                client.chunk(ticket, if asked == 1 { Chunk::Bytes(bytes(body)) } else { Chunk::End });
            }
            Action::Event(Event::Finished(reports)) => {
                assert_eq!(reports.len(), 2);
                seen.push(format!("{reports:?}"));
                asked = 0;
                if client.is_ready() && transactions < 3 {
                    let to = [&b"joe@example.org"[..], b"jane@example.org"].map(|a| Address::new(a).unwrap());
                    transactions += usize::from(client.begin(Transaction::new(Address::null(), to)).is_ok());
                } else {
                    client.quit();
                }
            }
            Action::Event(other) => seen.push(format!("{other:?}")),
            Action::StartTls => client.tls_started(Mono::ZERO),
            Action::Close => {
                sent.extend_from_slice(client.wire().output());
                return (sent, seen);
            }
        }
        assert!(n < 1 << 20, "unsent output grows without bound");
    }
    panic!("no end");
}

fuzz_target!(|data: &[u8]| {
    let (head, rest) = split(data, 5);
    let (cuts, n) = split(head, 4);
    let (body, server) = split(rest, usize::from(n.first().copied().unwrap_or(0)));
    let (sent, seen) = run(&[server], body);
    for (i, &b) in sent.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| sent[i]);
        assert!(b != b'\n' || before == Some(b'\r'), "a bare LF went out");
        assert!(before != Some(b'\r') || b == b'\n', "a bare CR went out");
    }
    let ends = seen.iter().filter(|s| !s.starts_with("Ready")).count();
    assert!(ends <= 4, "more ends than transactions: {seen:?}");
    // A reply that comes before its command has left is another conversation; so lines are only cut.
    let lines: Vec<&[u8]> = server.split_inclusive(|&b| b == b'\n').collect();
    let cut: Vec<&[u8]> = lines.iter().flat_map(|line| pieces(line, cuts)).collect();
    assert_eq!(run(&lines, body), run(&cut, body));
});
