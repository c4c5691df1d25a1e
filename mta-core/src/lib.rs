//! Mail words and decisions of the qmail family, without I/O: addresses, envelopes, control files,
//! dot-qmail, schedules and bounces as plain values and functions (qmail(7), RFC 5321, RFC 5322).
//!
//! This crate reads no clock, no file, no environment and no randomness: `now`, file contents, ids
//! and random bytes are arguments. What the outside must provide stands in [`ports`].

pub mod abuse;
pub mod address;
pub mod assign;
pub mod bounce;
pub mod cdb;
pub mod control;
pub mod date;
pub mod delivered;
pub mod dns;
pub mod dnsbl;
pub mod dotqmail;
pub mod envelope;
pub mod getpw;
pub mod hierarchy;
pub mod inject;
pub mod log;
pub mod mx;
pub mod policy;
pub mod ports;
mod punycode;
pub mod pw2u;
pub mod qq;
pub mod queue;
pub mod received;
pub mod report;
pub mod rewrite;
pub mod schedule;
pub mod spawn;
pub mod submission;
pub mod tcprules;
pub mod tcpto;
pub mod time;
pub mod tls_level;
pub mod verp;

pub use address::Address;
pub use envelope::Envelope;
pub use time::{Mono, Unix};
