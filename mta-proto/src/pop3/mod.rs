//! The POP3 server as a machine: RFC 1939, with CAPA and response codes (RFC 2449, RFC 3206).
//!
//! ```text
//!               PASS ok                     QUIT
//! Authorization ───────► Transaction ─────────────► Update ──► closed
//!       │ QUIT, three refusals │ silence, hang-up: nothing is removed
//!       └────────► closed      └────────► Abort, closed
//! ```
//!
//! The application is asked four things: may this person in ([`Event::Login`]), open that message
//! ([`Event::Open`]), give the next piece of it ([`Event::Need`]), and remove what was deleted
//! ([`Event::Quit`]).

pub mod command;
pub mod config;
pub mod event;
pub mod listing;
mod outgoing;
pub mod server;

pub use config::{Config, Limits, Timeouts};
pub use event::{AbortReason, Admission, Code, Event, Password, Refusal};
pub use listing::{Listing, ListingFull};
pub use server::{AuthAnswer, Server};
