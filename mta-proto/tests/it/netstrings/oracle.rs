//! What must hold of a QMTP or QMQP server session whatever it is fed; needs nothing but the public
//! API, so that fuzz targets include this file (qmail-qmtpd(8), qmail-qmqpd(8)).
#![allow(dead_code, reason = "each user of this file calls only a part of it")]

use mta_core::report::Report;
use mta_core::{Address, Mono};
use mta_proto::qmtp::server::Verdict;
use mta_proto::{Action, Machine, qmqp, qmtp};
use std::sync::Arc;

/// What a session did, in its order; pieces of one body and of the output are joined.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Connected,
    Message(u64),
    Body(Vec<u8>),
    Sender(Vec<u8>),
    Rcpt(Vec<u8>),
    End(u64),
    Abort(String),
    Said(Vec<u8>),
    Closed(String),
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connected => write!(f, "connected"),
            Self::Message(size) => write!(f, "message {size}"),
            Self::Body(text) => write!(f, "body {}", text.escape_ascii()),
            Self::Sender(from) => write!(f, "sender <{}>", from.escape_ascii()),
            Self::Rcpt(to) => write!(f, "rcpt <{}>", to.escape_ascii()),
            Self::End(size) => write!(f, "end {size}"),
            Self::Abort(why) => write!(f, "abort: {why}"),
            Self::Said(bytes) => write!(f, "> {}", String::from_utf8_lossy(bytes)),
            Self::Closed(why) => write!(f, "closed: {why}"),
        }
    }
}

/// A server under test, with an application that decides by name: recipients `nobody`, `later` and
/// `leave` are refused for good, refused for now, and closed at; of a sender `full` no message is
/// taken.
pub(crate) trait Subject {
    type Server: Machine;

    fn server(&mut self) -> &mut Self::Server;

    /// Answers an event.
    fn see(&mut self, event: <Self::Server as Machine>::Event) -> Seen;

    fn ended(&self) -> String;
}

pub(crate) struct Qmtp {
    server: qmtp::server::Server,
    sender: Vec<u8>,
}

impl Qmtp {
    pub(crate) fn new(config: &Arc<qmtp::server::Config>) -> Self {
        Self {
            server: qmtp::server::Server::new(config.clone(), Mono::ZERO),
            sender: Vec::new(),
        }
    }
}

impl Subject for Qmtp {
    type Server = qmtp::server::Server;

    fn server(&mut self) -> &mut Self::Server {
        &mut self.server
    }

    fn see(&mut self, event: qmtp::server::Event) -> Seen {
        use qmtp::server::Event;
        match event {
            Event::Connected(ticket) => {
                self.server.answer(ticket, Verdict::Accept);
                Seen::Connected
            }
            Event::Message { size } => Seen::Message(size),
            Event::Body(text) => Seen::Body(text.to_vec()),
            Event::Sender(from) => {
                self.sender = from.as_bytes().to_vec();
                Seen::Sender(self.sender.clone())
            }
            Event::Rcpt { to, ticket } => {
                self.server.answer(ticket, recipient(&to));
                Seen::Rcpt(to.as_bytes().to_vec())
            }
            Event::End { size, ticket } => {
                self.server.answer(ticket, commit(&self.sender));
                Seen::End(size)
            }
            Event::Abort(reason) => Seen::Abort(reason.to_string()),
            other => panic!("{other:?}"),
        }
    }

    fn ended(&self) -> String {
        let ended = self.server.ended().map(|why| why.to_string());
        ended.unwrap_or_default()
    }
}

pub(crate) struct Qmqp {
    server: qmqp::server::Server,
    sender: Vec<u8>,
}

impl Qmqp {
    pub(crate) fn new(config: &Arc<qmqp::server::Config>) -> Self {
        Self {
            server: qmqp::server::Server::new(config.clone(), Mono::ZERO),
            sender: Vec::new(),
        }
    }
}

impl Subject for Qmqp {
    type Server = qmqp::server::Server;

    fn server(&mut self) -> &mut Self::Server {
        &mut self.server
    }

    fn see(&mut self, event: qmqp::server::Event) -> Seen {
        use qmqp::server::Event;
        match event {
            Event::Connected(ticket) => {
                self.server.answer(ticket, Verdict::Accept);
                Seen::Connected
            }
            Event::Message { size } => Seen::Message(size),
            Event::Body(text) => Seen::Body(text.to_vec()),
            Event::Sender(from) => {
                self.sender = from.as_bytes().to_vec();
                Seen::Sender(self.sender.clone())
            }
            Event::Recipient(to) => Seen::Rcpt(to.as_bytes().to_vec()),
            Event::End { size, ticket } => {
                self.server.answer(ticket, commit(&self.sender));
                Seen::End(size)
            }
            Event::Abort(reason) => Seen::Abort(reason.to_string()),
            other => panic!("{other:?}"),
        }
    }

