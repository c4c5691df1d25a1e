//! From the greeting to the first transaction: EHLO, HELO, STARTTLS (RFC 5321 §3.1, §3.2, RFC 3207).

use super::machine::{Client, Expect, State};
use super::{Event, Extensions, Hello, Tls};
use crate::smtp::reply_parser::RemoteReply;
use mta_core::report::Report;

impl Client {
    /// Takes a reply that belongs to the opening.
    pub(super) fn opened(&mut self, expect: Expect, reply: &RemoteReply) -> Option<Event> {
        match expect {
            Expect::Greeting if reply.code == 220 => {
                self.say_hello();
                None
            }
            Expect::Greeting => self.decline(self.texts().greeting(reply)),
            _ if reply.code == 421 => self.lose(Some(reply)),
            Expect::StartTls => self.tls_answered(reply),
            _ if reply.is_positive() => self.named(expect, reply),
            Expect::Ehlo if reply.is_permanent() && !self.encrypted_only() => {
                let helo = format!("HELO {}\r\n", self.name());
                self.send(helo.as_bytes(), Expect::Helo);
                None
            }
            _ => self.decline(self.texts().name_rejected(reply)),
        }
    }

    /// Says EHLO, or HELO where that is configured.
    pub(super) fn say_hello(&mut self) {
        self.extensions = Extensions::default();
        let (verb, expect) = match self.config.hello {
            Hello::Extended => ("EHLO", Expect::Ehlo),
            Hello::Plain => ("HELO", Expect::Helo),
        };
        let line = format!("{verb} {}\r\n", self.name());
        self.send(line.as_bytes(), expect);
    }

    /// Our name without anything that could end the word or the line.
    fn name(&self) -> String {
        let safe = |c: &char| !c.is_control() && !c.is_whitespace();
        self.config.helo.chars().filter(safe).take(255).collect()
    }

    fn encrypted_only(&self) -> bool {
        self.config.tls == Tls::Required && !self.encrypted
    }

    fn named(&mut self, expect: Expect, reply: &RemoteReply) -> Option<Event> {
        if expect == Expect::Ehlo {
            self.extensions = Extensions::from_ehlo(reply);
        }
        let wanted = self.config.tls != Tls::Never && !self.encrypted;
        if wanted && self.extensions.starttls {
            self.send(b"STARTTLS\r\n", Expect::StartTls);
            return None;
        }
        if self.encrypted_only() {
            return self.decline(self.texts().no_tls(None));
        }
        Some(self.ready())
    }

    /// The handshake begins only where nothing stands behind the reply: whatever does was put
    /// there in the clear (RFC 3207 §5).
    fn tls_answered(&mut self, reply: &RemoteReply) -> Option<Event> {
        let clean = self.wire.input().is_empty() && self.parser.is_between_replies();
        if reply.code == 220 && clean {
            self.state = State::Handshake;
            return None;
        }
        if reply.code == 220 || self.encrypted_only() {
            return self.decline(self.texts().no_tls(Some(reply)));
        }
        Some(self.ready())
    }

    fn ready(&mut self) -> Event {
        self.state = State::Ready;
        Event::Ready {
            extensions: self.extensions,
        }
    }

    /// Turns away from a server that does not want us, politely.
    fn decline(&mut self, report: Report) -> Option<Event> {
        let event = self.lose_with(report);
        self.wire.output_mut().extend_from_slice(b"QUIT\r\n");
        event
    }
}
