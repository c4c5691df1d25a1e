//! AUTH: an exchange between two commands, whose bytes are for the application alone (RFC 4954 §4).

use super::questions::Kind;
use super::{AbortReason, Event, Hail, LineEnds, Phase, Server, TlsPossible, replies};
use crate::sasl::{AuthStep, LINE_MAX, Message, Offer};
use crate::smtp::Reply;
use crate::smtp::command::{BadCommand, Command};
use crate::{Action, Ticket};
use bytes::Buf;

/// How far the peer is with saying who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Login {
    #[default]
    Nobody,
    Done,
}

/// What the application says to a step of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "go on, in, not in, or out")]
pub enum AuthVerdict {
    /// Send this to the client and ask again with what it says.
    Challenge(Vec<u8>),
    /// The client is who it says: 235.
    Accept,
    /// It is not let in; a 4xx or 5xx.
    Refuse(Reply),
    /// It is not let in, and the session ends.
    Close(Reply),
}

impl Server {
    /// Says which mechanisms are offered from now on. When TLS starts nothing is offered until
    /// this is called again. The input then holds at least [`LINE_MAX`] bytes.
    pub fn offer_auth(&mut self, offer: Offer) {
        if offer != Offer::None {
            self.wire.widen_input(LINE_MAX);
        }
        self.offer = offer;
    }

    /// Answers a step of an exchange. The answer of a session that has ended does nothing.
    pub fn answer_auth(&mut self, ticket: Ticket<AuthStep>, verdict: AuthVerdict) {
        let asked = self.open.front().map(|slot| slot.is_auth(ticket.serial()));
        if asked != Some(true) {
            return;
        }
        self.open.pop_front();
        self.application_spoke = true;
        match verdict {
            AuthVerdict::Challenge(challenge) => {
                self.phase = Phase::Auth;
                let output = self.wire.output_mut();
                output.extend_from_slice(b"334 ");
                output.extend_from_slice(Message::encode(&challenge).as_bytes());
                output.extend_from_slice(b"\r\n");
            }
            AuthVerdict::Accept => {
                self.login = Login::Done;
                self.phase = Phase::Command;
                self.reply(&replies::AUTHENTICATED);
            }
            AuthVerdict::Refuse(reply) => {
                self.phase = Phase::Command;
                self.failed_login(reply);
            }
            AuthVerdict::Close(reply) => {
                self.reply(&negative(reply));
                self.end(AbortReason::Closed);
            }
        }
    }

    pub(super) fn auth(&mut self, command: Command) -> Option<Event> {
        let Command::Auth { mechanism, initial } = command else {
            return None;
        };
        let refusal = if self.login == Login::Done {
            Some(replies::LOGGED_IN)
        } else if self.offer == Offer::NeedsTls && self.tls_possible() == TlsPossible::Yes {
            Some(replies::TLS_FIRST)
        } else if self.transaction.is_some() {
            Some(replies::AUTH_IN_TRANSACTION)
        } else if self.hail != Some(Hail::Ehlo) {
            Some(replies::EHLO_FIRST)
        } else {
            None
        };
        if let Some(reply) = refusal {
            self.refuse(&reply);
            return None;
        }
        let Some(mechanism) = self.offer.find(&mechanism) else {
            self.refuse(&replies::NO_SUCH_MECHANISM);
            return None;
        };
        let ticket = self.ask(Kind::Auth);
        Some(Event::Auth {
            mechanism,
            initial,
            ticket,
        })
    }

    /// Takes one line of an exchange.
    pub(super) fn auth_step(&mut self) -> Option<Action<Event>> {
        if let Some(reply) = self.closing.take() {
            self.reply(&reply);
            self.end(AbortReason::Closed);
            return None;
        }
        let input = self.wire.input();
        let window = input.get(..input.len().min(LINE_MAX)).unwrap_or_default();
        let Some(at) = memchr::memchr(b'\n', window) else {
            if window.len() < LINE_MAX {
                return self.read();
            }
            self.phase = Phase::Overlong;
            self.scanned = 0;
            return Some(Action::Event(Event::AuthCancelled));
        };
        let line = match window.get(..at).unwrap_or_default() {
            [line @ .., b'\r'] => Some(line),
            line if self.config.line_ends == LineEnds::Normalise => Some(line),
            _ => None,
        };
        let cancelled = line == Some(b"*");
        let message = line.and_then(Message::decode);
        self.wire.input_mut().advance(at + 1);
        self.since = self.now;
        if let (Some(message), false) = (message, cancelled) {
            self.phase = Phase::Command;
            let ticket = self.ask(Kind::Auth);
            return Some(Action::Event(Event::AuthResponse { message, ticket }));
        }
        self.phase = Phase::Command;
        self.refuse(&if cancelled {
            replies::AUTH_CANCELLED
        } else {
            replies::bad_command(BadCommand::Base64)
        });
        Some(Action::Event(Event::AuthCancelled))
    }

    /// How long a line may be that begins as the one at hand does.
    pub(super) fn line_limit(&self) -> usize {
        let usual = self.config.limits.command_line.max(512);
        let start = self.wire.input().get(..5).unwrap_or_default();
        if self.offer != Offer::None && start.eq_ignore_ascii_case(b"AUTH ") {
            usual.max(LINE_MAX)
        } else {
            usual
        }
    }

    fn failed_login(&mut self, reply: Reply) {
        self.refuse(&negative(reply));
        self.failed_logins = self.failed_logins.saturating_add(1);
        let most = self.config.limits.failed_logins;
        if most > 0 && self.failed_logins >= most && self.ended.is_none() {
            self.reply(&replies::TOO_MANY_LOGINS);
            self.end(AbortReason::TooManyErrors);
        }
    }
}

/// A refusal with a code of success would mislead.
fn negative(reply: Reply) -> Reply {
    if reply.class() > 3 {
        reply
    } else {
        replies::MISFIT
    }
}
