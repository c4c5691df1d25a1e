//! The test kit: a home that vanishes, a running mtad, a line client, and tools that may be absent (mtad(8)).
//!
//! Everything listens on loopback with a port the system chose; waiting is for an event (a line, a
//! file, an exit) with a deadline, never for a time. Only processes started here are ended, by id.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test kit fails by panicking and speaks to whoever runs the test"
)]

mod home;
mod line_client;
mod running;
mod tools;
mod wait;

pub use home::{Home, TempDir, mtad_binary, qmail_binary, ucspi_binary, vpopmail_binary};
pub use line_client::LineClient;
pub use running::Mtad;
pub use tools::{Ran, run, skip, tool};
pub use wait::until;

/// The programs that README.md shows are compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
