//! What the machines promise: transcripts, oracles and hostile input (RFC 5321).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says so by panicking"
)]

mod client;
mod dns;
mod netstrings;
mod oracle;
mod pop3;
mod proxy;
mod reply;
mod reply_parser;
mod smtp_server;
mod stuffer;
mod transcript;
