//! DNS look-ups as a sans-IO stub resolver: query bytes out, answer bytes in (RFC 1035, RFC 6891, RFC 2308).
//!
//! ```text
//!  Cache ──hit──► answer          poll ─► Transmit ─► a socket sends
//!    └─miss──► Lookup ◄─────────────────── WaitUntil ─► a timer
//!                ▲                        Done ─► answer, and its time to live for the Cache
//!                └── received ◄─ what a socket heard
//! ```
//! A [`Lookup`] answers one question with the servers of a [`ServerList`]; whoever runs it owns the
//! sockets, the source ports and the randomness.

mod cache;
mod lookup;
mod message;
mod name;
mod servers;

pub use cache::{Cache, CacheLimits};
pub use lookup::{Lookup, LookupConfig, Step, Transmit, Transport};
pub use servers::ServerList;
