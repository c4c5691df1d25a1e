//! The SMTP server session: commands in, replies out, and a question for every decision (RFC 5321).
//!
//! ```text
//!           Connected         Mail           Rcpt...        Data          Body...  End
//! connect ───220──► Command ──250──► Mail ───250──► Rcpt ───354──► Data ──CRLF.CRLF──► Command
//!                      ▲               │ RSET, EHLO, QUIT, failures: Abort          │ 250 or 5xx
//!                      └───────────────┴────────────────────────────────────────────┘
//! ```
//! The machine knows the protocol and nothing else: who may send what to whom is asked.

mod auth;
mod command_step;
mod config;
mod event;
mod header;
mod message;
mod message_step;
mod questions;
mod replies;

pub use auth::AuthVerdict;
pub use config::{Config, Limits, LineEnds, Newline, StartTls, Timeouts};
pub use event::{
    AbortReason, Commit, DataStart, Event, Greeting, Hello, Mail, Question, Rcpt, Stand, Verdict,
};

use crate::sasl::Offer;
use crate::smtp::Reply;
use crate::{Action, Machine, Wire};
use auth::Login;
use message::Message;
use mta_core::Mono;
use questions::{Kind, Slot};
use replies::TlsPossible;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// One session of an SMTP server.
///
/// ```
/// use mta_core::Mono;
/// use mta_proto::smtp::server::{Config, Event, Server, Verdict};
/// use mta_proto::{Action, Machine};
/// use std::sync::Arc;
///
/// let mut server = Server::new(Arc::new(Config::new("mx.example.org")), Mono::ZERO);
/// server.wire_mut().push(b"HELO client\r\nQUIT\r\n");
/// loop {
///     match server.poll(Mono::ZERO) {
///         Action::Event(Event::Connected(ticket)) => server.answer(ticket, Verdict::Accept),
///         Action::Event(Event::Hello { ticket, .. }) => server.answer(ticket, Verdict::Accept),
///         Action::Close => break,
///         other => panic!("{other:?}"),
///     }
/// }
/// let replies = "220 mx.example.org ESMTP\r\n250 mx.example.org\r\n221 2.0.0 mx.example.org\r\n";
/// assert_eq!(server.wire().output(), replies.as_bytes());
/// ```
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    wire: Wire,
    phase: Phase,
    /// Questions in command order.
    open: VecDeque<Slot>,
    serial: u64,
    hail: Option<Hail>,
    transaction: Option<Transaction>,
    message: Option<Message>,
    /// Why nothing more happens.
    ended: Option<AbortReason>,
    /// An abort that the application has still to hear of.
    abort: Option<AbortReason>,
    /// Ends the session between two commands.
    closing: Option<Reply>,
    errors: u32,
    /// When the commands so far are paid for.
    commands_due: Mono,
    failed_logins: u32,
    offer: Offer,
    login: Login,
    /// How much of the input is known to hold no LF.
    scanned: usize,
    /// The next command must wait until no question is open.
    in_order: bool,
    /// 5xx was our greeting (RFC 5321 §3.1).
    unwelcome: bool,
    tls: bool,
    /// The application has still to hear that TLS is on.
    tls_news: bool,
    now: Mono,
    /// When the peer was last waited for anew.
    since: Mono,
    /// When a message was last taken.
    useful: Mono,
    /// When the body under way began.
    body_since: Mono,
    /// The input used up by then.
    body_from: u64,
    /// The input seen so far.
    received: u64,
    /// The application had the word since the last poll.
    application_spoke: bool,
}

/// Where the session stands.
#[derive(Debug)]
enum Phase {
    /// Nothing happened yet.
    Start,
    /// Between commands.
    Command,
    /// Within a command line that is too long.
    Overlong,
    /// Within DATA.
    Data,
    /// Within a chunk.
    Chunk(Chunk),
    /// Within an exchange of AUTH.
    Auth,
    /// 220 for STARTTLS is on its way.
    StartTls,
    /// Nothing more happens.
    Closed,
}

