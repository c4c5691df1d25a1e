//! The engine of the clients for QMTP and QMQP: packages out, responses in, and what a lost
//! connection means (qmail-qmqpc(8), qmail-remote(8)).

use super::job::{Job, Produced};
use super::{Config, Event, Transaction, text};
use crate::chunk::Chunk;
use crate::machine::{Action, Ticket};
use crate::netstring::Malformed;
use crate::qmtp::response::Responses;
use crate::wire::Wire;
use mta_core::Mono;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Which of the two protocols is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// One message, one response.
    Qmqp,
    /// Many messages, a response for each recipient.
    Qmtp,
}

/// One connection to a server.
#[derive(Debug)]
pub(crate) struct Courier {
    protocol: Protocol,
    config: Arc<Config>,
    peer: Box<str>,
    wire: Wire,
    responses: Responses,
    /// Transactions without a result, the oldest first; only the last one is still produced.
    jobs: VecDeque<Job>,
    /// How many transactions were begun, and how many had a result.
    begun: u64,
    finished: u64,
    /// The server said what became of a recipient.
    answered: bool,
    state: State,
    /// What the application has still to hear about a lost connection.
    farewell: VecDeque<Event>,
    /// The application knows that it may begin.
    announced: bool,
    serial: u64,
    activity: Mono,
    touched: bool,
    seen_sent: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// No more transactions begin.
    Quitting,
    Closed,
}

impl Courier {
    pub(crate) fn new(protocol: Protocol, config: Arc<Config>, peer: String, now: Mono) -> Self {
        Self {
            protocol,
            peer: peer.into_boxed_str(),
            wire: Wire::new(config.input_buffer.max(1), config.output_high_water.max(1)),
            responses: Responses::new(config.response_length, config.response_kept),
            config,
            jobs: VecDeque::new(),
            begun: 0,
            finished: 0,
            answered: false,
            state: State::Open,
            farewell: VecDeque::new(),
            announced: false,
            serial: 0,
            activity: now,
            touched: false,
            seen_sent: 0,
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        let produced = self.jobs.back().is_none_or(|job| job.end.is_some());
        let room = match self.protocol {
            Protocol::Qmqp => self.begun == 0,
            Protocol::Qmtp => self.jobs.len() < self.config.under_way.max(1),
        };
        self.state == State::Open && !self.wire.eof() && produced && room
    }

    /// Tells whether the server ever answered.
    pub(crate) const fn answered(&self) -> bool {
        self.answered
    }

    pub(crate) fn begin(&mut self, transaction: Transaction) -> Result<(), Transaction> {
        if !self.is_ready() {
            return Err(transaction);
        }
        let mut job = Job::new(self.protocol, transaction, self.config.address);
        if job.is_decided() {
            // Nothing is sent of it.
            job.end = Some(0);
        }
        self.jobs.push_back(job);
        self.begun += 1;
        self.announced = false;
        self.touched = true;
        Ok(())
    }

    pub(crate) fn chunk(&mut self, ticket: &Ticket<Chunk>, chunk: Chunk) {
        if let Some(job) = self.jobs.back_mut() {
            job.chunk(ticket.serial(), chunk);
            self.touched = true;
        }
    }

    pub(crate) fn quit(&mut self) {
        if self.state == State::Open {
            self.state = State::Quitting;
        }
    }

    pub(crate) const fn wire(&self) -> &Wire {
        &self.wire
    }

    pub(crate) const fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        let patience = self.patience()?;
        Some(self.activity + patience)
    }

    pub(crate) fn poll(&mut self, now: Mono) -> Action<Event> {
        if self.touched || self.wire.sent() != self.seen_sent {
            self.touched = false;
            self.seen_sent = self.wire.sent();
            self.activity = now;
        }
        match self.advance(now) {
            Ok(Some(event)) => return Action::Event(event),
            Ok(None) => {}
            Err(why) => self.lose(Some(why)),
        }
        self.wire.release_idle();
        let late = self.deadline().is_some_and(|deadline| deadline <= now);
        if self.state != State::Closed && (self.wire.eof() || late) {
            self.lose(None);
        }
        match self.farewell.pop_front() {
            Some(event) => Action::Event(event),
            None => self.rest(),
        }
    }

    /// What there is to wait for.
    fn patience(&self) -> Option<Duration> {
        if self.state == State::Closed {
            None
        } else if !self.wire.output().is_empty() {
            Some(self.config.block)
        } else if self.awaits_response() {
            Some(self.config.response)
        } else {
            None
        }
    }

