//! The QMQP server session: one message in, one response out (qmail-qmqpd(8)).
//!
//! ```text
//!  connect ─Connected─► package ─► message ─► sender ─► recipients ──End──► response ─► closed
//!                          │        Message,   Sender    Recipient…              ▲
//!                          ▼        Body…                                        │
//!                        closed       └──────── Abort, the rest is skipped ──────┘
//! ```
//! The machine knows the protocol and nothing else. What is not this protocol is answered as the
//! original answers it: by closing without a word.

mod config;
mod event;
mod steps;

pub use crate::qmtp::server::Verdict;
pub use config::{Config, Limits};
pub use event::{AbortReason, Commit, Event, Greeting, Question};

use crate::netstring::{Collected, Malformed, Reader};
use crate::qmtp::response;
use crate::{Action, Machine, Ticket, Wire};
use mta_core::Mono;
use mta_core::report::{Outcome, Report};
use std::sync::Arc;

/// One session of a QMQP server.
///
/// ```
/// use mta_core::Mono;
/// use mta_core::report::Report;
/// use mta_proto::qmqp::server::{Config, Event, Server, Verdict};
/// use mta_proto::{Action, Machine};
/// use std::sync::Arc;
///
/// let mut server = Server::new(Arc::new(Config::default()), Mono::ZERO);
/// server.wire_mut().push(b"21:6:hello\n,3:a@b,3:c@d,,");
/// loop {
///     match server.poll(Mono::ZERO) {
///         Action::Event(Event::Connected(ticket)) => server.answer(ticket, Verdict::Accept),
///         Action::Event(Event::End { ticket, size: 6 }) => {
///             server.answer(ticket, Verdict::Report(Report::success("ok 12 qp 345")));
///         }
///         Action::Event(_) => {}
///         Action::Close => break,
///         other => panic!("{other:?}"),
///     }
/// }
/// assert_eq!(server.wire().output(), b"13:Kok 12 qp 345,");
/// ```
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    wire: Wire,
    phase: Phase,
    /// Reads the package.
    outer: Reader,
    /// Reads what is in it.
    inner: Reader,
    address: Collected,
    /// Bytes handed out.
    size: u64,
    recipients: u64,
    /// Bytes of their addresses.
    envelope: usize,
    /// The application heard of the message and has to hear of its end.
    told: bool,
    /// Why the message is not taken.
    refusal: Option<Report>,
    /// The open question.
    open: Option<(u64, Kind)>,
    serial: u64,
    born: Mono,
    /// Why nothing more happens.
    ended: Option<AbortReason>,
    /// An abort that the application has still to hear of.
    abort: Option<AbortReason>,
    /// Ends the session where no package was begun.
    closing: bool,
    /// The application has the word.
    handed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Start,
    Package,
    Message,
    Sender,
    Recipients,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Greeting,
    Commit,
}

type Step = Result<Option<Action<Event>>, Malformed>;

impl Server {
    /// Makes a session for a peer that has just connected.
    #[must_use]
    pub fn new(config: Arc<Config>, now: Mono) -> Self {
        let limits = &config.limits;
        Self {
            wire: Wire::new(limits.input_buffer.max(64), limits.response.max(64)),
            phase: Phase::Start,
            outer: Reader::new(limits.package),
            inner: Reader::new(limits.package),
            address: Collected::default(),
            size: 0,
            recipients: 0,
            envelope: 0,
            told: false,
            refusal: None,
            open: None,
            serial: 0,
            born: now,
            ended: None,
            abort: None,
            closing: false,
            handed: false,
            config,
        }
    }

    /// Answers a question. The answer of a session that has ended meanwhile does nothing.
    pub fn answer<K: Question>(&mut self, ticket: Ticket<K>, verdict: Verdict) {
        self.handed = false;
        let Some((_, kind)) = self.open.take_if(|open| open.0 == ticket.serial()) else {
            return;
        };
        let report = match verdict {
            Verdict::Accept => Report::success("ok"),
            Verdict::Report(report) => report,
            Verdict::Close => return self.end(AbortReason::Closed),
        };
        match kind {
            Kind::Greeting if report.outcome == Outcome::Success => self.phase = Phase::Package,
            Kind::Greeting => self.end(AbortReason::Closed),
            Kind::Commit => self.respond(&report),
        }
    }

    /// Ends the session where no package was begun; otherwise when it is answered, as always.
    pub const fn shutdown(&mut self) {
        self.closing = true;
    }

    /// Ends the session now, even within a package; what was not answered counts as not taken.
    pub fn cut(&mut self) {
        if self.phase != Phase::Closed {
            self.end(AbortReason::Closed);
        }
    }

    /// Tells why the session has ended without a response.
    #[must_use]
    pub const fn ended(&self) -> Option<AbortReason> {
        self.ended
    }

    fn step(&mut self) -> Option<Action<Event>> {
        if let Some(reason) = self.abort.take() {
            return Some(Action::Event(Event::Abort(reason)));
        }
        if self.phase == Phase::Closed {
            return Some(Action::Close);
        }
        if self.open.is_some() {
            return Some(Action::Wait);
        }
        let stepped = match self.phase {
            Phase::Start => {
                let ticket = self.ask(Kind::Greeting);
                Ok(Some(Action::Event(Event::Connected(ticket))))
            }
            Phase::Package => self.package_step(),
            Phase::Message => self.message_step(),
            Phase::Sender => self.sender_step(),
            Phase::Recipients => self.recipients_step(),
            Phase::Closed => Ok(None),
        };
        stepped.unwrap_or_else(|malformed| {
            self.end(AbortReason::Malformed(malformed));
            None
        })
    }

    fn ask<K: Question>(&mut self, kind: Kind) -> Ticket<K> {
        self.serial += 1;
        self.open = Some((self.serial, kind));
        Ticket::new(self.serial)
    }

    fn respond(&mut self, report: &Report) {
        response::encode(report, self.config.limits.response, self.wire.output_mut());
        self.close();
    }

    fn end(&mut self, reason: AbortReason) {
        self.ended.get_or_insert(reason);
        if std::mem::take(&mut self.told) {
            self.abort = Some(reason);
        }
        self.close();
    }

    fn close(&mut self) {
        self.open = None;
        self.phase = Phase::Closed;
        self.address = Collected::default();
        self.wire.input_mut().clear();
        self.wire.release_idle();
    }
}

impl Machine for Server {
    type Event = Event;

    fn poll(&mut self, now: Mono) -> Action<Event> {
        self.handed = false;
        loop {
            match self.step() {
                None => {}
                Some(Action::Read) if self.deadline().is_some_and(|deadline| now >= deadline) => {
                    self.end(AbortReason::Timeout);
                }
                Some(action) => {
                    self.handed = matches!(action, Action::Event(_));
                    return action;
                }
            }
        }
    }

    fn deadline(&self) -> Option<Mono> {
        let ours = self.handed || self.open.is_some() || self.phase == Phase::Closed;
        (!ours).then(|| self.born + self.config.lifetime)
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}
