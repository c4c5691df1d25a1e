//! A transaction's commands, body and replies, in groups where the server pipelines
//! (RFC 5321 §3.3, RFC 2920 §3.1).

use super::Event;
use super::command;
use super::machine::{Client, Expect, State};
use super::transaction::{Fate, Job, Next};
use crate::smtp::reply_parser::RemoteReply;
use mta_core::envelope::Recipient;
use mta_core::report::Handover;

/// How much of a chunk is turned into output in one go, in bytes.
const SLICE: usize = 16 * 1024;

impl Client {
    /// Decides before anything is sent what the server cannot take.
    ///
    /// A body of 8-bit bytes goes out even where 8BITMIME is missing, as qmail-remote(8) does.
    pub(super) fn judge(&self, job: &mut Job) {
        let (offered, texts) = (self.extensions, self.texts());
        let transaction = &job.transaction;
        let for_all = transaction.params.smtputf8 || transaction.from.needs_smtputf8();
        let for_some = |r: &Recipient| r.address.needs_smtputf8();
        if for_all && !offered.smtputf8 {
            return job.decide_rest(&texts.needs_smtputf8());
        }
        job.smtputf8 = offered.smtputf8 && (for_all || transaction.recipients.iter().any(for_some));
        let longest = self.config.path;
        if command::mail(transaction, offered, job.smtputf8, longest).is_none() {
            return job.decide_rest(&texts.unsendable_address());
        }
        if let (Some(limit), Some(size)) = (offered.size, transaction.size)
            && limit > 0
            && size > limit
        {
            return job.decide_rest(&texts.too_big(limit));
        }
        let slots = job.reports.iter_mut().zip(&mut job.fates);
        for (recipient, (report, fate)) in transaction.recipients.iter().zip(slots) {
            if for_some(recipient) && !offered.smtputf8 {
                *report = Some(texts.needs_smtputf8());
            } else if command::rcpt(recipient, offered, longest).is_none() {
                *report = Some(texts.unsendable_address());
            }
            if report.is_some() {
                *fate = Fate::Refused;
            }
        }
    }

    /// Sends what may be sent now: the next commands, or more of the body.
    pub(super) fn produce(&mut self) -> Option<Event> {
        let mut job = self.job.take()?;
        if job.is_decided() && self.expected.is_empty() {
            if job.accepted == 0 {
                job.give_up(&self.texts());
            }
            return Some(self.finish(*job));
        }
        let group = self.config.pipelining && self.extensions.pipelining;
        while (group || self.expected.is_empty()) && !self.wire.output_full() {
            if !self.send_next(&mut job) {
                break;
            }
        }
        let event = if job.next == Next::Body {
            if job.body.failed {
                job.decide_rest(&self.texts().unreadable_message());
                self.cut();
                return Some(self.finish(*job));
            }
            self.send_body(&mut job)
        } else {
            None
        };
        self.job = Some(job);
        event
    }

    /// Sends one command; `false` where none can be sent before a reply is there.
    fn send_next(&mut self, job: &mut Job) -> bool {
        let longest = self.config.path;
        match job.next {
            Next::Rset => {
                self.send(b"RSET\r\n", Expect::Rset);
                job.next = Next::Mail;
            }
            Next::Mail => {
                let transaction = &job.transaction;
                let line = command::mail(transaction, self.extensions, job.smtputf8, longest);
                self.send(&line.unwrap_or_default(), Expect::Mail);
                job.next = Next::Rcpt(0);
            }
            Next::Rcpt(index) => {
                let Some(recipient) = job.transaction.recipients.get(index) else {
                    job.next = Next::Data;
                    return true;
                };
                let undecided = matches!(job.reports.get(index), Some(None));
                let line = command::rcpt(recipient, self.extensions, longest);
                if let Some(line) = line.filter(|_| undecided) {
                    self.send(&line, Expect::Rcpt(index));
                }
                job.next = Next::Rcpt(index + 1);
            }
            Next::Data => {
                job.next = Next::Replies;
                if job.is_decided() {
                    return false;
                }
                self.send(b"DATA\r\n", Expect::Data);
            }
            Next::Body | Next::Replies => return false,
        }
        true
    }

