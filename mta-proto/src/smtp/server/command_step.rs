//! Takes one command line from the input and carries it out (RFC 5321 §4.1.1, §4.1.4).

use super::questions::{Kind, Slot};
use super::replies::{self, TlsPossible};
use super::{AbortReason, Chunk, Event, Hail, LineEnds, Phase, Server, StartTls};
use crate::Action;
use crate::sasl::Offer;
use crate::smtp::command::{self, BadCommand, Command, Offered};
use crate::smtp::{Reply, Xclient};
use bytes::{Buf, Bytes};
use mta_core::abuse::Rate;
use std::collections::VecDeque;

impl Server {
    pub(super) fn command_step(&mut self) -> Option<Action<Event>> {
        if self.open.is_empty() {
            self.in_order = false;
            if let Some(reply) = self.closing.take() {
                self.reply(&reply);
                self.end(AbortReason::Closed);
                return None;
            }
        }
        let Some(length) = self.find_line() else {
            return self.incomplete_line();
        };
        let command = self.parse_line(length);
        if !self.open.is_empty() && !self.may_overtake(&command) {
            self.in_order = true;
            return Some(Action::Wait);
        }
        // The line stays until the application knows, so that events keep their order.
        if let Some(reason) = self.ended_by(&command)
            && self.transaction.take().is_some()
        {
            self.message = None;
            return Some(Action::Event(Event::Abort(reason)));
        }
        let http = command == Err(BadCommand::Unknown) && self.is_http(length);
        self.consume(length);
        if !self.pay_command() {
            self.reply(&replies::TOO_MANY_COMMANDS);
            self.end(AbortReason::TooManyCommands);
            return None;
        }
        match command {
            Ok(command) => self.execute(command).map(Action::Event),
            Err(_) if http => {
                self.reply(&replies::NOT_HTTP);
                self.end(AbortReason::Closed);
                None
            }
            Err(bad) => {
                self.refuse(&replies::bad_command(bad));
                if bad == BadCommand::BdatArgument {
                    self.end(AbortReason::Closed);
                }
                None
            }
        }
    }

    /// Returns the length of the next line with its LF.
    fn find_line(&mut self) -> Option<usize> {
        let limit = self.line_limit();
        let input = self.wire.input();
        let window = input.get(..input.len().min(limit)).unwrap_or_default();
        let fresh = window.get(self.scanned..).unwrap_or_default();
        let found = memchr::memchr(b'\n', fresh).map(|at| self.scanned + at + 1);
        if found.is_none() {
            self.scanned = window.len();
        }
        found
    }

    fn incomplete_line(&mut self) -> Option<Action<Event>> {
        if self.wire.input().len() >= self.line_limit() {
            if !self.open.is_empty() {
                self.in_order = true;
                return Some(Action::Wait);
            }
            self.phase = Phase::Overlong;
            return None;
        }
        if self.open.is_empty() {
            self.open = VecDeque::new();
            self.wire.release_idle();
        }
        self.read()
    }

    /// Drops the rest of a line that is too long, and answers it once.
    pub(super) fn overlong_step(&mut self) -> Option<Action<Event>> {
        let input = self.wire.input_mut();
        self.scanned = 0;
        if let Some(at) = memchr::memchr(b'\n', input) {
            input.advance(at + 1);
            self.phase = Phase::Command;
            self.since = self.now;
            self.refuse(&replies::bad_command(BadCommand::TooLong));
            return None;
        }
        input.clear();
        self.read()
    }

    fn parse_line(&self, length: usize) -> Result<Command, BadCommand> {
        let line = self.wire.input().get(..length).unwrap_or_default();
        let line = match line {
            [line @ .., b'\r', b'\n'] => line,
            [line @ .., b'\n'] if self.config.line_ends == LineEnds::Normalise => line,
            _ => return Err(BadCommand::BareLf),
        };
        match memchr::memchr2(b'\r', 0, line) {
            Some(at) if line.get(at) == Some(&0) => return Err(BadCommand::Nul),
            Some(_) => return Err(BadCommand::BareCr),
            None => {}
        }
        let offered = Offered {
            smtputf8: self.config.smtputf8,
            chunking: self.config.chunking,
            dsn: self.config.dsn,
            starttls: self.config.starttls != StartTls::Off,
            auth: self.offer != Offer::None,
            xclient: self.config.xclient,
        };
        command::parse(line, offered)
    }

