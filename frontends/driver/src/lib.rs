//! Runs any [`mta_proto::Machine`] on a stream: the only place where sockets, TLS, deadlines and machines meet.
//!
//! It decides nothing about mail. [`Link`] drives a machine on a tokio stream, [`BlockingLink`] on
//! `Read + Write` without any runtime.
//!
//! ```text
//!   socket ──► scratch of the thread ──► Wire (capped) ──► machine ──► next() ──► application
//!   socket ◄──────────────────────────── Wire          ◄── machine ◄── answers ◄── application
//! ```
//!
//! While a peer is idle, a session costs its machine, its stream, one timer and no buffer at all.

pub mod blocking;
pub mod budget;
pub mod clock;
pub mod closed;
pub mod dns;
pub mod link;
pub mod log_writer;
pub mod pool;
mod scratch;
pub mod spool;
pub mod tls;

pub use blocking::BlockingLink;
pub use budget::Budget;
pub use clock::Clock;
pub use closed::Closed;
pub use dns::DnsDriver;
pub use link::Link;
pub use log_writer::LogWriter;
pub use pool::{NotDone, PoolLimits, StorePool};
pub use spool::{QueueSpool, SpoolBuilder};
