//! How a line of input becomes a command, and what may be said before the login (RFC 1939 §4, RFC 2449).

use super::{Job, Phase, Server, put_text};
use crate::pop3::command::{Command, CommandError, Secret};
use crate::pop3::event::LoginQuestion;
use crate::pop3::{AbortReason, Event, Password};
use crate::sasl::Offer;
use crate::{Action, Ticket};
use bytes::{BufMut, Bytes};
use std::sync::Arc;

impl Server {
    /// Takes one line from the input.
    pub(super) fn read_command(&mut self) -> Option<Action<Event>> {
        let limit = self.line_limit();
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
    pub(super) fn line_too_long(&mut self) {
        if !self.skipping {
            self.mistake("line too long");
        }
        self.skipping = true;
    }

    fn execute(&mut self, command: Command<'_>) -> Option<Action<Event>> {
        match command {
            Command::Capa => self.capabilities(),
            Command::Noop => self.ok("nothing done"),
            Command::Stls => self.start_tls(),
            command if matches!(self.phase, Phase::Authorization { .. }) => {
                return self.authorize(command);
            }
            Command::Stat => self.stat(),
            Command::List(None) => self.list(super::Column::Size),
            Command::Uidl(None) => self.list(super::Column::Uid),
            Command::List(Some(number)) => self.list_one(super::Column::Size, number),
            Command::Uidl(Some(number)) => self.list_one(super::Column::Uid, number),
            Command::Retr(number) => return self.retrieve(number, None),
            Command::Top { message, lines } => return self.retrieve(message, Some(lines)),
            Command::Dele(number) => self.delete(number),
            Command::Last => self.tell_last(),
            Command::Rset => self.reset(),
            Command::Quit => return self.quit(),
            Command::User(_) | Command::Pass(_) | Command::Apop { .. } | Command::Auth { .. } => {
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
            Command::User(_) | Command::Pass(_) | Command::Apop { .. }
                if self.offer == Offer::NeedsTls =>
            {
                *user = None;
                self.refuse_clear();
            }
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
            Command::Auth { mechanism, initial } => {
                let initial = initial.map(Secret::expose);
                return self.auth(mechanism, initial);
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

    /// RFC 2449 §6; the same list before and after the login, but for USER and STLS, which are of no use then.
    fn capabilities(&mut self) {
        self.ok("capability list follows");
        let before_login = matches!(self.phase, Phase::Authorization { .. });
        let user_helps = before_login && self.offer != Offer::NeedsTls;
        let tls_possible = self.tls_possible();
        let sasl = self.sasl_capability().unwrap_or_default();
        let config = Arc::clone(&self.config);
        let output = self.wire.output_mut();
        output.put_slice(b"TOP\r\n");
        if user_helps {
            output.put_slice(b"USER\r\n");
        }
        output.put_slice(sasl.as_bytes());
        if tls_possible {
            output.put_slice(b"STLS\r\n");
        }
        output.put_slice(b"UIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n");
        if let Some(name) = &config.implementation {
            output.put_slice(b"IMPLEMENTATION ");
            put_text(output, name);
            output.put_slice(b"\r\n");
        }
        output.put_slice(b".\r\n");
    }
}
