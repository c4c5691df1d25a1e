//! The client as a machine: its state, its commands, and the one engine call (RFC 5321 §3).

use super::text::Texts;
use super::transaction::{Fate, Job, Next};
use super::{Config, Event, Extensions, Transaction};
use crate::chunk::Chunk;
use crate::machine::{Action, Machine, Ticket};
use crate::smtp::reply_parser::{RemoteReply, ReplyParser};
use crate::wire::Wire;
use mta_core::Mono;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// One connection to an SMTP server. The module's page shows the order of calls.
#[derive(Debug)]
pub struct Client {
    pub(super) config: Arc<Config>,
    peer: Box<str>,
    pub(super) wire: Wire,
    pub(super) parser: ReplyParser,
    pub(super) state: State,
    /// The commands that wait for their reply; at most one more than a transaction has recipients.
    pub(super) expected: VecDeque<Expect>,
    pub(super) job: Option<Box<Job>>,
    pub(super) extensions: Extensions,
    /// How the recipients of the last transaction were answered.
    pub(super) fates: Vec<Fate>,
    /// How many transactions had a result.
    pub(super) finished: u64,
    /// The server may hold half a transaction.
    pub(super) needs_rset: bool,
    pub(super) encrypted: bool,
    serial: u64,
    activity: Mono,
    touched: bool,
    seen_sent: u64,
    /// When the body under way began, and how much output had been sent by then.
    pub(super) body_began: (Mono, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Greeting, names, STARTTLS.
    Opening,
    /// All is flushed; the driver does the handshake.
    Handshake,
    Ready,
    Busy,
    Quitting,
    Closed,
}

/// A command whose reply is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Rset,
    Mail,
    Rcpt(usize),
    Data,
    /// The dot behind a whole body.
    Dot,
    /// The dot behind nothing, where DATA was accepted for no recipient.
    LoneDot,
    Quit,
}

impl Client {
    /// Starts on a fresh connection. `peer` is the server's address or name as reports show it.
    #[must_use]
    pub fn new(config: Arc<Config>, peer: impl Into<String>, now: Mono) -> Self {
        Self {
            peer: peer.into().into_boxed_str(),
            wire: Wire::new(config.input_buffer, config.output_high_water),
            parser: ReplyParser::new(config.reply),
            config,
            state: State::Opening,
            expected: VecDeque::from([Expect::Greeting]),
            job: None,
            extensions: Extensions::default(),
            fates: Vec::new(),
            finished: 0,
            needs_rset: false,
            encrypted: false,
            serial: 0,
            activity: now,
            touched: false,
            seen_sent: 0,
            body_began: (now, 0),
        }
    }

