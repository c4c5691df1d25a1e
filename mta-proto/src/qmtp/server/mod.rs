//! The QMTP server session: packages in, one response for each recipient out (qmail-qmtpd(8)).
//!
//! ```text
//!  connect ─Connected─► message ──────► sender ─► recipients ─────► responses ─┐
//!                        │  ▲ Message,    Sender      Rcpt, Rcpt…, End          │
//!                        ▼  │ Body…                                             │
//!                     closed└───────────────────────────────────────────────────┘
//! ```
//! The machine knows the protocol and nothing else: who may send what to whom is asked. What is not
//! this protocol is answered as the original answers it: by closing without a word.

mod config;
mod event;
mod package;
mod steps;

pub use config::{Config, Limits};
pub use event::{AbortReason, Commit, Event, Greeting, Question, Rcpt, Verdict};

use crate::netstring::{Collected, Malformed, Reader};
use crate::{Action, Machine, Ticket, Wire};
use mta_core::Mono;
use mta_core::report::{Outcome, Report};
use package::{Fate, Package};
use std::sync::Arc;

/// One session of a QMTP server.
///
/// ```
/// use mta_core::Mono;
/// use mta_proto::qmtp::server::{Config, Event, Server, Verdict};
/// use mta_proto::{Action, Machine};
/// use std::sync::Arc;
///
/// let mut server = Server::new(Arc::new(Config::default()), Mono::ZERO);
/// server.wire_mut().push(b"7:\nhello\n,3:a@b,6:3:c@d,,");
/// server.wire_mut().push_eof();
/// let mut body = Vec::new();
/// loop {
///     match server.poll(Mono::ZERO) {
///         Action::Event(Event::Connected(ticket)) => server.answer(ticket, Verdict::Accept),
///         Action::Event(Event::Body(piece)) => body.extend_from_slice(&piece),
///         Action::Event(Event::Rcpt { ticket, .. }) => server.answer(ticket, Verdict::Accept),
///         Action::Event(Event::End { ticket, .. }) => server.answer(ticket, Verdict::Accept),
///         Action::Event(_) => {}
///         Action::Close => break,
///         other => panic!("{other:?}"),
///     }
/// }
/// assert_eq!(body, b"hello\n");
/// assert_eq!(server.wire().output(), b"3:Kok,");
/// ```
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    wire: Wire,
    phase: Phase,
    /// Reads the message, the sender, the list of recipients.
    outer: Reader,
    /// Reads a recipient within the list.
    inner: Reader,
    address: Collected,
    package: Option<Box<Package>>,
    /// The open question.
    open: Option<(u64, Kind)>,
    serial: u64,
    born: Mono,
    /// Why nothing more happens.
    ended: Option<AbortReason>,
    /// An abort that the application has still to hear of.
    abort: Option<AbortReason>,
    /// Ends the session between two packages.
    closing: bool,
    /// The application has the word.
    told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Start,
    Message,
    Sender,
    Recipients,
    Responses,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Greeting,
    Rcpt,
    Commit,
}

type Step = Result<Option<Action<Event>>, Malformed>;

impl Server {
    /// Makes a session for a peer that has just connected.
    #[must_use]
    pub fn new(config: Arc<Config>, now: Mono) -> Self {
        let limits = &config.limits;
        let wire = Wire::new(limits.input_buffer.max(64), limits.output_high_water.max(1));
        Self {
            wire,
            phase: Phase::Start,
            outer: Reader::new(limits.netstring),
            inner: Reader::new(limits.netstring),
            address: Collected::default(),
            package: None,
            open: None,
            serial: 0,
            born: now,
            ended: None,
            abort: None,
            closing: false,
            told: false,
            config,
        }
    }

    /// Answers a question. The answer of a session that has ended meanwhile does nothing.
    pub fn answer<K: Question>(&mut self, ticket: Ticket<K>, verdict: Verdict) {
        self.told = false;
        let Some((_, kind)) = self.open.take_if(|open| open.0 == ticket.serial()) else {
            return;
        };
        let report = match verdict {
            Verdict::Accept => Report::success("ok"),
            Verdict::Report(report) => report,
            Verdict::Close => return self.end(AbortReason::Closed),
        };
        let taken = report.outcome == Outcome::Success;
        match (kind, &mut self.package) {
            (Kind::Greeting, _) if taken => self.phase = Phase::Message,
            (Kind::Rcpt, Some(package)) => package.recipients.push(if taken {
                Fate::Message
            } else {
                Fate::Refused(report)
            }),
            (Kind::Commit, Some(package)) => {
                package.outcome = Some(report);
                self.phase = Phase::Responses;
            }
            (Kind::Greeting | Kind::Rcpt | Kind::Commit, _) => self.end(AbortReason::Closed),
        }
    }

    /// Ends the session between two packages: at once where it is idle, otherwise when the package
    /// that is under way is answered.
    pub const fn shutdown(&mut self) {
        self.closing = true;
    }

    /// Ends the session now, even within a package; what was not answered counts as not taken.
    pub fn cut(&mut self) {
        if self.phase != Phase::Closed {
            self.end(AbortReason::Closed);
        }
    }

    /// Tells why the session has ended, also where no message was open.
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
        if self.wire.output_full() {
            return Some(Action::Write);
        }
        if self.open.is_some() {
            return Some(Action::Wait);
        }
        let stepped = match self.phase {
            Phase::Start => {
                let ticket = self.ask(Kind::Greeting);
                Ok(Some(Action::Event(Event::Connected(ticket))))
            }
            Phase::Message => self.message_step(),
            Phase::Sender => self.sender_step(),
            Phase::Recipients => self.recipients_step(),
            Phase::Responses => Ok(self.responses_step()),
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

    fn end(&mut self, reason: AbortReason) {
        self.ended.get_or_insert(reason);
        if self.package.take().is_some_and(|package| package.told) {
            self.abort = Some(reason);
        }
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
        self.told = false;
        loop {
            match self.step() {
                None => {}
                Some(Action::Read | Action::Write)
                    if self.deadline().is_some_and(|deadline| now >= deadline) =>
                {
                    self.end(AbortReason::Timeout);
                }
                Some(action) => {
                    self.told = matches!(action, Action::Event(_));
                    return action;
                }
            }
        }
    }

    fn deadline(&self) -> Option<Mono> {
        let ours = self.told || self.open.is_some() || self.phase == Phase::Closed;
        (!ours).then(|| self.born + self.config.lifetime)
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}
