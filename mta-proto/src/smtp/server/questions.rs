//! Questions that wait for an answer, and what an answer does; replies leave in command order
//! (RFC 2920 §3.2, RFC 5321 §4.3.2).

use super::auth::Login;
use super::event::{AbortReason, Question, Verdict};
use super::replies::{self, TlsPossible};
use super::{Hail, Message, Phase, Server, StartTls, Transaction};
use crate::Ticket;
use crate::sasl::Offer;
use crate::smtp::Reply;

/// One question, in command order.
#[derive(Debug)]
pub(super) struct Slot {
    serial: u64,
    kind: Kind,
    verdict: Option<Verdict>,
}

impl Slot {
    pub(super) const fn is_rcpt(&self) -> bool {
        matches!(self.kind, Kind::Rcpt)
    }

    pub(super) const fn is_auth(&self, serial: u64) -> bool {
        matches!(self.kind, Kind::Auth) && self.serial == serial
    }
}

/// What is asked, with what carrying out the answer needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Greeting,
    Hello(Hail),
    Xclient,
    Mail { smtputf8: bool },
    Rcpt,
    Data,
    FirstChunk,
    Commit,
    Auth,
}

impl Server {
    /// Answers a question. The answer of a session that has ended meanwhile does nothing.
    pub fn answer<K: Question>(&mut self, ticket: Ticket<K>, verdict: Verdict) {
        let serial = ticket.serial();
        if let Some(slot) = self.open.iter_mut().find(|slot| slot.serial == serial) {
            slot.verdict = Some(verdict);
        }
        while let Some(verdict) = self.open.front_mut().and_then(|slot| slot.verdict.take()) {
            if let Some(slot) = self.open.pop_front() {
                self.settle(slot.kind, verdict);
            }
        }
        self.application_spoke = true;
    }

    pub(super) fn ask<K>(&mut self, kind: Kind) -> Ticket<K> {
        self.serial += 1;
        self.open.push_back(Slot {
            serial: self.serial,
            kind,
            verdict: None,
        });
        Ticket::new(self.serial)
    }

    fn settle(&mut self, kind: Kind, verdict: Verdict) {
        let (own, close) = match verdict {
            Verdict::Accept => (None, false),
            Verdict::Reply(reply) => {
                let close = reply.code() == 421;
                (Some(reply), close)
            }
            Verdict::Close(reply) => (Some(reply), true),
        };
        match own.map(|reply| fitting(kind, reply)) {
            Some(reply) if reply.class() > 3 => self.refused(kind, reply),
            own => self.accepted(kind, own),
        }
        if close {
            self.end(AbortReason::Closed);
        }
    }

    fn accepted(&mut self, kind: Kind, own: Option<Reply>) {
        let default = match kind {
            Kind::Greeting => replies::greeting(&self.config),
            Kind::Hello(hail) => {
                self.hail = Some(hail);
                return self.welcome(hail, own);
            }
            Kind::Xclient => {
                self.begin_anew();
                replies::greeting(&self.config)
            }
            Kind::Mail { smtputf8 } => {
                self.transaction = Some(Transaction::new(smtputf8));
                replies::MAIL_OK
            }
            Kind::Rcpt => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.recipients += 1;
                }
                replies::RCPT_OK
            }
            Kind::Data => {
                self.message = Some(Message::new(&self.config));
                self.phase = Phase::Data;
                self.body_begins();
                replies::GO_AHEAD
            }
            // The chunk is on its way already, and is answered when it is here.
            Kind::FirstChunk => {
                self.message = Some(Message::new(&self.config));
                return;
            }
            Kind::Commit => {
                self.errors = 0;
                self.useful = self.now;
                replies::OK
            }
            // Answered in its own way.
            Kind::Auth => return,
        };
        self.reply(&own.unwrap_or(default));
    }

    /// As a new connection, but for TLS.
    fn begin_anew(&mut self) {
        self.hail = None;
        self.login = Login::Nobody;
        self.errors = 0;
        self.failed_logins = 0;
        self.unwelcome = false;
        self.useful = self.now;
    }

    fn welcome(&mut self, hail: Hail, own: Option<Reply>) {
        let reply = match (hail, own) {
            (Hail::Ehlo, own) => {
                let first = own.as_ref().map_or(&*self.config.greeting, Reply::text);
                replies::ehlo(&self.config, first, self.tls_possible(), &self.offer_now())
            }
            (Hail::Helo, Some(own)) => own,
            (Hail::Helo, None) => replies::helo(&self.config),
        };
        self.reply(&reply);
    }

    /// Nobody logs in twice.
    fn offer_now(&self) -> Offer {
        match self.login {
            Login::Nobody => self.offer.clone(),
            Login::Done => Offer::None,
        }
    }

    pub(super) fn tls_possible(&self) -> TlsPossible {
        if self.config.starttls == StartTls::Offered && !self.tls {
            TlsPossible::Yes
        } else {
            TlsPossible::No
        }
    }

    fn refused(&mut self, kind: Kind, reply: Reply) {
        match kind {
            Kind::Greeting => self.unwelcome = true,
            Kind::Data | Kind::FirstChunk => {
                self.transaction = None;
                self.abort = Some(AbortReason::Refused);
            }
            _ => {}
        }
        match &mut self.phase {
            Phase::Chunk(chunk) if kind == Kind::FirstChunk => chunk.refusal = Some(reply),
            _ => self.refuse(&reply),
        }
    }
}

/// Replaces a reply that would mislead the peer about what was done.
fn fitting(kind: Kind, reply: Reply) -> Reply {
    let fits = match reply.class() {
        2 => kind != Kind::Data,
        3 => reply.code() == 354 && kind == Kind::Data,
        class => class > 3,
    };
    if fits { reply } else { replies::MISFIT }
}
