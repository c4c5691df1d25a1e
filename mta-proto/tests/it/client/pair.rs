//! The client and the server of this crate joined: what goes in at one end comes out at the other (RFC 5321).

use super::kit::{Random, address};
use bytes::Bytes;
use mta_core::report::Outcome;
use mta_core::{Address, Mono};
use mta_proto::smtp::Reply;
use mta_proto::smtp::client::{Chunk, Client, Config, Event, Transaction};
use mta_proto::smtp::server::{Config as ServerConfig, Event as Asked, Server, Verdict};
use mta_proto::{Action, Machine};
use proptest::prelude::*;
use std::sync::Arc;

/// What the server was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Received {
    from: Address,
    to: Vec<Address>,
    body: Vec<u8>,
}

struct Pair {
    client: Client,
    server: Server,
    random: Random,
    receiving: Received,
    received: Vec<Received>,
}

impl Pair {
    fn new(pipelining: bool, seed: u64) -> Self {
        let config = Config {
            pipelining,
            ..Config::default()
        };
        let server = Arc::new(ServerConfig::new("mx.example.org"));
        Self {
            client: Client::new(Arc::new(config), "mx", Mono::ZERO),
            server: Server::new(server, Mono::ZERO),
            random: Random(seed),
            receiving: Received::default(),
            received: Vec::new(),
        }
    }

    /// Sends one message and returns what each recipient was told.
    fn send(&mut self, from: &Address, to: &[Address], body: &[u8]) -> Vec<Outcome> {
        let mut transaction = Some(Transaction::new(from.clone(), to.iter().cloned()));
        let mut body = Bytes::copy_from_slice(body);
        for _ in 0..100_000 {
            if self.client.is_ready() && transaction.is_some() {
                self.client.begin(transaction.take().unwrap()).unwrap();
            }
            self.serve();
            match self.client.poll(Mono::ZERO) {
                Action::Event(Event::Finished(reports)) => {
                    return reports.iter().map(|report| report.outcome).collect();
                }
                Action::Event(Event::Need(ticket)) => {
                    let n = (1 + self.random.below(30)).min(body.len());
                    let chunk = match body.split_to(n) {
                        piece if piece.is_empty() => Chunk::End,
                        piece => Chunk::Bytes(piece),
                    };
                    self.client.chunk(ticket, chunk);
                }
                Action::Event(Event::Ready { .. }) => {}
                Action::Read | Action::Write | Action::Wait => self.carry(),
                other => panic!("{other:?}"),
            }
        }
        panic!("the two run on for ever");
    }

    fn serve(&mut self) {
        let server = &mut self.server;
        match server.poll(Mono::ZERO) {
            Action::Event(Asked::Connected(ticket)) => server.answer(ticket, Verdict::Accept),
            Action::Event(Asked::Hello { ticket, .. }) => server.answer(ticket, Verdict::Accept),
            Action::Event(Asked::Mail { from, ticket, .. }) => {
                self.receiving.from = from;
                server.answer(ticket, Verdict::Accept);
            }
            Action::Event(Asked::Rcpt { to, ticket, .. }) => {
                let refused = to.local().starts_with(b"no");
                server.answer(
                    ticket,
                    if refused {
                        Verdict::Reply(Reply::fixed(550, "no"))
                    } else {
                        self.receiving.to.push(to);
                        Verdict::Accept
                    },
                );
            }
            Action::Event(Asked::Data(ticket)) => server.answer(ticket, Verdict::Accept),
            Action::Event(Asked::Body(piece)) => self.receiving.body.extend_from_slice(&piece),
            Action::Event(Asked::End { ticket, .. }) => {
                self.received.push(std::mem::take(&mut self.receiving));
                server.answer(ticket, Verdict::Accept);
            }
            Action::Event(Asked::Abort(_)) => self.receiving = Received::default(),
            Action::Read | Action::Write | Action::Wait => {}
            other => panic!("{other:?}"),
        }
    }

    /// Carries some bytes in both directions.
    fn carry(&mut self) {
        let (up, down) = (1 + self.random.below(60), 1 + self.random.below(60));
        let output = self.client.wire().output();
        let taken = output[..up.min(output.len())].to_vec();
        let n = self.server.wire_mut().push(&taken);
        self.client.wire_mut().advance_output(n);
        let output = self.server.wire().output();
        let taken = output[..down.min(output.len())].to_vec();
        let n = self.client.wire_mut().push(&taken);
        self.server.wire_mut().advance_output(n);
    }
}

/// A body as a queue holds it: LF line ends, the last line complete.
fn in_queue_form(body: &str) -> Vec<u8> {
    let mut body = body.replace("\r\n", "\n").replace('\r', "\n");
    if !body.is_empty() && !body.ends_with('\n') {
        body.push('\n');
    }
    body.into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn messages_arrive_as_they_were_sent(
        mails in proptest::collection::vec(("(a|\\.|\r|\n|\r\n|MAIL FROM:<x@y>|é){0,40}", 0..4_usize, 0..3_usize), 1..4),
        locals in proptest::collection::vec("[ -~]{1,12}", 4),
        pipelining in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut pair = Pair::new(pipelining, seed);
        for (body, yes, no) in &mails {
            let from = address(&format!("{}@example.org", locals[3]));
            let mut to: Vec<_> = (0..*yes).map(|n| address(&format!("y{}@example.org", locals[n]))).collect();
            to.extend((0..*no).map(|n| address(&format!("no{}@example.org", locals[n]))));
            let before = pair.received.len();
            let outcomes = pair.send(&from, &to, body.as_bytes());
            let wanted: Vec<_> = [Outcome::Success, Outcome::Failure].into_iter()
                .zip([*yes, *no]).flat_map(|(outcome, n)| vec![outcome; n]).collect();
            prop_assert_eq!(outcomes, wanted);
            if *yes == 0 {
                prop_assert_eq!(pair.received.len(), before);
                continue;
            }
            let expected = Received { from, to: to[..*yes].to_vec(), body: in_queue_form(body) };
            prop_assert_eq!(pair.received.len(), before + 1);
            prop_assert_eq!(pair.received.last(), Some(&expected));
        }
    }
}
