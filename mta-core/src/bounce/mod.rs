//! Bounces: failure records, and the report that goes back to the sender (qmail-send(8), RFC 3464).
//!
//! Each failed recipient leaves a [`record`] in the bounce text. When no recipient is left,
//! [`Bounce::compose`] wraps that text, word for word as qmail-send wrote it, into a
//! multipart/report (RFC 6522): programs that read qmail's bounces (QSBMF) and programs that read
//! delivery status notifications both find what they look for.

mod compose;
mod notice;
mod record;
mod scan;
mod status;

pub use compose::{Bounce, FULL_COPY_MAX, Original, Settings};
pub use notice::{Notice, Told, compose_notice};
pub use record::{Failure, LINE_MAX, record};
pub use scan::{HEADER_COPY_MAX, Scan};
pub use status::{DIAGNOSTIC_MAX, status};