    fn send_body(&mut self, job: &mut Job) -> Option<Event> {
        let body = &mut job.body;
        while !self.wire.output_full() {
            if !body.pending.is_empty() {
                let piece = body.pending.split_to(SLICE.min(body.pending.len()));
                body.stuffer.feed(&piece, self.wire.output_mut());
            } else if body.ended {
                body.stuffer.finish(self.wire.output_mut());
                self.expected.push_back(Expect::Dot);
                job.next = Next::Replies;
                break;
            } else if body.asked.is_some() {
                break;
            } else {
                let ticket = self.ticket();
                body.asked = Some(ticket.serial());
                return Some(Event::Need(ticket));
            }
        }
        None
    }

    /// Takes the reply to one of the transaction's commands.
    pub(super) fn replied(&mut self, expect: Expect, reply: &RemoteReply) -> Option<Event> {
        let mut job = self.job.take()?;
        let keep = match expect {
            Expect::Rset => self.rset_replied(reply),
            Expect::Mail => self.mail_replied(&mut job, reply),
            Expect::Rcpt(index) => self.rcpt_replied(&mut job, index, reply),
            Expect::Data => self.data_replied(&mut job, reply),
            Expect::Dot => {
                self.dot_replied(&mut job, reply);
                Connection::Keep
            }
            _ => Connection::Keep,
        };
        self.job = Some(job);
        if keep == Connection::Lost || reply.code == 421 {
            return self.lose(Some(reply));
        }
        None
    }

    fn rset_replied(&mut self, reply: &RemoteReply) -> Connection {
        self.needs_rset = false;
        Connection::kept_if(reply.is_positive())
    }

    fn mail_replied(&self, job: &mut Job, reply: &RemoteReply) -> Connection {
        if reply.code == 421 {
            return Connection::Lost;
        }
        job.mail_answered = true;
        if reply.is_positive() {
            return Connection::Keep;
        }
        job.decide_rest(&self.texts().sender_rejected(reply));
        job.next = Next::Replies;
        Connection::kept_if(reply.code >= 400)
    }

    fn rcpt_replied(&mut self, job: &mut Job, index: usize, reply: &RemoteReply) -> Connection {
        // Behind a refused MAIL the recipient is decided, and this reply is of no interest.
        let undecided = matches!(job.reports.get(index), Some(None));
        self.needs_rset = true;
        if reply.is_positive() {
            job.accepted += usize::from(undecided);
            if undecided {
                job.note(index, Fate::Accepted);
            }
        } else if undecided {
            job.refuse(index, self.texts().recipient_refused(reply));
        }
        Connection::kept_if(reply.is_positive() || reply.code >= 400)
    }

    fn data_replied(&mut self, job: &mut Job, reply: &RemoteReply) -> Connection {
        if reply.is_intermediate() {
            self.needs_rset = false;
            if job.accepted > 0 {
                job.next = Next::Body;
                self.body_begins();
            } else {
                self.send(b".\r\n", Expect::LoneDot);
            }
            return Connection::Keep;
        }
        job.decide_rest(&self.texts().data_refused(reply));
        Connection::kept_if(reply.code >= 400)
    }

    fn dot_replied(&mut self, job: &mut Job, reply: &RemoteReply) {
        let texts = self.texts();
        job.decide_rest(&if reply.is_positive() {
            // A server that speaks DSN reports from now on (RFC 3461 §5.2.1, §5.2.2).
            texts.accepted(reply).with(if self.extensions.dsn {
                Handover::PassedOn
            } else {
                Handover::Relayed
            })
        } else {
            texts.message_refused(reply)
        });
        self.needs_rset = false;
    }

    /// A reply to nothing: a refusal in the middle of the body, a farewell, or a server that is
    /// out of step. The body is never completed then, so the message is not accepted twice.
    pub(super) fn unasked(&mut self, reply: &RemoteReply) -> Option<Event> {
        let report = if reply.code >= 400 && reply.code != 421 && self.job.is_some() {
            self.texts().message_refused(reply)
        } else {
            self.texts().died(false, Some(reply))
        };
        self.lose_with(report)
    }

    /// Gives the reports out; the connection is free for the next transaction unless it is closed.
    pub(super) fn finish(&mut self, job: Job) -> Event {
        self.finished += 1;
        self.fates.clone_from(&job.fates);
        if self.state == State::Busy {
            self.state = State::Ready;
        }
        Event::Finished(job.into_reports(&self.texts()))
    }
}

/// Whether the connection can be used on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connection {
    Keep,
    /// It is closing, or the server is out of step.
    Lost,
}

impl Connection {
    const fn kept_if(in_step: bool) -> Self {
        if in_step { Self::Keep } else { Self::Lost }
    }
}
