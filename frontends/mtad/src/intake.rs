//! A message on its way from a QMTP or QMQP session into the spool (qmail-qmtpd(8), qmail-qmqpd(8)).

use crate::server::{Server, Snapshot};
use bytes::Bytes;
use driver::Clock;
use mta_core::envelope::Recipient;
use mta_core::log::Filtered;
use mta_core::ports::spool::{Incoming, SpoolError};
use mta_core::received::{self, HopCount, Invoked};
use mta_core::report::Report;
use mta_core::{Address, Envelope};
use std::net::SocketAddr;
use std::sync::Arc;

/// What takes the messages of one session.
pub(crate) struct Intake {
    pub(crate) server: Arc<Server>,
    /// The protocol as the Received field names it.
    pub(crate) with: &'static str,
    /// The protocol as the log names it.
    pub(crate) name: &'static str,
    pub(crate) number: u64,
    pub(crate) peer: SocketAddr,
    /// Boxed, because most sessions are idle most of the time.
    pub(crate) mail: Option<Box<Mail>>,
}

/// A message that is not complete yet.
pub(crate) struct Mail {
    pub(crate) envelope: Envelope,
    /// The control files as they were when the message began.
    pub(crate) snapshot: Arc<Snapshot>,
    incoming: Result<Box<dyn Incoming>, Trouble>,
    hops: HopCount,
}

/// Why a message is not going to be taken; the rest of it is read and dropped.
enum Trouble {
    Spool(SpoolError),
    Loops,
}

impl Intake {
    pub(crate) async fn begin(&mut self) {
        let snapshot = self.server.snapshot();
        let head = Bytes::from(self.received_lines(&snapshot));
        let begun = async {
            let mut incoming = self.server.spool().begin().await?;
            incoming.write(head).await?;
            Ok(incoming)
        };
        let incoming = begun.await.map_err(Trouble::Spool);
        self.mail = Some(Box::new(Mail {
            envelope: Envelope::default(),
            snapshot,
            incoming,
            hops: HopCount::new(),
        }));
    }

    /// The queue's own line, as qmail-queue writes it, and ours.
    fn received_lines(&self, snapshot: &Snapshot) -> Vec<u8> {
        let now = Clock::unix();
        let ip = self.peer.ip().to_canonical().to_string();
        let ours = received::Smtp {
            remote_host: None,
            remote_ip: Some(ip.as_bytes()),
            remote_info: None,
            helo: None,
            local: Some(&snapshot.controls.me),
            with: self.with,
            tls: None,
            now,
        };
        let mut lines = received::queue(std::process::id(), Invoked::FromNetwork, now).into_bytes();
        lines.extend_from_slice(&ours.line());
        lines
    }

    /// Unlike the originals, a message that has passed too many hosts is refused.
    pub(crate) async fn body(&mut self, bytes: Bytes) {
        let Some(mail) = &mut self.mail else { return };
        mail.hops.feed(&bytes);
        if mail.hops.hops() >= self.server.config().limits.hops {
            mail.incoming = Err(Trouble::Loops);
        }
        if let Ok(incoming) = &mut mail.incoming
            && let Err(error) = incoming.write(bytes).await
        {
            mail.incoming = Err(Trouble::Spool(error));
        }
    }

    pub(crate) fn sender(&mut self, from: Address) {
        if let Some(mail) = &mut self.mail {
            mail.envelope.reverse_path = from;
        }
    }

    pub(crate) fn recipient(&mut self, to: Address) {
        if let Some(mail) = &mut self.mail {
            mail.envelope.recipients.push(Recipient::from(to));
        }
    }

    /// Makes the message durable; what comes out is the answer.
    pub(crate) async fn commit(&mut self, bytes: u64) -> Report {
        let (name, number) = (self.name, self.number);
        let Some(mail) = self.mail.take() else {
            return Report::deferral("qq internal bug (#4.3.0)");
        };
        let sender = mail.envelope.reverse_path.clone();
        let recipients = mail.envelope.recipients.len();
        let committed = match mail.incoming {
            Ok(incoming) => incoming.commit(mail.envelope).await.map_err(Trouble::Spool),
            Err(trouble) => Err(trouble),
        };
        match committed {
            Ok(id) => {
                let sender = Filtered(sender.as_bytes());
                tracing::info!(
                    "{name} {number}: queued {id}: bytes {bytes} from <{sender}> recipients {recipients}"
                );
                Report::success(format!("ok {} qp {id}", Clock::unix().0))
            }
            Err(Trouble::Loops) => {
                tracing::info!("{name} {number}: message refused: it has passed too many hosts");
                Report::failure("too many hops, this message is looping (#5.4.6)")
            }
            Err(Trouble::Spool(error)) => {
                tracing::warn!("{name} {number}: message not taken: {error}");
                refusal(&error)
            }
        }
    }

    pub(crate) fn abort(&mut self, reason: &str) {
        self.mail = None;
        let (name, number) = (self.name, self.number);
        tracing::info!("{name} {number}: message dropped: {reason}");
    }
}

/// In the words that callers of qmail-queue(8) have for its exit codes.
fn refusal(error: &SpoolError) -> Report {
    match error {
        SpoolError::Full => Report::deferral("qq write error or disk full (#4.3.0)"),
        SpoolError::Unacceptable(_) => Report::failure("qq permanent problem (#5.3.0)"),
        _ => Report::deferral("qq temporary problem (#4.3.0)"),
    }
}
