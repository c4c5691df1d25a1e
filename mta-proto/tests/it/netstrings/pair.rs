//! The clients and the servers joined: what goes in at one end comes out at the other (qmail-qmtpd(8), qmail-qmqpd(8)).

use super::oracle::{Qmqp, Qmtp, Seen, Subject};
use bytes::Bytes;
use mta_core::{Address, Mono};
use mta_proto::qmtp::Encoding;
use mta_proto::qmtp::client::{Config, Event, Transaction};
use mta_proto::{Action, Chunk, Machine, qmqp, qmtp};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;

#[derive(Clone, Debug)]
struct Mail {
    from: Address,
    to: Vec<Address>,
    body: Bytes,
    encoding: Encoding,
}

impl Mail {
    fn transaction(&self) -> Transaction {
        let size = self.body.len() as u64;
        let mut transaction = Transaction::new(self.from.clone(), self.to.clone(), size);
        transaction.encoding = self.encoding;
        transaction
    }

    /// What the server has to see of it.
    fn seen(&self) -> Vec<Seen> {
        let mut body = self.body.to_vec();
        if self.encoding == Encoding::Crlf {
            body = String::from_utf8(body)
                .unwrap()
                .replace("\r\n", "\n")
                .into_bytes();
        }
        let mut seen = vec![Seen::Message(self.body.len() as u64)];
        let size = body.len() as u64;
        if !body.is_empty() {
            seen.push(Seen::Body(body));
        }
        seen.push(Seen::Sender(self.from.as_bytes().to_vec()));
        seen.extend(self.to.iter().map(|to| Seen::Rcpt(to.as_bytes().to_vec())));
        seen.push(Seen::End(size));
        seen
    }

    /// What its sender has to be told, a letter for each recipient.
    fn letters(&self) -> String {
        let full = self.from.local() == b"full";
        let letter = |to: &Address| match to.local() {
            b"nobody" => 'D',
            b"later" => 'Z',
            _ if full => 'Z',
            _ => 'K',
        };
        self.to.iter().map(letter).collect()
    }
}

fn mail() -> impl Strategy<Value = Mail> {
    let address = || {
        let names = prop_oneof![
            "[a-z]{1,8}",
            Just("later".to_owned()),
            Just("nobody".to_owned())
        ];
        names.prop_map(|name| Address::new(name + "@example.org").unwrap())
    };
    let sender = prop_oneof![
        4 => address(),
        1 => Just(Address::null()),
        1 => Just(Address::new("full@example.org").unwrap()),
    ];
    let body = prop_oneof!["[a-z.\r\n]{0,60}", "[a-z]{0,9}(\r\n|\n){0,3}[0-9]{0,3000}"];
    let crlf = any::<bool>();
    (sender, prop::collection::vec(address(), 0..5), body, crlf).prop_map(
        |(from, mut to, body, crlf)| {
            // Somebody has to be taken, or there is no end.
            to.push(Address::new("somebody@example.org").unwrap());
            let encoding = if crlf { Encoding::Crlf } else { Encoding::Lf };
            let body = Bytes::from(body);
            Mail {
                from,
                to,
                body,
                encoding,
            }
        },
    )
}

/// Moves up to `most` bytes from one end to the other.
fn carry(from: &mut impl Machine, to: &mut impl Machine, most: usize) {
    let output = from.wire().output();
    let piece = output.get(..most.min(output.len())).unwrap().to_vec();
    let taken = to.wire_mut().push(&piece);
    from.wire_mut().advance_output(taken);
}

/// Lets a server go on until it waits.
fn serve<S: Subject>(subject: &mut S, seen: &mut Vec<Seen>) -> bool {
    loop {
        match subject.server().poll(Mono::ZERO) {
            Action::Event(event) => {
                let new = subject.see(event);
                match (seen.last_mut(), new) {
                    (Some(Seen::Body(all)), Seen::Body(more)) => all.extend_from_slice(&more),
                    (_, Seen::Connected) => {}
                    (_, new) => seen.push(new),
                }
            }
            Action::Close => return true,
            _ => return false,
        }
    }
}

fn piece(body: &mut Bytes, most: usize) -> Chunk {
    let piece = body.split_to(most.min(body.len()));
    if piece.is_empty() {
        Chunk::End
    } else {
        Chunk::Bytes(piece)
    }
}

proptest! {
    #[test]
    fn mail_passes_unchanged_through_qmtp(
        mails in prop::collection::vec(mail(), 1..6),
        under_way in 1_usize..4,
        cut in 1_usize..50,
    ) {
        let config = Config { under_way, output_high_water: 32, ..Config::default() };
        let mut client = qmtp::client::Client::new(Arc::new(config), "mx", Mono::ZERO);
        let mut subject = Qmtp::new(&Arc::new(qmtp::server::Config::default()));
        let (mut seen, mut letters) = (Vec::new(), Vec::new());
        let mut waiting: VecDeque<_> = mails.iter().collect();
        let mut body = Bytes::new();
        for step in 0.. {
            prop_assert!(step < 100_000, "the two run on for ever");
            match client.poll(Mono::ZERO) {
                Action::Event(Event::Ready) => match waiting.pop_front() {
                    Some(mail) => {
                        body = mail.body.clone();
                        client.begin(mail.transaction()).unwrap();
                    }
                    None => client.quit(),
                },
                Action::Event(Event::Need(ticket)) => client.chunk(ticket, piece(&mut body, cut)),
                Action::Event(Event::Finished(reports)) => letters.push(
                    reports.iter().map(|r| char::from(r.outcome.letter())).collect::<String>(),
                ),
                Action::Event(other) => prop_assert!(false, "{:?}", other),
                Action::Close => break,
                _ => {
                    carry(&mut client, subject.server(), cut);
                    serve(&mut subject, &mut seen);
                    carry(subject.server(), &mut client, cut);
                }
            }
        }
        let expected: Vec<Seen> = mails.iter().flat_map(Mail::seen).collect();
        prop_assert_eq!(seen, expected);
        let expected: Vec<String> = mails.iter().map(Mail::letters).collect();
        prop_assert_eq!(letters, expected);
    }

    #[test]
    fn mail_passes_unchanged_through_qmqp(mut mail in mail(), cut in 1_usize..50) {
        // The body is taken as it is.
        mail.encoding = Encoding::Lf;
        let config = Config { output_high_water: 32, ..Config::default() };
        let mut client = qmqp::client::Client::new(Arc::new(config), "mx", Mono::ZERO);
        let mut subject = Qmqp::new(&Arc::new(qmqp::server::Config::default()));
        let (mut seen, mut body) = (Vec::new(), mail.body.clone());
        let mut letter = 0;
        for step in 0.. {
            prop_assert!(step < 100_000, "the two run on for ever");
            match client.poll(Mono::ZERO) {
                Action::Event(qmqp::client::Event::Ready) => client.begin(mail.transaction()).unwrap(),
                Action::Event(qmqp::client::Event::Need(ticket)) => client.chunk(ticket, piece(&mut body, cut)),
                Action::Event(qmqp::client::Event::Finished(report)) => letter = report.outcome.letter(),
                Action::Event(other) => prop_assert!(false, "{:?}", other),
                Action::Close => break,
                _ => {
                    carry(&mut client, subject.server(), cut);
                    serve(&mut subject, &mut seen);
                    carry(subject.server(), &mut client, cut);
                }
            }
        }
        prop_assert_eq!(seen, mail.seen());
        prop_assert_eq!(letter, if mail.from.local() == b"full" { b'Z' } else { b'K' });
    }
}
