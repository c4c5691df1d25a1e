//! Tests of the driver against scripted streams and paused time.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says so by panicking"
)]

mod budget;
mod dns;
mod link;
mod pool;
mod sessions;
mod spool;
mod tls;