    /// Tells whether a browser was made to speak here: what it brings along as the body of its
    /// request must not be taken for commands (RFC 9110 §9.1, RFC 9112 §3).
    fn is_http(&self, length: usize) -> bool {
        let line = self.wire.input().get(..length).unwrap_or_default();
        let mut words = line.split(|&b| b == b' ');
        let method = words.next().unwrap_or_default();
        let last = words.next_back().unwrap_or_default();
        method.iter().all(u8::is_ascii_uppercase) && last.starts_with(b"HTTP/")
    }

    fn consume(&mut self, length: usize) {
        self.wire.input_mut().advance(length);
        self.scanned = 0;
        self.since = self.now;
    }

    /// Counts a command; tells whether there were too many in a short time.
    fn pay_command(&mut self) -> bool {
        let rate = Rate::per_minute(self.config.limits.commands_per_minute);
        let due = rate.take(self.commands_due, self.now);
        self.commands_due = due.unwrap_or(self.commands_due);
        due.is_some()
    }

    /// Tells whether a further question may be asked before those that are open are answered.
    pub(super) fn may_look_ahead(&self) -> bool {
        self.open.len() < self.config.limits.open_questions
            && !self.in_order
            && self.closing.is_none()
            && matches!(self.phase, Phase::Command)
            && self.open.iter().all(Slot::is_rcpt)
    }

    /// Only a RCPT may overtake RCPTs, and only where no answer to those can change what becomes
    /// of it.
    fn may_overtake(&self, command: &Result<Command, BadCommand>) -> bool {
        let Some(transaction) = &self.transaction else {
            return false;
        };
        let limits = &self.config.limits;
        let open = self.open.len();
        let errors_allow = limits.errors == 0
            || usize::try_from(limits.errors.saturating_sub(self.errors))
                .is_ok_and(|left| open < left);
        matches!(command, Ok(Command::Rcpt { to, .. })
            if transaction.smtputf8 || !to.needs_smtputf8())
            && errors_allow
            && transaction.recipients + open < limits.recipients
    }

    fn execute(&mut self, command: Command) -> Option<Event> {
        if self.unwelcome && !matches!(command, Command::Quit | Command::Bdat { .. }) {
            self.refuse(&replies::NOT_WELCOME);
            return None;
        }
        match command {
            Command::Hello { name, extended } => return Some(self.hello(name, extended)),
            Command::Mail { .. } => return self.mail(command),
            Command::Rcpt { .. } => return self.rcpt(command),
            Command::Data => return self.data(),
            Command::Bdat { size, last } => return self.bdat(size, last),
            Command::Rset => self.reply(&replies::FLUSHED),
            Command::Noop => self.reply(&replies::OK),
            Command::Vrfy => self.reply(&replies::VRFY),
            Command::Help => self.reply(&replies::HELP),
            Command::Quit => {
                self.reply(&replies::goodbye(&self.config));
                self.end(AbortReason::Quit);
            }
            Command::StartTls => self.start_tls(),
            Command::Auth { .. } => return self.auth(command),
            Command::Xclient(client) => return self.xclient(client),
        }
        None
    }

    fn hello(&mut self, name: Bytes, extended: bool) -> Event {
        self.hail = None;
        let hail = if extended { Hail::Ehlo } else { Hail::Helo };
        Event::Hello {
            name,
            extended,
            ticket: self.ask(Kind::Hello(hail)),
        }
    }

    fn xclient(&mut self, client: Box<Xclient>) -> Option<Event> {
        if self.transaction.is_some() {
            self.refuse(&replies::XCLIENT_IN_TRANSACTION);
            return None;
        }
        let ticket = self.ask(Kind::Xclient);
        Some(Event::Xclient { client, ticket })
    }

