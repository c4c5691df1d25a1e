//! Why a link has no more events.

use std::io;

/// The conversation is over; the link gives no more events.
///
/// By then the machine has told of every transaction that it gave up.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Closed {
    /// The machine came to its end and all its output was sent, or the peer went away in order.
    #[error("the conversation is over")]
    Ended,
    /// The connection broke: the network's or the peer's fault; a new connection may work.
    #[error("the connection was lost: {0}")]
    Lost(#[source] io::Error),
    /// The peer did not take the last output in time.
    #[error("the peer did not take the last {unsent} bytes in time")]
    Unsent {
        /// How many bytes it was never sent.
        unsent: usize,
    },
    /// The TLS handshake failed, or took too long: the peer's fault, or nobody's.
    #[error("TLS handshake failed: {0}")]
    Handshake(#[source] io::Error),
    /// The machine asked for TLS, which this link cannot do.
    #[error("the conversation asked for TLS, which this link does not offer")]
    Tls,
    /// A blocking link was asked for the next event while a question waits for its answer.
    #[error("an open question must be answered before the next event is asked for")]
    Unanswered,
}
