//! The SMTP client machine: greets a server and hands it messages, many a connection
//! (RFC 5321 §3, RFC 2920, qmail-remote(8)).
//!
//! ```text
//!  connect ─► greeting ─► EHLO ─(5yz)─► HELO ─► Ready ◄───────────────────────────┐
//!                │          └─► STARTTLS ─► handshake ─► EHLO        │ begin()     │
//!                ▼                                                   ▼             │
//!            Unusable                              [RSET] MAIL RCPT… DATA ─► Need… │
//!                                                                    └─► Finished ┘
//! ```
//! Loop over the events: at [`Event::Ready`] call [`Client::begin`], answer each [`Event::Need`],
//! and take the recipients' reports from [`Event::Finished`]. [`Event::Unusable`] may come instead
//! of `Ready` or of `Finished`; then no recipient has a result and the message may be given to
//! another host.
//!
//! ```
//! use mta_core::{Address, Mono};
//! use mta_proto::smtp::client::{Client, Config, Event, Transaction};
//! use mta_proto::{Action, Machine};
//! use std::sync::Arc;
//!
//! let mut client = Client::new(Arc::new(Config::default()), "192.0.2.1", Mono::ZERO);
//! client.wire_mut().push(b"220 mx.example.org\r\n");
//! assert_eq!(client.poll(Mono::ZERO), Action::Read);
//! assert_eq!(client.wire().output(), b"EHLO localhost\r\n");
//! client.wire_mut().push(b"250 mx.example.org\r\n");
//! let Action::Event(Event::Ready { extensions }) = client.poll(Mono::ZERO) else { panic!() };
//! assert!(!extensions.pipelining);
//! let to = Address::new(b"joe@example.org".to_vec()).unwrap();
//! client.begin(Transaction::new(Address::null(), [to])).unwrap();
//! assert!(!client.is_ready());
//! ```

mod command;
mod config;
mod dialogue;
mod extensions;
mod machine;
mod opening;
mod stuff;
mod text;
mod transaction;

pub use crate::chunk::Chunk;
pub use config::{Config, Hello, Timeouts, Tls};
pub use extensions::Extensions;
pub use machine::Client;
pub use stuff::Stuffer;
pub use text::{NO_CONNECTION, giving_up, remote_said};
pub use transaction::{Event, Fate, Transaction};
