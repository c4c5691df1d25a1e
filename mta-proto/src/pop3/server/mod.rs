//! The server's side of a POP3 session (RFC 1939; LAST as in RFC 1460; pipelining as in RFC 2449 §6.6; STLS as in RFC 2595 §4).

mod auth;
mod authenticated;
mod commands;
mod start_tls;
mod transaction;

pub use auth::AuthAnswer;

use super::event::{LoginQuestion, OpenQuestion, UpdateQuestion};
use super::outgoing::{Outgoing, Progress};
use super::{AbortReason, Admission, Config, Event, Listing, Refusal};
use crate::sasl::Offer;
use crate::{Action, Chunk, Machine, Ticket, Wire};
use bytes::{BufMut, Bytes};
use mta_core::Mono;
use std::sync::Arc;

/// Input that waits behind a command; a pipelining client may fill it.
const INPUT_CAP: usize = 4096;

/// A POP3 session.
///
/// ```
/// use mta_core::Mono;
/// use mta_proto::pop3::{Config, Event, Server};
/// use mta_proto::{Action, Machine};
///
/// let mut server = Server::new(Config::default().into(), Mono::ZERO);
/// server.wire_mut().push(b"USER joe\r\nPASS sesame\r\n");
/// let Action::Event(Event::Login { name, password, .. }) = server.poll(Mono::ZERO) else {
///     panic!("a login is asked about");
/// };
/// assert_eq!((&name[..], password.expose()), (&b"joe"[..], &b"sesame"[..]));
/// ```
#[derive(Debug)]
pub struct Server {
    wire: Wire,
    config: Arc<Config>,
    phase: Phase,
    job: Job,
    serial: u64,
    /// Bytes moved when the peer was last seen to do something, and when that was.
    moved: u64,
    active: Mono,
    started: Mono,
    /// An answer was given since the last poll: the peer's time begins anew.
    answered: bool,
    /// The rest of a line that was too long is being dropped.
    skipping: bool,
    errors: u32,
    failed_logins: u32,
    offer: Offer,
    stopping: bool,
    closing: bool,
    tls: bool,
    /// The application has still to hear that TLS is on.
    tls_news: bool,
    abort: Option<AbortReason>,
}

#[derive(Debug)]
enum Phase {
    Authorization { user: Option<Bytes>, apop: bool },
    Transaction(Box<Maildrop>),
}

#[derive(Debug)]
struct Maildrop {
    listing: Listing,
    /// The highest number that was accessed (RFC 1460, LAST).
    last: u64,
}

/// What is being done about the last command.
#[derive(Debug)]
enum Job {
    /// Nothing: the next command may come.
    Idle,
    /// A line of an exchange is waited for.
    AuthLine,
    /// The application looks at a question with this serial.
    Auth(u64),
    Login(u64),
    Open(u64, Option<u64>),
    Chunk(u64, Box<Outgoing>),
    Update(u64),
    /// A listing is on its way out.
    Scan(Column, usize),
    /// A message is on its way out.
    Send(Box<Outgoing>),
    /// `+OK` for STLS is on its way out; then the driver does the handshake.
    StartTls,
}

#[derive(Clone, Copy, Debug)]
enum Column {
    Size,
    Uid,
}

impl Server {
    /// Begins a session: the greeting is the first output.
    #[must_use]
    pub fn new(config: Arc<Config>, now: Mono) -> Self {
        Self::start(config, now, None)
    }

    /// Begins a session that offers APOP. The timestamp must differ in every session and have the
    /// form `<unique@host>` (RFC 1939 §7).
    #[must_use]
    pub fn with_apop(config: Arc<Config>, now: Mono, timestamp: &str) -> Self {
        Self::start(config, now, Some(timestamp))
    }

