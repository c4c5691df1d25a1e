//! What mailing lists, bounces and automatic answers share: VERP, and the rule whether a message may be answered (RFC 3834).
//!
//! Nothing here reads a clock, a file or the environment; a message's header is a byte slice.
//!
//! - [`verp`] puts a recipient into a return path and finds it again in a bounce.
//! - [`answer`] decides whether an automatic answer may be sent, and to whom.
//!
//! ```
//! use mta_core::Address;
//! use mta_list::answer::{Incoming, Refusal, Responder, may_answer};
//!
//! let joe = Address::new("joe@example.org")?;
//! let mail = Incoming {
//!     sender: &Address::new("ann@example.com")?,
//!     own: &[joe],
//!     header: b"To: joe@example.org\nList-Id: <birds.example.com>\n",
//! };
//! assert_eq!(may_answer(&mail, Responder::Personal), Err(Refusal::List));
//! # Ok::<(), mta_core::address::NulInAddress>(())
//! ```

pub mod answer;
mod header;
pub mod verp;