    fn mail(&mut self, command: Command) -> Option<Event> {
        let Command::Mail { from, params, size } = command else {
            return None;
        };
        let most = self.config.limits.message_size;
        if self.transaction.is_some() {
            self.refuse(&replies::NESTED_MAIL);
            return None;
        }
        if most > 0 && size.is_some_and(|size| size > most) {
            self.refuse(&replies::TOO_BIG);
            return None;
        }
        let smtputf8 = params.smtputf8;
        Some(Event::Mail {
            from,
            params,
            size,
            ticket: self.ask(Kind::Mail { smtputf8 }),
        })
    }

    fn rcpt(&mut self, command: Command) -> Option<Event> {
        let Command::Rcpt { to, params } = command else {
            return None;
        };
        let most = self.config.limits.recipients;
        let Some(transaction) = &mut self.transaction else {
            self.refuse(&replies::MAIL_FIRST);
            return None;
        };
        if self.message.is_some() {
            self.refuse(&replies::BDAT_BEGUN);
        } else if !transaction.smtputf8 && to.needs_smtputf8() {
            self.refuse(&replies::NEEDS_SMTPUTF8);
        } else if transaction.recipients + self.open.len() >= most {
            transaction.excess = transaction.excess.saturating_add(1);
            let flood = transaction.excess > most;
            self.reply(&replies::TOO_MANY_RECIPIENTS);
            if flood {
                self.count_error();
            }
        } else {
            let ticket = self.ask(Kind::Rcpt);
            return Some(Event::Rcpt { to, params, ticket });
        }
        None
    }

    /// Tells why no message may begin now.
    fn message_refusal(&self) -> Option<Reply> {
        match &self.transaction {
            _ if self.unwelcome => Some(replies::NOT_WELCOME),
            None => Some(replies::MAIL_FIRST),
            Some(transaction) if transaction.recipients == 0 => Some(replies::RCPT_FIRST),
            Some(_) => None,
        }
    }

    fn data(&mut self) -> Option<Event> {
        let refusal = if self.message.is_some() {
            Some(replies::BDAT_BEGUN)
        } else {
            self.message_refusal()
        };
        if let Some(reply) = refusal {
            self.refuse(&reply);
            return None;
        }
        Some(Event::Data(self.ask(Kind::Data)))
    }

    /// The bytes of a chunk come whether it is wanted or not (RFC 3030 §2), so that a refusal has
    /// to wait for them.
    fn bdat(&mut self, size: u64, last: bool) -> Option<Event> {
        let refusal = self.message_refusal();
        let first = refusal.is_none() && self.message.is_none();
        if self.message.is_none() {
            self.body_begins();
        }
        self.phase = Phase::Chunk(Chunk {
            size,
            left: size,
            last,
            refusal,
        });
        first.then(|| Event::Data(self.ask(Kind::FirstChunk)))
    }

    fn start_tls(&mut self) {
        if self.tls {
            self.refuse(&replies::TLS_ALREADY);
        } else if self.config.starttls != StartTls::Offered {
            self.refuse(&replies::NO_TLS);
        } else if !self.wire.input().is_empty() {
            self.reply(&replies::TLS_INJECTION);
            self.end(AbortReason::StartTls);
        } else {
            self.reply(&replies::START_TLS);
            self.phase = Phase::StartTls;
        }
    }

    /// Tells whether, and why, a transaction ends with this command.
    fn ended_by(&self, command: &Result<Command, BadCommand>) -> Option<AbortReason> {
        match command {
            Ok(Command::Rset) => Some(AbortReason::Reset),
            Ok(Command::Hello { .. }) => Some(AbortReason::Hello),
            Ok(Command::Quit) => Some(AbortReason::Quit),
            Ok(Command::StartTls) if self.tls_possible() == TlsPossible::Yes => {
                Some(AbortReason::StartTls)
            }
            _ => None,
        }
    }
}
