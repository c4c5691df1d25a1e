//! A piece of a body that a machine pulls from the application (RFC 5321 §4.5.2, RFC 1939 §5).

use bytes::Bytes;

/// The answer to a question for more of a body.
///
/// A machine asks with an event `Need(Ticket<Chunk>)` each time its output falls below the
/// high-water mark, so that a body of any size passes in constant memory.
#[expect(
    clippy::exhaustive_enums,
    reason = "more, the end and a failure are all there is; a new one is a breaking change"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// The next bytes; lines end in LF or CRLF and may be cut anywhere.
    Bytes(Bytes),
    /// The body is complete.
    End,
    /// The rest cannot be read: the machine closes the connection and never sends the final dot.
    Failed,
}
