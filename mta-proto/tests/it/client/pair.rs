//! The client and the server of this crate joined: what goes in at one end comes out at the other (RFC 5321).

use super::kit::{Random, address};
use bytes::Bytes;
use mta_core::envelope::{MailParams, Notify, RcptParams, Ret};
use mta_core::report::{Handover, Outcome, Report};
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
    mail: MailParams,
    rcpt: Vec<RcptParams>,
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
        Self::with(config, ServerConfig::new("mx.example.org"), seed)
    }

    fn with(config: Config, server: ServerConfig, seed: u64) -> Self {
        Self {
            client: Client::new(Arc::new(config), "mx", Mono::ZERO),
            server: Server::new(Arc::new(server), Mono::ZERO),
            random: Random(seed),
            receiving: Received::default(),
            received: Vec::new(),
        }
    }

    /// Sends one message and returns what each recipient was told.
    fn send(&mut self, from: &Address, to: &[Address], body: &[u8]) -> Vec<Outcome> {
        let transaction = Transaction::new(from.clone(), to.iter().cloned());
        let reports = self.hand_over(transaction, body);
        reports.iter().map(|report| report.outcome).collect()
    }

    fn hand_over(&mut self, transaction: Transaction, body: &[u8]) -> Vec<Report> {
        let mut transaction = Some(transaction);
        let mut body = Bytes::copy_from_slice(body);
        for _ in 0..100_000 {
            if self.client.is_ready() && transaction.is_some() {
                self.client.begin(transaction.take().unwrap()).unwrap();
            }
            self.serve();
            match self.client.poll(Mono::ZERO) {
                Action::Event(Event::Finished(reports)) => {
                    return reports;
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
            Action::Event(Asked::Mail {
                from,
                params,
                ticket,
                ..
            }) => {
                self.receiving.from = from;
                self.receiving.mail = params;
                server.answer(ticket, Verdict::Accept);
            }
            Action::Event(Asked::Rcpt { to, params, ticket }) => {
                let refused = to.local().starts_with(b"no");
                server.answer(
                    ticket,
                    if refused {
                        Verdict::Reply(Reply::fixed(550, "no"))
                    } else {
                        self.receiving.to.push(to);
                        self.receiving.rcpt.push(params);
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

fn notify() -> impl Strategy<Value = Option<Notify>> {
    let notify = any::<[bool; 3]>().prop_map(|[success, failure, delay]| Notify {
        success,
        failure,
        delay,
    });
    proptest::option::of(notify)
}

fn rcpt_params() -> impl Strategy<Value = RcptParams> {
    let orcpt = proptest::option::of("[a-z0-9-]{1,9};([!-*,-<>-~]|\\+[0-9A-F]{2}){0,60}");
    (notify(), orcpt).prop_map(|(notify, orcpt)| RcptParams {
        notify,
        orcpt: orcpt.map(String::into_bytes),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// RFC 3461 §5.2.1: to a server that speaks DSN all parameters go as they came, each to its
    /// recipient, and that server reports; to another none goes.
    #[test]
    fn dsn_parameters_arrive_as_they_were_sent(
        ret in proptest::option::of(prop_oneof![Just(Ret::Full), Just(Ret::Headers)]),
        envid in proptest::option::of("([!-*,-<>-~]|\\+[0-9A-F]{2}){1,30}"),
        rcpt in proptest::collection::vec(rcpt_params(), 1..5),
        (dsn, pipelining) in any::<(bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let mut server = ServerConfig::new("mx.example.org");
        server.dsn = dsn;
        let config = Config { pipelining, ..Config::default() };
        let mut pair = Pair::with(config, server, seed);
        let to = (0..rcpt.len()).map(|n| address(&format!("y{n}@example.org")));
        let mut transaction = Transaction::new(address("a@example.org"), to);
        let envid = envid.map(String::into_bytes);
        transaction.params = MailParams { ret, envid, ..MailParams::default() };
        for (to, params) in transaction.recipients.iter_mut().zip(&rcpt) {
            to.params = params.clone();
        }
        let sent = transaction.params.clone();
        let reports = pair.hand_over(transaction, b"x\n");
        let duty = if dsn { Handover::PassedOn } else { Handover::Relayed };
        prop_assert!(reports.iter().all(|report| report.handover == Some(duty)), "{:?}", reports);
        let received = pair.received.pop().unwrap();
        if dsn {
            prop_assert_eq!((received.mail, received.rcpt), (sent, rcpt));
        } else {
            let none = (MailParams::default(), vec![RcptParams::default(); rcpt.len()]);
            prop_assert_eq!((received.mail, received.rcpt), none);
        }
    }
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
            let rcpt = vec![RcptParams::default(); *yes];
            let expected = Received { from, to: to[..*yes].to_vec(), body: in_queue_form(body), rcpt, ..Received::default() };
            prop_assert_eq!(pair.received.len(), before + 1);
            prop_assert_eq!(pair.received.last(), Some(&expected));
        }
    }
}
