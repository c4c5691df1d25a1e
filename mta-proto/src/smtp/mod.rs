//! SMTP with its common extensions, as machines for both roles (RFC 5321).
//!
//! A server and a client share the [`Reply`]; each lives in a folder of its own.

pub mod client;
mod command;
pub mod refusing;
pub mod reply;
pub mod reply_parser;
pub mod server;
mod unstuff;
mod xclient;

pub use reply::{Enhanced, Reply};
pub use xclient::{Spoken, Told, Xclient};
