//! The QMQP client machine: hands one message to a queue on another host (qmail-qmqpc(8)).
//!
//! The order of calls is that of [`crate::qmtp::client`], with one message and one report.
//!
//! ```
//! use bytes::Bytes;
//! use mta_core::{Address, Mono};
//! use mta_proto::qmqp::client::{Client, Config, Event, Transaction};
//! use mta_proto::{Action, Chunk, Machine};
//! use std::sync::Arc;
//!
//! let mut client = Client::new(Arc::new(Config::default()), "192.0.2.1", Mono::ZERO);
//! assert_eq!(client.poll(Mono::ZERO), Action::Event(Event::Ready));
//! let to = Address::new("c@d").unwrap();
//! client.begin(Transaction::new(Address::new("a@b").unwrap(), [to], 6)).unwrap();
//! let Action::Event(Event::Need(ticket)) = client.poll(Mono::ZERO) else { panic!() };
//! client.chunk(ticket, Chunk::Bytes(Bytes::from("hello\n")));
//! let Action::Event(Event::Need(ticket)) = client.poll(Mono::ZERO) else { panic!() };
//! client.chunk(ticket, Chunk::End);
//! assert_eq!(client.poll(Mono::ZERO), Action::Read);
//! let sent = client.wire().output().to_vec();
//! assert_eq!(sent, b"21:6:hello\n,3:a@b,3:c@d,,");
//! client.wire_mut().advance_output(sent.len());
//! client.wire_mut().push(b"5:Zbusy,");
//! let Action::Event(Event::Finished(report)) = client.poll(Mono::ZERO) else { panic!() };
//! assert_eq!(report.outcome.letter(), b'Z');
//! ```

pub use crate::qmtp::client::{Config, Transaction};

use crate::chunk::Chunk;
use crate::qmtp::client::{Courier, Event as Told, Protocol};
use crate::{Action, Machine, Ticket, Wire};
use mta_core::Mono;
use mta_core::report::Report;
use std::sync::Arc;

/// What the application is told and asked.
#[non_exhaustive]
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// [`Client::begin`] may be called.
    Ready,
    /// More of the body is wanted, to be answered by [`Client::chunk`].
    Need(Ticket<Chunk>),
    /// The message has its result, which is that of every recipient; the connection ends.
    Finished(Report),
    /// The connection ends, and nothing is decided: the body was not asked for, and the message
    /// may be given to another server.
    Unusable {
        /// What is to be told if this was the last server to try.
        report: Report,
    },
}

/// One connection to a QMQP server. The module's page shows the order of calls.
#[derive(Debug)]
pub struct Client(Courier);

impl Client {
    /// Starts on a fresh connection. `peer` is the server's address or name as reports show it.
    #[must_use]
    pub fn new(config: Arc<Config>, peer: impl Into<String>, now: Mono) -> Self {
        Self(Courier::new(Protocol::Qmqp, config, peer.into(), now))
    }

    /// Tells whether [`begin`](Self::begin) would take a transaction now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    /// Tells whether a report is the server's answer, and not our word for a lost connection.
    #[must_use]
    pub const fn answered(&self) -> bool {
        self.0.answered()
    }

    /// Starts the transaction.
    ///
    /// # Errors
    /// Hands the transaction back where none may begin now.
    pub fn begin(&mut self, transaction: Transaction) -> Result<(), Transaction> {
        self.0.begin(transaction)
    }

    /// Answers [`Event::Need`]. An answer that comes after the transaction's end is dropped.
    ///
    /// Where the pieces are not as many bytes as the transaction said, or where they fail, the
    /// connection is cut, because the package cannot be ended any more.
    pub fn chunk(&mut self, ticket: Ticket<Chunk>, chunk: Chunk) {
        self.0.chunk(&ticket, chunk);
    }

    /// Closes where nothing was begun; otherwise when it is finished, as always.
    pub fn quit(&mut self) {
        self.0.quit();
    }
}

impl Machine for Client {
    type Event = Event;

    fn poll(&mut self, now: Mono) -> Action<Event> {
        match self.0.poll(now) {
            Action::Event(event) => Action::Event(translate(event)),
            Action::Read => Action::Read,
            Action::Write => Action::Write,
            Action::Wait => Action::Wait,
            Action::StartTls => Action::StartTls,
            Action::Close => Action::Close,
        }
    }

    fn deadline(&self) -> Option<Mono> {
        self.0.deadline()
    }

    fn wire(&self) -> &Wire {
        self.0.wire()
    }

    fn wire_mut(&mut self) -> &mut Wire {
        self.0.wire_mut()
    }
}

fn translate(told: Told) -> Event {
    match told {
        Told::Ready => Event::Ready,
        Told::Need(ticket) => Event::Need(ticket),
        Told::Unusable { report, .. } => Event::Unusable { report },
        Told::Finished(mut reports) => {
            // There is one slot for all recipients.
            let none = || Report::deferral("no response (#4.3.0)\n");
            Event::Finished(reports.pop().unwrap_or_else(none))
        }
    }
}