    fn start(config: Arc<Config>, now: Mono, timestamp: Option<&str>) -> Self {
        let input_cap = INPUT_CAP.max(config.limits.command_line.saturating_add(1));
        let wire = Wire::new(input_cap, config.limits.output_high_water.max(1));
        let mut server = Self {
            wire,
            phase: Phase::Authorization {
                user: None,
                apop: timestamp.is_some(),
            },
            job: Job::Idle,
            serial: 0,
            moved: 0,
            active: now,
            started: now,
            answered: false,
            skipping: false,
            errors: 0,
            failed_logins: 0,
            offer: Offer::None,
            stopping: false,
            closing: false,
            tls: false,
            tls_news: false,
            abort: None,
            config: Arc::clone(&config),
        };
        match timestamp {
            Some(timestamp) if config.greeting.is_empty() => server.ok(timestamp),
            Some(timestamp) => server.ok(&format!("{} {timestamp}", config.greeting)),
            None => server.ok(&config.greeting),
        }
        server
    }

    /// Answers a login.
    pub fn admit(&mut self, ticket: Ticket<LoginQuestion>, admission: Admission) {
        let Job::Login(serial) = self.job else { return };
        if serial != ticket.serial() {
            return;
        }
        self.settle_login(admission);
    }

    fn settle_login(&mut self, admission: Admission) {
        self.answer_given();
        match admission {
            Admission::Accept(listing) => {
                let (count, octets) = listing.stat();
                self.ok(&format!("{count} messages ({octets} octets)"));
                self.phase = Phase::Transaction(Box::new(Maildrop { listing, last: 0 }));
            }
            Admission::Refuse(refusal) => {
                self.refuse(&refusal);
                self.failed_logins = self.failed_logins.saturating_add(1);
                if self.failed_logins >= self.config.limits.failed_logins {
                    self.close(Some(AbortReason::TooManyErrors));
                }
            }
            Admission::Close(refusal) => {
                self.refuse(&refusal);
                self.close(Some(AbortReason::Closed));
            }
        }
    }

    /// Tells whether a message could be opened; with `Ok` its pieces are asked for next.
    pub fn opened(&mut self, ticket: Ticket<OpenQuestion>, result: Result<(), Refusal>) {
        let Job::Open(serial, lines) = self.job else {
            return;
        };
        if serial != ticket.serial() {
            return;
        }
        self.answer_given();
        match result {
            Ok(()) => {
                self.ok("message follows");
                self.job = Job::Send(Box::new(Outgoing::new(lines)));
            }
            Err(refusal) => self.refuse(&refusal),
        }
    }

    /// Gives the next piece of the open message: stored form, lines ended by LF or CRLF, dots as
    /// they are. It is kept until it is sent, so its size is a
    /// part of the session's memory: 16 KiB are a good measure.
    pub fn chunk(&mut self, ticket: Ticket<Chunk>, chunk: Chunk) {
        match std::mem::replace(&mut self.job, Job::Idle) {
            Job::Chunk(serial, mut outgoing) if serial == ticket.serial() => {
                self.answered = true;
                match chunk {
                    Chunk::Bytes(bytes) => outgoing.give(bytes),
                    Chunk::End => outgoing.end(),
                    Chunk::Failed => return self.close(Some(AbortReason::SourceFailed)),
                }
                self.job = Job::Send(outgoing);
            }
            other => self.job = other,
        }
    }

    /// Tells whether all that was deleted is removed; the session ends either way.
    pub fn updated(&mut self, ticket: Ticket<UpdateQuestion>, result: Result<(), Refusal>) {
        let Job::Update(serial) = self.job else {
            return;
        };
        if serial != ticket.serial() {
            return;
        }
        self.answer_given();
        match result {
            Ok(()) => self.ok("bye"),
            Err(refusal) => self.refuse(&refusal),
        }
        self.close(None);
    }

    /// Ends the session as soon as no command is being worked on; nothing is removed.
    pub const fn shutdown(&mut self) {
        self.stopping = true;
    }

    fn answer_given(&mut self) {
        self.job = Job::Idle;
        self.answered = true;
    }

    fn next_serial(&mut self) -> u64 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    fn close(&mut self, abort: Option<AbortReason>) {
        self.closing = true;
        self.abort = abort;
        self.job = Job::Idle;
    }

