//! One message on its way out: its package, produced part by part, and its reports (cr.yp.to/proto/qmtp.txt).

use super::{Protocol, Transaction, text};
use crate::chunk::Chunk;
use crate::netstring::{self, encoded_len};
use bytes::{Bytes, BytesMut};
use mta_core::report::Report;

/// How much of a chunk is turned into output in one go, in bytes.
const SLICE: usize = 16 * 1024;

/// A transaction that runs.
#[derive(Debug)]
pub(super) struct Job {
    protocol: Protocol,
    transaction: Transaction,
    next: Next,
    /// Bytes of the body that are still to be handed over.
    left: u64,
    pending: Bytes,
    /// The serial of the open question.
    asked: Option<u64>,
    /// A question was asked, hence the body is no longer whole at its source.
    pub(super) begun: bool,
    ended: bool,
    failed: bool,
    /// Where in all output of the connection the package ends, once it is produced.
    pub(super) end: Option<u64>,
    pub(super) reports: Vec<Option<Report>>,
}

/// What is to be produced next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Head,
    Body,
    Recipient(usize),
    Done,
}

/// What producing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Produced {
    /// The output is full.
    Full,
    /// A chunk is missing.
    Needs,
    /// It was asked for already.
    Waits,
    /// The source failed.
    Failed,
    /// The package is complete.
    Complete,
}

impl Job {
    /// Makes a job; `longest` is that of an address.
    ///
    /// QMQP has one answer for all recipients, hence an address that cannot be sent decides about
    /// all of them; in QMTP only about itself, but for the sender's.
    pub(super) fn new(protocol: Protocol, mut transaction: Transaction, longest: usize) -> Self {
        let fits = |address: &mta_core::Address| address.as_bytes().len() <= longest;
        let good_sender = fits(&transaction.from);
        let refused = |good: bool| (!good).then(text::unsendable_address);
        let reports: Vec<_> = match protocol {
            Protocol::Qmqp => {
                let good = good_sender && transaction.recipients.iter().all(fits);
                vec![refused(good)]
            }
            Protocol::Qmtp => {
                let judge = |to| refused(good_sender && fits(to));
                transaction.recipients.iter().map(judge).collect()
            }
        };
        if protocol == Protocol::Qmtp {
            transaction.recipients.retain(|to| good_sender && fits(to));
        }
        Self {
            left: transaction.size,
            protocol,
            transaction,
            next: Next::Head,
            pending: Bytes::new(),
            asked: None,
            begun: false,
            ended: false,
            failed: false,
            end: None,
            reports,
        }
    }

    /// Tells whether nothing need be sent.
    pub(super) fn is_decided(&self) -> bool {
        self.reports.iter().all(Option::is_some)
    }

    pub(super) fn chunk(&mut self, serial: u64, chunk: Chunk) {
        if self.asked != Some(serial) {
            return;
        }
        self.asked = None;
        match chunk {
            Chunk::Bytes(bytes) if bytes.len() as u64 <= self.left => {
                self.left = self.left.saturating_sub(bytes.len() as u64);
                self.pending = bytes;
            }
            Chunk::End if self.left == 0 => self.ended = true,
            Chunk::Bytes(_) | Chunk::End | Chunk::Failed => self.failed = true,
        }
    }

    pub(super) fn ask(&mut self, serial: u64) {
        self.asked = Some(serial);
        self.begun = true;
    }

    /// Produces up to `high_water` bytes of output.
    pub(super) fn produce(&mut self, out: &mut BytesMut, high_water: usize) -> Produced {
        while out.len() < high_water {
            if self.failed {
                return Produced::Failed;
            }
            match self.next {
                // Until something of the body is there, the message may still go elsewhere.
                Next::Head if !self.begun => return Produced::Needs,
                Next::Head if self.asked.is_some() => return Produced::Waits,
                Next::Head => {
                    self.head(out);
                    self.next = Next::Body;
                }
                Next::Body if !self.pending.is_empty() => {
                    let piece = self.pending.split_to(SLICE.min(self.pending.len()));
                    out.extend_from_slice(&piece);
                }
                Next::Body if self.ended => {
                    self.envelope_head(out);
                    self.next = Next::Recipient(0);
                }
                Next::Body if self.asked.is_some() => return Produced::Waits,
                Next::Body => return Produced::Needs,
                Next::Recipient(index) => {
                    if let Some(to) = self.transaction.recipients.get(index) {
                        netstring::encode(to.as_bytes(), out);
                        self.next = Next::Recipient(index + 1);
                    } else {
                        out.extend_from_slice(b",");
                        self.next = Next::Done;
                    }
                }
                Next::Done => return Produced::Complete,
            }
        }
        if self.next == Next::Done {
            Produced::Complete
        } else {
            Produced::Full
        }
    }

    fn head(&self, out: &mut BytesMut) {
        let size = self.transaction.size;
        match self.protocol {
            Protocol::Qmqp => {
                let sender = self.transaction.from.as_bytes().len() as u64;
                let whole = encoded_len(size) + encoded_len(sender) + self.recipients_len();
                out.extend_from_slice(&netstring::head(whole));
                out.extend_from_slice(&netstring::head(size));
            }
            Protocol::Qmtp => {
                out.extend_from_slice(&netstring::head(size.saturating_add(1)));
                out.extend_from_slice(&[self.transaction.encoding.mark()]);
            }
        }
    }

    fn envelope_head(&self, out: &mut BytesMut) {
        out.extend_from_slice(b",");
        netstring::encode(self.transaction.from.as_bytes(), out);
        if self.protocol == Protocol::Qmtp {
            out.extend_from_slice(&netstring::head(self.recipients_len()));
        }
    }

    fn recipients_len(&self) -> u64 {
        let recipients = self.transaction.recipients.iter();
        recipients
            .map(|to| encoded_len(to.as_bytes().len() as u64))
            .sum()
    }

    /// Takes a response for the first recipient who has none.
    pub(super) fn answer(&mut self, report: Report) {
        if let Some(slot) = self.reports.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(report);
        }
    }

    /// The reports, `rest` for everyone that is not decided.
    pub(super) fn into_reports(self, rest: impl Fn() -> Report) -> Vec<Report> {
        let reports = self.reports.into_iter();
        reports.map(|report| report.unwrap_or_else(&rest)).collect()
    }
}