    /// Tells whether [`begin`](Self::begin) would take a transaction now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready && !self.wire.eof()
    }

    /// Tells what the server offered.
    #[must_use]
    pub const fn extensions(&self) -> Extensions {
        self.extensions
    }

    /// How each recipient of the last finished transaction was answered, in their order; whoever
    /// tells apart what the server said to one and to all, as qmail-remote(8) does, needs it.
    #[must_use]
    pub fn fates(&self) -> &[Fate] {
        &self.fates
    }

    /// Starts a transaction.
    ///
    /// # Errors
    /// Hands the transaction back where none may begin now.
    pub fn begin(&mut self, transaction: Transaction) -> Result<(), Transaction> {
        if !self.is_ready() {
            return Err(transaction);
        }
        let next = if self.needs_rset {
            Next::Rset
        } else {
            Next::Mail
        };
        let mut job = Box::new(Job::new(transaction, next));
        self.judge(&mut job);
        self.job = Some(job);
        self.state = State::Busy;
        self.touched = true;
        Ok(())
    }

    /// Answers [`Event::Need`]. An answer that comes after the transaction's end is dropped.
    pub fn chunk(&mut self, ticket: Ticket<Chunk>, chunk: Chunk) {
        let Some(body) = self.job.as_mut().map(|job| &mut job.body) else {
            return;
        };
        if body.asked != Some(ticket.serial()) {
            return;
        }
        body.asked = None;
        match chunk {
            Chunk::Bytes(bytes) => body.pending = bytes,
            Chunk::End => body.ended = true,
            Chunk::Failed => body.failed = true,
        }
        self.touched = true;
    }

    /// Says QUIT, waits shortly for the reply and closes; tells whether that could be done.
    ///
    /// `false` where a transaction runs or the connection is not open yet; dropping the connection
    /// is then the only way to end it early.
    pub fn quit(&mut self) -> bool {
        if self.state != State::Ready {
            return matches!(self.state, State::Quitting | State::Closed);
        }
        self.send(b"QUIT\r\n", Expect::Quit);
        self.state = State::Quitting;
        self.touched = true;
        true
    }

    pub(super) fn send(&mut self, line: &[u8], expect: Expect) {
        self.wire.output_mut().extend_from_slice(line);
        self.expected.push_back(expect);
    }

    pub(super) const fn texts(&self) -> Texts<'_> {
        Texts { peer: &self.peer }
    }

    pub(super) const fn ticket(&mut self) -> Ticket<Chunk> {
        self.serial += 1;
        Ticket::new(self.serial)
    }

    /// Ends the connection at once; what is not sent yet stays unsent, so that half a body is
    /// never completed by a dot.
    pub(super) fn cut(&mut self) {
        self.wire.output_mut().clear();
        self.expected.clear();
        self.state = State::Closed;
    }

    /// The connection is of no more use; says what that means for the application.
    pub(super) fn lose(&mut self, last: Option<&RemoteReply>) -> Option<Event> {
        let report = self.texts().died(self.may_be_accepted(), last);
        self.lose_with(report)
    }

    pub(super) fn lose_with(&mut self, report: mta_core::report::Report) -> Option<Event> {
        let opening = matches!(self.state, State::Opening | State::Handshake);
        let quiet = matches!(self.state, State::Quitting | State::Closed);
        self.cut();
        match self.job.take() {
            Some(mut job) if job.mail_answered || job.is_decided() => {
                job.decide_rest(&report);
                Some(self.finish(*job))
            }
            Some(_) => Some(Event::Unusable {
                report,
                try_next_mx: self.finished == 0,
            }),
            None if quiet => None,
            None => Some(Event::Unusable {
                report,
                try_next_mx: opening,
            }),
        }
    }

    /// Tells whether the whole body with its dot is sent and only the reply is missing.
    pub(super) fn may_be_accepted(&self) -> bool {
        self.expected.front() == Some(&Expect::Dot) && self.wire.output().is_empty()
    }

    fn note_progress(&mut self, now: Mono) {
        if self.touched || self.wire.sent() != self.seen_sent {
            self.touched = false;
            self.seen_sent = self.wire.sent();
            self.activity = now;
        }
    }

    /// Reads replies and sends commands until an event comes out or nothing moves any more.
    fn advance(&mut self, now: Mono) -> Option<Event> {
        loop {
            if let Some(event) = self.produce() {
                return Some(event);
            }
            if matches!(self.state, State::Closed | State::Handshake) {
                return None;
            }
            match self.parser.feed(self.wire.input_mut()) {
                Ok(None) => return None,
                Ok(Some(reply)) => {
                    self.activity = now;
                    let event = self.hear(&reply);
                    if event.is_some() {
                        return event;
                    }
                }
                Err(why) => {
                    let critical = self.may_be_accepted();
                    let report = self.texts().not_smtp(critical, why, self.parser.said());
                    return self.lose_with(report);
                }
            }
        }
    }

    /// Takes one reply as the answer to the oldest command.
    fn hear(&mut self, reply: &RemoteReply) -> Option<Event> {
        match self.expected.front() {
            None => self.unasked(reply),
            Some(Expect::Dot) if !self.wire.output().is_empty() => self.unasked(reply),
            Some(_) => {
                let expect = self.expected.pop_front()?;
                match expect {
                    Expect::Greeting | Expect::Ehlo | Expect::Helo | Expect::StartTls => {
                        self.opened(expect, reply)
                    }
                    Expect::Quit => {
                        self.cut();
                        None
                    }
                    _ => self.replied(expect, reply),
                }
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let timeouts = &self.config.timeouts;
        let unsent = !self.wire.output().is_empty();
        match self.expected.front() {
            Some(Expect::Greeting) => Some(timeouts.greeting),
            Some(Expect::Data) => Some(timeouts.data_start),
            Some(Expect::Dot | Expect::LoneDot) if !unsent => Some(timeouts.data_end),
            Some(Expect::Dot | Expect::LoneDot) => Some(timeouts.data_block),
            Some(Expect::Quit) => Some(timeouts.quit),
            Some(_) => Some(timeouts.command),
            None if unsent => Some(timeouts.data_block),
            None => None,
        }
    }

    /// Begins to measure how fast a body is taken.
    pub(super) const fn body_begins(&mut self) {
        self.body_began = (self.activity, self.wire.sent());
    }

    /// When the body is taken too slowly on the whole, if no more is taken until then.
    fn body_deadline(&self) -> Option<Mono> {
        let unsent = !self.wire.output().is_empty();
        let in_body = matches!(self.expected.front(), None | Some(Expect::Dot));
        let (began, before) = self.body_began;
        let taken = self.wire.sent().saturating_sub(before);
        let earned = taken.checked_div(self.config.body_rate)?;
        let time = self.config.timeouts.data_block + Duration::from_secs(earned);
        (unsent && in_body && self.job.is_some()).then(|| began + time)
    }

    fn rest(&self) -> Action<Event> {
        match self.state {
            State::Closed => Action::Close,
            State::Handshake if self.wire.output().is_empty() => Action::StartTls,
            State::Handshake => Action::Write,
            _ if self.wire.output_full() => Action::Write,
            _ if self.expected.is_empty() => Action::Wait,
            _ => Action::Read,
        }
    }
}

impl Machine for Client {
    type Event = Event;

    fn poll(&mut self, now: Mono) -> Action<Event> {
        if self.state == State::Closed {
            return Action::Close;
        }
        self.note_progress(now);
        if let Some(event) = self.advance(now) {
            return Action::Event(event);
        }
        self.wire.release_idle();
        let late = self.deadline().is_some_and(|deadline| deadline <= now);
        if self.state != State::Closed
            && (self.wire.eof() || late)
            && let Some(event) = self.lose(None)
        {
            return Action::Event(event);
        }
        self.rest()
    }

    fn deadline(&self) -> Option<Mono> {
        if self.state == State::Closed {
            return None;
        }
        let silent = self.activity + self.timeout()?;
        let slow = self.body_deadline();
        Some(slow.map_or(silent, |slow| slow.min(silent)))
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }

    fn tls_started(&mut self, now: Mono) {
        if self.state == State::Handshake {
            self.wire.reset_input();
            self.encrypted = true;
            self.state = State::Opening;
            self.activity = now;
            self.say_hello();
        }
    }
}