/// A chunk of BDAT on its way.
#[derive(Debug)]
struct Chunk {
    size: u64,
    left: u64,
    last: bool,
    /// Its bytes are consumed, and this is the reply.
    refusal: Option<Reply>,
}

/// How the peer greeted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hail {
    Helo,
    Ehlo,
}

/// What lies between an accepted MAIL and the end of its message.
#[derive(Debug)]
struct Transaction {
    smtputf8: bool,
    recipients: usize,
    /// Recipients that were answered with 452.
    excess: usize,
}

impl Transaction {
    const fn new(smtputf8: bool) -> Self {
        Self {
            smtputf8,
            recipients: 0,
            excess: 0,
        }
    }
}

impl Server {
    /// Makes a session for a peer that has just connected.
    #[must_use]
    pub fn new(config: Arc<Config>, now: Mono) -> Self {
        let limits = &config.limits;
        let input_cap = limits.input_buffer.max(limits.command_line).max(512);
        let wire = Wire::new(input_cap, limits.output_high_water.max(1));
        Self {
            config,
            wire,
            phase: Phase::Start,
            open: VecDeque::new(),
            serial: 0,
            hail: None,
            transaction: None,
            message: None,
            ended: None,
            abort: None,
            closing: None,
            errors: 0,
            commands_due: now,
            failed_logins: 0,
            offer: Offer::None,
            login: Login::Nobody,
            scanned: 0,
            in_order: false,
            unwelcome: false,
            tls: false,
            tls_news: false,
            now,
            since: now,
            useful: now,
            body_since: now,
            body_from: 0,
            received: 0,
            application_spoke: false,
        }
    }

    /// Ends the session with `reply` (a 421) between two commands: at once where it is idle,
    /// otherwise when the command or the message that is under way is answered.
    pub fn shutdown(&mut self, reply: Reply) {
        self.closing = Some(reply);
    }

    /// Ends the session with `reply` (a 421) now, even within a message.
    pub fn cut(&mut self, reply: &Reply) {
        if !matches!(self.phase, Phase::Closed) {
            self.reply(reply);
            self.end(AbortReason::Closed);
        }
    }

    /// Tells why the session has ended, also where no transaction was open.
    #[must_use]
    pub const fn ended(&self) -> Option<AbortReason> {
        self.ended
    }