    fn awaits_response(&self) -> bool {
        let job = self.jobs.front();
        job.is_some_and(|job| !job.is_decided() && job.end.is_some())
    }

    fn rest(&self) -> Action<Event> {
        if self.state == State::Closed {
            Action::Close
        } else if self.wire.output_full() {
            Action::Write
        } else if self.awaits_response() || !self.wire.output().is_empty() {
            Action::Read
        } else {
            Action::Wait
        }
    }

    /// Goes on until an event comes out or nothing moves any more.
    fn advance(&mut self, now: Mono) -> Result<Option<Event>, Malformed> {
        while self.state != State::Closed {
            if self.jobs.front().is_some_and(Job::is_decided) {
                let job = self.jobs.pop_front();
                return Ok(job.map(|job| self.finish(job)));
            }
            if self.awaits_response() {
                if self.hear(now)? {
                    continue;
                }
            } else if !self.wire.input().is_empty() {
                // The server speaks before it may.
                return Err(Malformed::Content);
            }
            if self.state == State::Quitting && self.jobs.is_empty() {
                self.state = State::Closed;
            }
            if self.wire.eof() {
                break;
            }
            if let Some(event) = self.produce() {
                return Ok(Some(event));
            }
            if self.is_ready() && !self.announced {
                self.announced = true;
                return Ok(Some(Event::Ready));
            }
            break;
        }
        Ok(None)
    }

    /// Takes a response, if there is one.
    fn hear(&mut self, now: Mono) -> Result<bool, Malformed> {
        let sent = self.wire.sent();
        let Some(job) = self.jobs.front_mut() else {
            return Ok(false);
        };
        if self.wire.input().is_empty() {
            return Ok(false);
        }
        if job.end.is_none_or(|end| end > sent) {
            return Err(Malformed::Content);
        }
        let Some(response) = self.responses.feed(self.wire.input_mut())? else {
            return Ok(false);
        };
        self.activity = now;
        self.answered = true;
        job.answer(text::answered(&self.peer, &response));
        Ok(true)
    }

    fn produce(&mut self) -> Option<Event> {
        let high_water = self.config.output_high_water.max(1);
        let alone = self.jobs.len() == 1;
        let job = self.jobs.back_mut().filter(|job| job.end.is_none())?;
        match job.produce(self.wire.output_mut(), high_water) {
            Produced::Full | Produced::Waits => None,
            // The packages before this one are whole, so their responses are waited for.
            Produced::Failed if !alone => None,
            Produced::Complete => {
                let waiting = self.wire.output().len() as u64;
                job.end = Some(self.wire.sent().saturating_add(waiting));
                None
            }
            Produced::Needs => {
                self.serial += 1;
                job.ask(self.serial);
                Some(Event::Need(Ticket::new(self.serial)))
            }
            Produced::Failed => {
                let job = self.jobs.pop_back()?;
                self.cut();
                Some(Event::Finished(job.into_reports(text::unreadable_message)))
            }
        }
    }

    fn finish(&mut self, job: Job) -> Event {
        self.finished += 1;
        if self.protocol == Protocol::Qmqp {
            self.state = State::Closed;
        }
        Event::Finished(job.into_reports(|| text::died(&self.peer, false)))
    }

    /// Ends the connection at once; what is not sent yet stays unsent.
    fn cut(&mut self) {
        self.wire.output_mut().clear();
        self.wire.input_mut().clear();
        self.state = State::Closed;
    }

    /// The connection is of no more use; says for each transaction what that means.
    fn lose(&mut self, why: Option<Malformed>) {
        let quiet = self.state == State::Quitting;
        let sent = self.wire.sent();
        self.cut();
        let report = |critical| match why {
            Some(why) => text::bad_response(&self.peer, critical, why),
            None => text::died(&self.peer, critical),
        };
        let try_next = self.finished == 0 && self.jobs.len() <= 1;
        if self.jobs.is_empty() && !quiet {
            let report = report(false);
            self.farewell
                .push_back(Event::Unusable { report, try_next });
        }
        for job in self.jobs.drain(..) {
            let critical = job.end.is_some_and(|end| end <= sent);
            self.farewell.push_back(if job.begun {
                Event::Finished(job.into_reports(|| report(critical)))
            } else {
                let report = report(false);
                Event::Unusable { report, try_next }
            });
        }
    }
}
