//! SMTP, QMTP, QMQP, POP3 and DNS conversations as sans-IO state machines: bytes in, events out (RFC 5321, RFC 1939, RFC 1035).
//!
//! Nothing here opens a socket, reads a clock or keeps a mailbox. A [`Machine`] is polled; it says
//! one thing to do next, and questions to the application carry a [`Ticket`] that takes exactly one
//! answer of the right kind.

pub mod chunk;
pub mod dns;
pub mod machine;
pub mod netstring;
pub mod pop3;
pub mod proxy;
pub mod qmqp;
pub mod qmtp;
pub mod sasl;
pub mod smtp;
pub mod wire;

pub use chunk::Chunk;
pub use machine::{Action, Machine, Ticket};
pub use wire::Wire;