    fn ended(&self) -> String {
        let ended = self.server.ended().map(|why| why.to_string());
        ended.unwrap_or_default()
    }
}

pub(crate) fn recipient(to: &Address) -> Verdict {
    match to.local() {
        b"nobody" => Verdict::Report(Report::failure("no such user (#5.1.1)")),
        b"later" => Verdict::Report(Report::deferral("try again (#4.7.1)")),
        b"leave" => Verdict::Close,
        _ => Verdict::Accept,
    }
}

fn commit(sender: &[u8]) -> Verdict {
    if sender.starts_with(b"full@") {
        Verdict::Report(Report::deferral("disk full (#4.3.0)"))
    } else {
        Verdict::Report(Report::success("ok 1 qp 2"))
    }
}

/// Feeds a whole session in pieces and ends its input; checks on the way what always holds.
pub(crate) fn run<S: Subject>(
    mut subject: S,
    mut input: &[u8],
    cuts: &mut dyn Iterator<Item = usize>,
) -> Vec<Seen> {
    let mut seen = Vec::new();
    let cap = subject.server().wire().room();
    let mut steps = 0;
    let (mut open, mut size) = (false, 0);
    let most = 20 * input.len() + 1000;
    loop {
        steps += 1;
        assert!(steps <= most, "steps are bounded by the input");
        let action = subject.server().poll(Mono::ZERO);
        assert!(subject.server().wire().room() <= cap, "input is bounded");
        drain(subject.server(), &mut seen);
        match action {
            Action::Read if input.is_empty() => {
                assert!(!subject.server().wire().eof(), "it reads behind the end");
                subject.server().wire_mut().push_eof();
            }
            Action::Read => {
                let most = cuts.next().unwrap_or(input.len()).clamp(1, input.len());
                let taken = subject.server().wire_mut().push(&input[..most]);
                assert!(taken > 0, "it reads though nothing fits in");
                input = &input[taken..];
            }
            Action::Write => {}
            Action::Event(event) => {
                let new = subject.see(event);
                follow(&new, &mut open, &mut size);
                push(&mut seen, new);
            }
            Action::Close => break,
            other => panic!("every question was answered: {:?}", discard(other)),
        }
    }
    assert!(!open, "a message ends with End or Abort");
    for _ in 0..3 {
        subject.server().wire_mut().push(b"0:,");
        assert!(matches!(subject.server().poll(Mono::ZERO), Action::Close));
        assert!(subject.server().wire().output().is_empty());
    }
    seen.push(Seen::Closed(subject.ended()));
    seen
}

fn discard<E>(action: Action<E>) -> &'static str {
    match action {
        Action::Wait => "wait",
        Action::StartTls => "starttls",
        _ => "other",
    }
}

/// Checks the order of events, and that sizes are those of the pieces.
fn follow(new: &Seen, open: &mut bool, size: &mut u64) {
    match new {
        Seen::Message(_) => {
            assert!(!std::mem::replace(open, true), "messages do not nest");
            *size = 0;
        }
        Seen::Body(text) => {
            assert!(*open && !text.is_empty());
            *size += text.len() as u64;
        }
        Seen::Sender(address) | Seen::Rcpt(address) => {
            assert!(*open && address.len() <= 999 && !address.contains(&0));
        }
        Seen::End(end) => {
            assert!(std::mem::take(open));
            assert_eq!(end, size, "the size is that of the pieces");
        }
        Seen::Abort(_) => assert!(std::mem::take(open), "only what was begun is aborted"),
        Seen::Connected | Seen::Said(_) | Seen::Closed(_) => {}
    }
}

fn drain(server: &mut impl Machine, seen: &mut Vec<Seen>) {
    let said = server.wire().output().to_vec();
    assert!(said.len() <= 64 * 1024, "output is bounded");
    server.wire_mut().advance_output(said.len());
    if !said.is_empty() {
        push(seen, Seen::Said(said));
    }
}

fn push(seen: &mut Vec<Seen>, new: Seen) {
    match (seen.last_mut(), new) {
        (Some(Seen::Body(all)), Seen::Body(more)) | (Some(Seen::Said(all)), Seen::Said(more)) => {
            all.extend_from_slice(&more);
        }
        (_, new) => seen.push(new),
    }
}

/// Checks that the cuts of the input cannot be seen from the outside.
pub(crate) fn check<S: Subject>(make: impl Fn() -> S, input: &[u8], cuts: &[usize]) -> Vec<Seen> {
    let whole = run(make(), input, &mut std::iter::empty());
    let bytes = run(make(), input, &mut std::iter::repeat(1));
    assert_eq!(whole, bytes, "whole and byte by byte");
    if !cuts.is_empty() {
        let cut = run(make(), input, &mut cuts.iter().copied().cycle());
        assert_eq!(whole, cut, "whole and cut");
    }
    whole
}
