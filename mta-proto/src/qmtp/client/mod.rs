//! The QMTP client machine: hands packages to a server, many a connection, without waiting in between
//! (cr.yp.to/proto/qmtp.txt).
//!
//! ```text
//!  connect ─► Ready ─ begin() ─► message, Need… ─► sender, recipients ─► responses ─► Finished
//!               ▲                                                   │
//!               └───────────── where more may be under way ◄────────┘
//! ```
//! Nobody greets: the client may begin at once. Loop over the events: at [`Event::Ready`] call
//! [`Client::begin`] or [`Client::quit`], answer each [`Event::Need`], and take the recipients'
//! reports from [`Event::Finished`], which come in the order of the packages.
//!
//! ```
//! use bytes::Bytes;
//! use mta_core::{Address, Mono};
//! use mta_proto::qmtp::client::{Client, Config, Event, Transaction};
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
//! assert_eq!(client.poll(Mono::ZERO), Action::Event(Event::Ready));
//! assert_eq!(client.wire().output(), b"7:\nhello\n,3:a@b,6:3:c@d,,");
//! ```

mod courier;
mod job;
mod text;

pub(crate) use courier::{Courier, Protocol};

use crate::chunk::Chunk;
use crate::qmtp::Encoding;
use crate::{Action, Machine, Ticket, Wire};
use mta_core::report::Report;
use mta_core::{Address, Envelope, Mono};
use std::sync::Arc;
use std::time::Duration;

/// The settings of every connection to every server; share one behind an `Arc`. The QMQP client has
/// the same.
///
/// ```
/// use mta_proto::qmtp::client::Config;
/// let config = Config { under_way: 8, ..Config::default() };
/// assert_eq!(config.block.as_secs(), 180);
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// Packages that may wait for their responses at one time; with 1 each is answered before the
    /// next may begin.
    pub under_way: usize,
    /// How long the network may take to take more of a package.
    pub block: Duration,
    /// How long the server may take for the next response.
    pub response: Duration,
    /// Longest response, in bytes; with a longer one the connection is given up.
    pub response_length: u64,
    /// Bytes of a response's text that a report keeps.
    pub response_kept: usize,
    /// Most bytes of input that wait to be parsed.
    pub input_buffer: usize,
    /// Unsent output beyond which no more is produced, in bytes.
    pub output_high_water: usize,
    /// Longest address, in bytes; longer ones fail for good.
    pub address: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            under_way: 4,
            block: Duration::from_secs(180),
            response: Duration::from_secs(600),
            response_length: 100_000,
            response_kept: 5000,
            input_buffer: 4096,
            output_high_water: 32 * 1024,
            address: 999,
        }
    }
}

/// A message to be sent: its envelope and its exact size; the body is pulled later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The reverse-path.
    pub from: Address,
    /// The forward-paths; reports come in this order.
    pub recipients: Vec<Address>,
    /// How many bytes the body has, in the form in which it is going to be handed over.
    pub size: u64,
    /// How its lines end; QMQP has no word for it and takes the body as it is.
    pub encoding: Encoding,
}

impl Transaction {
    /// Makes a transaction of a body with LF line ends.
    #[must_use]
    pub fn new(from: Address, recipients: impl IntoIterator<Item = Address>, size: u64) -> Self {
        Self {
            from,
            recipients: recipients.into_iter().collect(),
            size,
            encoding: Encoding::Lf,
        }
    }

    /// Makes one of a queue's envelope; its parameters have no place in these protocols.
    #[must_use]
    pub fn from_envelope(envelope: &Envelope, size: u64) -> Self {
        let recipients = envelope.recipients.iter().map(|to| to.address.clone());
        Self::new(envelope.reverse_path.clone(), recipients, size)
    }
}

/// What the application is told and asked.
#[non_exhaustive]
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// [`Client::begin`] may be called; it comes again whenever that is so anew.
    Ready,
    /// More of the body is wanted, to be answered by [`Client::chunk`].
    Need(Ticket<Chunk>),
    /// A transaction is over, the oldest of those that are not: one report for each recipient, in
    /// their order.
    Finished(Vec<Report>),
    /// The connection ends, and about a transaction nothing is decided, if one was begun: its body
    /// was not asked for, and it may be sent through another connection.
    Unusable {
        /// What every recipient would be told if this was the last host to try.
        report: Report,
        /// Whether the next host is to be tried; else a connection that had worked before was
        /// lost, and a new one to the same host may serve.
        try_next: bool,
    },
}

/// One connection to a QMTP server. The module's page shows the order of calls.
#[derive(Debug)]
pub struct Client(Courier);

impl Client {
    /// Starts on a fresh connection. `peer` is the server's address or name as reports show it.
    #[must_use]
    pub fn new(config: Arc<Config>, peer: impl Into<String>, now: Mono) -> Self {
        Self(Courier::new(Protocol::Qmtp, config, peer.into(), now))
    }

    /// Tells whether [`begin`](Self::begin) would take a transaction now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    /// Starts a transaction; others may still wait for their responses.
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

    /// Closes when everything that was begun is finished.
    pub fn quit(&mut self) {
        self.0.quit();
    }
}

impl Machine for Client {
    type Event = Event;

    fn poll(&mut self, now: Mono) -> Action<Event> {
        self.0.poll(now)
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
