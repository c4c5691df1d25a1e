//! The server's side of a POP3 session (RFC 1939; LAST as in RFC 1460; pipelining as in RFC 2449 §6.6).

use super::command::{Command, CommandError, Number};
use super::event::{LoginQuestion, OpenQuestion, UpdateQuestion};
use super::outgoing::{Outgoing, Progress};
use super::{AbortReason, Admission, Config, Event, Listing, Password, Refusal};
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
    stopping: bool,
    closing: bool,
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
    /// The application looks at a question with this serial.
    Login(u64),
    Open(u64, Option<u64>),
    Chunk(u64, Box<Outgoing>),
    Update(u64),
    /// A listing is on its way out.
    Scan(Column, usize),
    /// A message is on its way out.
    Send(Box<Outgoing>),
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
            stopping: false,
            closing: false,
            abort: None,
            config: Arc::clone(&config),
        };
        match timestamp {
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
        match &mut self.job {
            Job::Login(_) | Job::Open(..) | Job::Chunk(..) | Job::Update(_) => Some(Action::Wait),
            _ if self.wire.output_full() => Some(Action::Write),
            Job::Idle if self.stopping => {
                self.refuse(&Refusal::new(
                    Some(super::Code::SysTemp),
                    "the server is shutting down",
                ));
                self.close(Some(AbortReason::Closed));
                None
            }
            Job::Idle => self.read_command(),
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

    /// Takes one line from the input.
    fn read_command(&mut self) -> Option<Action<Event>> {
        let limit = self.config.limits.command_line;
        let input = self.wire.input_mut();
        let Some(at) = memchr::memchr(b'\n', input) else {
            if self.skipping || input.len() >= limit {
                input.clear();
                self.line_too_long();
            }
            if self.closing {
                return None;
            }
            if self.wire.eof() {
                self.close(Some(AbortReason::HungUp));
                return None;
            }
            self.wire.release_idle();
            return Some(Action::Read);
        };
        let line = input.split_to(at.saturating_add(1));
        if self.skipping {
            self.skipping = false;
            return None;
        }
        if line.len() > limit {
            self.line_too_long();
            self.skipping = false;
            return None;
        }
        let text = line.get(..at).unwrap_or_default();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        match Command::parse(text) {
            Ok(command) => self.execute(command),
            Err(CommandError::Unknown) => {
                self.mistake(match self.phase {
                    Phase::Authorization { .. } => "authorization first",
                    Phase::Transaction(_) => "unimplemented",
                });
                None
            }
            Err(CommandError::Syntax) => {
                self.mistake("syntax error");
                None
            }
        }
    }

    /// Complains once about a line that passes the limit, and drops the rest of it.
    fn line_too_long(&mut self) {
        if !self.skipping {
            self.mistake("line too long");
        }
        self.skipping = true;
    }

    fn execute(&mut self, command: Command<'_>) -> Option<Action<Event>> {
        match command {
            Command::Capa => self.capabilities(),
            Command::Noop => self.ok("nothing done"),
            command if matches!(self.phase, Phase::Authorization { .. }) => {
                return self.authorize(command);
            }
            Command::Stat => self.stat(),
            Command::List(None) => self.list(Column::Size),
            Command::Uidl(None) => self.list(Column::Uid),
            Command::List(Some(number)) => self.list_one(Column::Size, number),
            Command::Uidl(Some(number)) => self.list_one(Column::Uid, number),
            Command::Retr(number) => return self.retrieve(number, None),
            Command::Top { message, lines } => return self.retrieve(message, Some(lines)),
            Command::Dele(number) => self.delete(number),
            Command::Last => self.tell_last(),
            Command::Rset => self.reset(),
            Command::Quit => return self.quit(),
            Command::User(_) | Command::Pass(_) | Command::Apop { .. } => {
                self.mistake("already logged in");
            }
        }
        None
    }

    fn authorize(&mut self, command: Command<'_>) -> Option<Action<Event>> {
        let Phase::Authorization { user, apop } = &mut self.phase else {
            return None;
        };
        match command {
            Command::User(name) => {
                *user = Some(Bytes::copy_from_slice(name));
                self.ok("now the password");
            }
            Command::Pass(password) => {
                let Some(name) = user.take() else {
                    self.mistake("USER first");
                    return None;
                };
                let password = Password::from(password.expose());
                let ticket = self.ask_login();
                return Some(Action::Event(Event::Login {
                    name,
                    password,
                    ticket,
                }));
            }
            Command::Apop { name, digest } if *apop => {
                let name = Bytes::copy_from_slice(name);
                let digest = Password::from(digest.expose());
                let ticket = self.ask_login();
                return Some(Action::Event(Event::Apop {
                    name,
                    digest,
                    ticket,
                }));
            }
            Command::Quit => {
                self.ok("bye");
                self.close(None);
            }
            _ => self.mistake("authorization first"),
        }
        None
    }

    fn ask_login(&mut self) -> Ticket<LoginQuestion> {
        let serial = self.next_serial();
        self.job = Job::Login(serial);
        Ticket::new(serial)
    }

    /// RFC 2449 §6; the same list before and after the login, but for USER, which is of no use then.
    fn capabilities(&mut self) {
        self.ok("capability list follows");
        let before_login = matches!(self.phase, Phase::Authorization { .. });
        let config = Arc::clone(&self.config);
        let output = self.wire.output_mut();
        output.put_slice(b"TOP\r\n");
        if before_login {
            output.put_slice(b"USER\r\n");
        }
        output.put_slice(b"UIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n");
        if let Some(name) = &config.implementation {
            output.put_slice(b"IMPLEMENTATION ");
            put_text(output, name);
            output.put_slice(b"\r\n");
        }
        output.put_slice(b".\r\n");
    }

    fn maildrop(&mut self) -> Option<&mut Maildrop> {
        match &mut self.phase {
            Phase::Transaction(maildrop) => Some(maildrop),
            Phase::Authorization { .. } => None,
        }
    }

    fn stat(&mut self) {
        let Some(maildrop) = self.maildrop() else {
            return;
        };
        let (count, octets) = maildrop.listing.stat();
        self.ok(&format!("{count} {octets}"));
    }

    fn list(&mut self, column: Column) {
        self.ok("list follows");
        self.job = Job::Scan(column, 0);
    }

    /// Writes lines of a listing until the output is full or the list is done.
    fn scan(&mut self) {
        let Job::Scan(column, next) = self.job else {
            return;
        };
        let Phase::Transaction(maildrop) = &self.phase else {
            return;
        };
        let listing = &maildrop.listing;
        for index in next..listing.len() {
            if self.wire.output_full() {
                self.job = Job::Scan(column, index);
                return;
            }
            if listing.is_deleted(index) == Some(false) {
                put_entry(self.wire.output_mut(), listing, column, index);
            }
        }
        self.wire.output_mut().put_slice(b".\r\n");
        self.job = Job::Idle;
    }

    fn list_one(&mut self, column: Column, number: Number) {
        let Some(index) = self.existing(number) else {
            return;
        };
        if let Phase::Transaction(maildrop) = &self.phase {
            self.wire.output_mut().put_slice(b"+OK ");
            put_entry(self.wire.output_mut(), &maildrop.listing, column, index);
        }
    }

    /// Finds an undeleted message by its number, or says why there is none.
    fn existing(&mut self, Number(number): Number) -> Option<usize> {
        let maildrop = self.maildrop()?;
        let Some(index) = number.checked_sub(1) else {
            self.err("messages are counted from 1");
            return None;
        };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        match maildrop.listing.is_deleted(index) {
            Some(false) => return Some(index),
            Some(true) => self.err("already deleted"),
            None => self.err("not that many messages"),
        }
        None
    }

    fn retrieve(&mut self, number: Number, lines: Option<u64>) -> Option<Action<Event>> {
        let index = u32::try_from(self.existing(number)?).ok()?;
        let maildrop = self.maildrop()?;
        if lines.is_none() {
            maildrop.last = maildrop.last.max(number.0);
        }
        let serial = self.next_serial();
        self.job = Job::Open(serial, lines);
        Some(Action::Event(Event::Open {
            index,
            lines,
            ticket: Ticket::new(serial),
        }))
    }

    fn delete(&mut self, number: Number) {
        let Some(index) = self.existing(number) else {
            return;
        };
        if let Some(maildrop) = self.maildrop() {
            maildrop.listing.delete(index);
            maildrop.last = maildrop.last.max(number.0);
        }
        self.ok("deleted");
    }

    fn tell_last(&mut self) {
        let last = self.maildrop().map_or(0, |maildrop| maildrop.last);
        self.ok(&last.to_string());
    }

    fn reset(&mut self) {
        if let Some(maildrop) = self.maildrop() {
            maildrop.listing.undelete_all();
            maildrop.last = 0;
        }
        self.ok("nothing is deleted");
    }

    fn quit(&mut self) -> Option<Action<Event>> {
        let deleted = self.maildrop()?.listing.deleted();
        let serial = self.next_serial();
        self.job = Job::Update(serial);
        Some(Action::Event(Event::Quit {
            deleted,
            ticket: Ticket::new(serial),
        }))
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
            Job::Login(_) | Job::Open(..) | Job::Chunk(..) | Job::Update(_) => return None,
            _ if self.closing => return None,
            Job::Idle | Job::Scan(..) | Job::Send(_) => {}
        }
        let idle = self.active + timeouts.idle;
        Some(match self.phase {
            Phase::Authorization { .. } => idle.min(self.started + timeouts.authorization),
            Phase::Transaction(_) => idle,
        })
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}

fn put_entry(output: &mut impl BufMut, listing: &Listing, column: Column, index: usize) {
    output.put_slice((index + 1).to_string().as_bytes());
    output.put_slice(b" ");
    match column {
        Column::Size => {
            let size = listing.size(index).unwrap_or(0);
            output.put_slice(size.to_string().as_bytes());
        }
        Column::Uid => output.put_slice(listing.uid(index).unwrap_or_default()),
    }
    output.put_slice(b"\r\n");
}

/// Writes text that must not end a line.
fn put_text(output: &mut impl BufMut, text: &str) {
    for byte in text.bytes() {
        output.put_u8(if byte.is_ascii_control() { b' ' } else { byte });
    }
}
