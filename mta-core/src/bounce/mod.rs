//! Bounces: failure records, and the report that goes back to the sender (qmail-send(8), RFC 3464).

mod record;

pub use record::{Failure, LINE_MAX, record};