    /// Moves on by one step; `None` means that there may be another one at once.
    fn step(&mut self) -> Option<Action<Event>> {
        if std::mem::take(&mut self.tls_news) {
            return Some(Action::Event(Event::TlsStarted));
        }
        match &mut self.job {
            Job::StartTls => self.start_tls_step(),
            Job::Login(_) | Job::Auth(_) | Job::Open(..) | Job::Chunk(..) | Job::Update(_) => {
                Some(Action::Wait)
            }
            _ if self.wire.output_full() => Some(Action::Write),
            Job::Idle | Job::AuthLine if self.stopping => {
                self.refuse(&Refusal::new(
                    Some(super::Code::SysTemp),
                    "the server is shutting down",
                ));
                self.close(Some(AbortReason::Closed));
                None
            }
            Job::Idle => self.read_command(),
            Job::AuthLine => self.auth_line(),
            Job::Scan(..) => {
                self.scan();
                None
            }
            Job::Send(_) => self.send(),
        }
    }

    fn send(&mut self) -> Option<Action<Event>> {
        let Job::Send(mut outgoing) = std::mem::replace(&mut self.job, Job::Idle) else {
            return None;
        };
        let high_water = self.config.limits.output_high_water.max(1);
        match outgoing.write(self.wire.output_mut(), high_water) {
            Progress::Full => self.job = Job::Send(outgoing),
            Progress::Done => {}
            Progress::NeedMore => {
                let serial = self.next_serial();
                self.job = Job::Chunk(serial, outgoing);
                return Some(Action::Event(Event::Need(Ticket::new(serial))));
            }
        }
        None
    }

    fn ok(&mut self, text: &str) {
        let output = self.wire.output_mut();
        output.put_slice(b"+OK ");
        put_text(output, text);
        output.put_slice(b"\r\n");
    }

    fn err(&mut self, text: &'static str) {
        self.refuse(&Refusal::new(None, text));
    }

    fn refuse(&mut self, refusal: &Refusal) {
        let output = self.wire.output_mut();
        output.put_slice(b"-ERR ");
        if let Some(code) = refusal.code {
            output.put_slice(b"[");
            output.put_slice(code.as_str().as_bytes());
            output.put_slice(b"] ");
        }
        put_text(output, &refusal.text);
        output.put_slice(b"\r\n");
    }

    /// Refuses a line and counts it.
    fn mistake(&mut self, text: &'static str) {
        self.err(text);
        self.errors = self.errors.saturating_add(1);
        if self.errors >= self.config.limits.errors {
            self.close(Some(AbortReason::TooManyErrors));
        }
    }

    /// Notices whether the peer did something since the last poll.
    fn notice(&mut self, now: Mono) {
        let moved = self.wire.received().wrapping_add(self.wire.sent());
        let answered = std::mem::take(&mut self.answered);
        if moved != self.moved || answered {
            self.moved = moved;
            self.active = now;
        }
    }
}

impl Machine for Server {
    type Event = Event;

    fn poll(&mut self, now: Mono) -> Action<Event> {
        self.notice(now);
        if self.wire.broken() && !self.closing {
            self.close(Some(AbortReason::HungUp));
        } else if self.deadline().is_some_and(|deadline| now >= deadline) {
            // RFC 1939 §3: close without a word and without the update.
            self.close(Some(AbortReason::TimedOut));
        }
        loop {
            if self.closing {
                return match self.abort.take() {
                    Some(reason) => Action::Event(Event::Abort(reason)),
                    None => Action::Close,
                };
            }
            if let Some(action) = self.step() {
                return action;
            }
        }
    }

    fn deadline(&self) -> Option<Mono> {
        let timeouts = &self.config.timeouts;
        match self.job {
            Job::Login(_) | Job::Auth(_) | Job::Open(..) | Job::Chunk(..) | Job::Update(_) => {
                return None;
            }
            _ if self.closing => return None,
            Job::Idle | Job::AuthLine | Job::Scan(..) | Job::Send(_) | Job::StartTls => {}
        }
        let idle = self.active + timeouts.idle;
        Some(match self.phase {
            Phase::Authorization { .. } => idle.min(self.started + timeouts.authorization),
            Phase::Transaction(_) => idle.min(self.started + timeouts.session),
        })
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }

    fn tls_started(&mut self, now: Mono) {
        self.enter_tls(now);
    }
}

/// Writes text that must not end a line.
fn put_text(output: &mut impl BufMut, text: &str) {
    for byte in text.bytes() {
        output.put_u8(if byte.is_ascii_control() { b' ' } else { byte });
    }
}