    /// Tells whether the stream is encrypted: STARTTLS was done, or TLS came first.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    fn step(&mut self) -> Option<Action<Event>> {
        if let Some(reason) = self.abort.take() {
            return Some(Action::Event(Event::Abort(reason)));
        }
        if matches!(self.phase, Phase::Closed) {
            return Some(Action::Close);
        }
        if std::mem::take(&mut self.tls_news) {
            return Some(Action::Event(Event::TlsStarted));
        }
        if matches!(self.phase, Phase::Start) {
            self.phase = Phase::Command;
            let ticket = self.ask(Kind::Greeting);
            return Some(Action::Event(Event::Connected(ticket)));
        }
        if self.wire.output_full() {
            return Some(Action::Write);
        }
        if !self.open.is_empty() && !self.may_look_ahead() {
            return Some(Action::Wait);
        }
        match self.phase {
            Phase::Command => self.command_step(),
            Phase::Overlong => self.overlong_step(),
            Phase::Data => self.data_step(),
            Phase::Chunk(_) => self.chunk_step(),
            Phase::Auth => self.auth_step(),
            Phase::StartTls => self.start_tls_step(),
            Phase::Start | Phase::Closed => None,
        }
    }

    /// Waits for input; what was already sent half is dropped where none can come any more.
    fn read(&mut self) -> Option<Action<Event>> {
        if !self.wire.eof() {
            return Some(Action::Read);
        }
        if !self.open.is_empty() {
            return Some(Action::Wait);
        }
        self.end(AbortReason::Disconnected);
        None
    }

    /// RFC 3207 §4: the handshake begins when the reply has left; whatever came before that was
    /// not protected, and would be taken for protected afterwards.
    fn start_tls_step(&mut self) -> Option<Action<Event>> {
        if !self.wire.input().is_empty() || self.wire.eof() {
            self.end(AbortReason::Disconnected);
            return None;
        }
        Some(if self.wire.output().is_empty() {
            Action::StartTls
        } else {
            Action::Write
        })
    }

    fn reply(&mut self, reply: &Reply) {
        reply.encode(self.wire.output_mut());
    }

    /// Gives a reply that may be an error, and counts it.
    fn refuse(&mut self, reply: &Reply) {
        self.reply(reply);
        if reply.is_permanent() {
            self.count_error();
        }
    }

    fn count_error(&mut self) {
        self.errors = self.errors.saturating_add(1);
        let most = self.config.limits.errors;
        if most > 0 && self.errors >= most {
            self.reply(&replies::TOO_MANY_ERRORS);
            self.end(AbortReason::TooManyErrors);
        }
    }

    fn end(&mut self, reason: AbortReason) {
        self.ended.get_or_insert(reason);
        if self.transaction.take().is_some() {
            self.abort = Some(reason);
        }
        self.message = None;
        self.open = VecDeque::new();
        self.phase = Phase::Closed;
        self.since = self.now;
        self.wire.input_mut().clear();
        self.wire.release_idle();
    }

    /// Begins to measure how fast a body comes.
    fn body_begins(&mut self) {
        self.body_since = self.now;
        let waiting = self.wire.input().len() as u64;
        self.body_from = self.wire.received().saturating_sub(waiting);
    }

    /// When the body has come too slowly on the whole, if no more comes until then.
    fn body_deadline(&self) -> Option<Mono> {
        let came = self.wire.received().saturating_sub(self.body_from);
        let earned = came.checked_div(self.config.limits.body_rate)?;
        Some(self.body_since + self.config.timeouts.body + Duration::from_secs(earned))
    }

    const fn in_body(&self) -> bool {
        matches!(self.phase, Phase::Data | Phase::Chunk(_))
    }

    /// Learns the time, and whether the peer has to be waited for anew.
    fn note(&mut self, now: Mono) {
        let passed = now.since(self.now);
        self.now = now;
        let heard = self.received != self.wire.received();
        self.received = self.wire.received();
        let application_spoke = std::mem::take(&mut self.application_spoke);
        if application_spoke {
            self.useful = self.useful + passed;
            self.body_since = self.body_since + passed;
        }
        if application_spoke || (heard && self.in_body()) {
            self.since = now;
        }
    }

    fn is_late(&self) -> bool {
        self.deadline().is_some_and(|deadline| self.now >= deadline)
    }
}

impl Machine for Server {
    type Event = Event;

    fn poll(&mut self, now: Mono) -> Action<Event> {
        self.note(now);
        loop {
            match self.step() {
                None => {}
                Some(Action::Read | Action::Write) if self.is_late() => {
                    self.reply(&replies::TIMEOUT);
                    self.end(AbortReason::Timeout);
                }
                Some(action) => {
                    self.application_spoke = matches!(action, Action::Event(_));
                    return action;
                }
            }
        }
    }

    fn deadline(&self) -> Option<Mono> {
        if self.application_spoke || !self.open.is_empty() {
            return None;
        }
        let timeouts = &self.config.timeouts;
        let (silent, slow) = if self.in_body() {
            (timeouts.body, self.body_deadline())
        } else if self.message.is_some() {
            (timeouts.command, self.body_deadline())
        } else {
            (timeouts.command, Some(self.useful + timeouts.session))
        };
        let silent = self.since + silent;
        Some(slow.map_or(silent, |slow| slow.min(silent)))
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }

    fn tls_started(&mut self, now: Mono) {
        match self.phase {
            Phase::Start => self.tls = true,
            Phase::StartTls => {
                self.wire.reset_input();
                self.phase = Phase::Command;
                self.tls = true;
                self.tls_news = true;
                self.hail = None;
                self.offer = Offer::None;
                self.login = Login::Nobody;
                self.scanned = 0;
                self.since = now;
            }
            _ => {}
        }
    }
}
