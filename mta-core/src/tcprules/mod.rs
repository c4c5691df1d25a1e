//! Rules about who may connect, and what is set for whom: source, records and decision (tcprules(1), tcpserver(1), spec §9.2, §9.3).
//!
//! ```text
//!   text ──► Parser ──► Rule {key, data} ──► cdb file
//!                           │                   │
//!                           └──► Table ─────────┴──► decide(rules, peer) ──► Decision
//! ```
//!
//! It stands here and not with the servers, because what a rule sets (RELAYCLIENT, DATABYTES) is
//! policy wherever connections come from.
//!
//! ```
//! use mta_core::tcprules::{Peer, Syntax, Table, decide};
//! let source = b"127.:allow,RELAYCLIENT=\"\"\n192.0.2.1-9:deny\n:allow\n";
//! let rules = Table::parse(source, Syntax::Original)?;
//!
//! let local = decide(&rules, &Peer::new("127.0.0.1".parse()?))?;
//! assert_eq!(local.variable(b"RELAYCLIENT"), Some(&b""[..]));
//! assert!(decide(&rules, &Peer::new("192.0.2.5".parse()?))?.denied);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # IPv6
//!
//! The original knows IPv4 only. Here a source line may begin with an IPv6 address or network in
//! brackets, `[2001:db8::1]:deny` or `joe@[2001:db8::/32]:allow`; no line that the original accepts
//! looks so. In a cdb the key of an address is its eight groups of four lower-case digits,
//! `2001:0db8:0000:0000:0000:0000:0000:0001`, and the key of a network the whole groups with a
//! colon behind each, `2001:0db8:`, just as `10.1.` is one of IPv4; `:` stands for all of IPv6.
//! Look-ups go from the address to shorter prefixes in the same way. An IPv4 address that is
//! written as an IPv6 one (`::ffff:192.0.2.1`) is that IPv4 address.

mod address;
mod decide;
mod peer;
mod record;
mod source;

pub use decide::{Decision, Rules, Table, decide};
pub use peer::Peer;
pub use record::Variable;
pub use source::{MAX_LINE, ParseError, Parser, Rule, Syntax};
