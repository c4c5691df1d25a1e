//! AUTH: an exchange before the login, whose bytes are for the application alone (RFC 5034).

use super::{Job, Phase, Server};
use crate::pop3::{AbortReason, Admission, Event};
use crate::sasl::{AuthStep, LINE_MAX, Message, Offer};
use crate::{Action, Ticket};
use bytes::BufMut;

/// What the application says to a step of an exchange.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "go on, or the outcome")]
pub enum AuthAnswer {
    /// Send this to the client and ask again with what it says.
    Challenge(Vec<u8>),
    /// It is over, as with any other login.
    Done(Admission),
}

impl Server {
    /// Says which mechanisms are offered from now on. When TLS starts nothing is offered until
    /// this is called again. With [`Offer::NeedsTls`] USER, PASS and APOP are refused as well. The
    /// input then holds at least [`LINE_MAX`] bytes.
    pub fn offer_auth(&mut self, offer: Offer) {
        if offer != Offer::None {
            self.wire.widen_input(LINE_MAX);
        }
        self.offer = offer;
    }

    /// Answers a step of an exchange.
    pub fn answer_auth(&mut self, ticket: Ticket<AuthStep>, answer: AuthAnswer) {
        if !matches!(self.job, Job::Auth(serial) if serial == ticket.serial()) {
            return;
        }
        match answer {
            AuthAnswer::Challenge(challenge) => {
                self.answer_given();
                self.job = Job::AuthLine;
                let output = self.wire.output_mut();
                output.put_slice(b"+ ");
                output.put_slice(Message::encode(&challenge).as_bytes());
                output.put_slice(b"\r\n");
            }
            AuthAnswer::Done(admission) => self.settle_login(admission),
        }
    }

    /// `AUTH mechanism [initial-response]`.
    pub(super) fn auth(
        &mut self,
        mechanism: &[u8],
        initial: Option<&[u8]>,
    ) -> Option<Action<Event>> {
        if self.offer == Offer::NeedsTls {
            self.refuse_clear();
            return None;
        }
        let Some(mechanism) = self.offer.find(mechanism) else {
            self.mistake("that mechanism is not offered; see CAPA");
            return None;
        };
        let initial = match initial.map(Message::decode_initial) {
            None => None,
            Some(Some(message)) => Some(message),
            Some(None) => {
                self.mistake("expected base64");
                return None;
            }
        };
        let ticket = self.ask_auth();
        Some(Action::Event(Event::Auth {
            mechanism,
            initial,
            ticket,
        }))
    }

    /// Refuses a login in the clear, whichever command begins it (RFC 2595 §2.2, RFC 8314 §3.3).
    pub(super) fn refuse_clear(&mut self) {
        self.mistake(if self.tls_possible() {
            "logins are encrypted here; say STLS first"
        } else {
            "logins are encrypted here"
        });
    }

    /// Takes one line of an exchange.
    pub(super) fn auth_line(&mut self) -> Option<Action<Event>> {
        let input = self.wire.input_mut();
        let window = input.get(..input.len().min(LINE_MAX)).unwrap_or_default();
        let Some(at) = memchr::memchr(b'\n', window) else {
            if window.len() >= LINE_MAX {
                input.clear();
                self.line_too_long();
                return self.cancelled();
            }
            if self.wire.eof() {
                self.close(Some(AbortReason::HungUp));
                return None;
            }
            return Some(Action::Read);
        };
        let line = input.split_to(at.saturating_add(1));
        let text = line.get(..at).unwrap_or_default();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text == b"*" {
            self.mistake("the login was cancelled");
            return self.cancelled();
        }
        let Some(message) = Message::decode(text) else {
            self.mistake("expected base64");
            return self.cancelled();
        };
        let ticket = self.ask_auth();
        Some(Action::Event(Event::AuthResponse { message, ticket }))
    }

    fn cancelled(&mut self) -> Option<Action<Event>> {
        self.job = Job::Idle;
        Some(Action::Event(Event::AuthCancelled))
    }

    fn ask_auth(&mut self) -> Ticket<AuthStep> {
        let serial = self.next_serial();
        self.job = Job::Auth(serial);
        Ticket::new(serial)
    }

    /// The line of CAPA, if there is one now (RFC 5034 §3).
    pub(super) fn sasl_capability(&self) -> Option<String> {
        let before_login = matches!(self.phase, Phase::Authorization { .. });
        let list = self.offer.list().filter(|_| before_login)?;
        Some(format!("SASL {list}\r\n"))
    }

    /// How long a line may be that begins as the one at hand does.
    pub(super) fn line_limit(&self) -> usize {
        let usual = self.config.limits.command_line;
        let start = self.wire.input().get(..5).unwrap_or_default();
        if self.offer != Offer::None && start.eq_ignore_ascii_case(b"AUTH ") {
            usual.max(LINE_MAX)
        } else {
            usual
        }
    }
}
