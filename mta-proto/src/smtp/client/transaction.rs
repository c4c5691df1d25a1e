//! One message on its way: what the application hands over and what it is told (RFC 5321 §3.3).

use super::Extensions;
use super::stuff::Stuffer;
use super::text::Texts;
use crate::chunk::Chunk;
use crate::machine::Ticket;
use bytes::Bytes;
use mta_core::envelope::{MailParams, Recipient};
use mta_core::report::Report;
use mta_core::{Address, Envelope};

/// A message to be sent: its envelope and its size; the body is pulled later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The reverse-path.
    pub from: Address,
    /// The forward-paths; reports come in this order.
    pub recipients: Vec<Recipient>,
    /// What MAIL's parameters are to say where the server knows them.
    pub params: MailParams,
    /// About how many bytes the body has with CRLF line ends; `None` where nobody counted.
    pub size: Option<u64>,
}

impl Transaction {
    /// Makes a transaction without parameters.
    #[must_use]
    pub fn new(from: Address, recipients: impl IntoIterator<Item = Address>) -> Self {
        Self {
            from,
            recipients: recipients.into_iter().map(Recipient::from).collect(),
            params: MailParams::default(),
            size: None,
        }
    }
}

impl From<Envelope> for Transaction {
    fn from(envelope: Envelope) -> Self {
        Self {
            from: envelope.reverse_path,
            recipients: envelope.recipients,
            params: envelope.params,
            size: None,
        }
    }
}

/// What the application is told and asked.
#[non_exhaustive]
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The server greeted us and took our name: [`Client::begin`](super::Client::begin) may be called.
    Ready {
        /// What it offered.
        extensions: Extensions,
    },
    /// More of the body is wanted, to be answered by [`Client::chunk`](super::Client::chunk).
    Need(Ticket<Chunk>),
    /// The transaction is over: one report for each recipient, in their order.
    ///
    /// Where [`Client::is_ready`](super::Client::is_ready) holds now, another one may begin; else
    /// the connection ends.
    Finished(Vec<Report>),
    /// The connection ends, and about a transaction that was begun nothing is decided: its body
    /// was not asked for, and it may be sent through another connection.
    Unusable {
        /// What every recipient would be told if this was the last host to try.
        report: Report,
        /// Whether the next host is to be tried; else a connection that had worked before was
        /// lost, and a new one to the same host may serve.
        try_next_mx: bool,
    },
}

/// How one recipient was answered, apart from what became of the whole message.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// Not at all: what its report says is about the connection, the sender or the message.
    #[default]
    Unanswered,
    /// RCPT was accepted; its report says what became of the message.
    Accepted,
    /// It was refused at RCPT, or could not be sent; its report is its own.
    Refused,
}

/// What is to be sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Rset,
    Mail,
    Rcpt(usize),
    Data,
    Body,
    /// Nothing until all replies are there.
    Replies,
}

/// A transaction that runs.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) transaction: Transaction,
    /// `None`: not decided yet.
    pub(super) reports: Vec<Option<Report>>,
    refused: Vec<usize>,
    pub(super) fates: Vec<Fate>,
    pub(super) next: Next,
    pub(super) smtputf8: bool,
    /// MAIL was answered, hence the server is at work on this message.
    pub(super) mail_answered: bool,
    /// How many RCPT were accepted.
    pub(super) accepted: usize,
    pub(super) body: BodyState,
}

/// How far the body is.
#[derive(Debug, Default)]
pub(super) struct BodyState {
    pub(super) stuffer: Stuffer,
    pub(super) pending: Bytes,
    /// The serial of the open question.
    pub(super) asked: Option<u64>,
    pub(super) ended: bool,
    pub(super) failed: bool,
}

impl Job {
    pub(super) fn new(transaction: Transaction, next: Next) -> Self {
        Self {
            reports: vec![None; transaction.recipients.len()],
            refused: Vec::new(),
            fates: vec![Fate::Unanswered; transaction.recipients.len()],
            transaction,
            next,
            smtputf8: false,
            mail_answered: false,
            accepted: 0,
            body: BodyState::default(),
        }
    }

    /// Notes that RCPT was refused.
    pub(super) fn refuse(&mut self, index: usize, report: Report) {
        if let Some(slot) = self.reports.get_mut(index) {
            *slot = Some(report);
            self.refused.push(index);
            self.note(index, Fate::Refused);
        }
    }

    /// Notes what is known of one recipient.
    pub(super) fn note(&mut self, index: usize, fate: Fate) {
        if let Some(slot) = self.fates.get_mut(index) {
            *slot = fate;
        }
    }

    /// Completes the reports of those whom RCPT refused, where nobody was accepted.
    pub(super) fn give_up(&mut self, texts: &Texts<'_>) {
        for index in self.refused.drain(..) {
            if let Some(Some(report)) = self.reports.get_mut(index) {
                texts.giving_up(report);
            }
        }
    }

    /// Decides about everyone that is not decided yet.
    pub(super) fn decide_rest(&mut self, report: &Report) {
        for slot in self.reports.iter_mut().filter(|slot| slot.is_none()) {
            *slot = Some(report.clone());
        }
    }

    pub(super) fn is_decided(&self) -> bool {
        self.reports.iter().all(Option::is_some)
    }

    pub(super) fn into_reports(self, texts: &Texts<'_>) -> Vec<Report> {
        let reports = self.reports.into_iter();
        reports
            .map(|report| report.unwrap_or_else(|| texts.died(false, None)))
            .collect()
    }
}
