//! What a QMQP server session is told at its start: limits and its lifetime (qmail-qmqpd(8)).

use std::time::Duration;

/// The settings of a session. Many sessions share one value.
///
/// ```
/// use mta_proto::qmqp::server::Config;
/// let mut config = Config::default();
/// config.limits.recipients = 50;
/// assert_eq!(config.lifetime.as_secs(), 3600);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The bounds of everything a peer can make grow.
    pub limits: Limits,
    /// How long a session may last in all; then it is closed without a word.
    pub lifetime: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            lifetime: Duration::from_secs(3600),
        }
    }
}

/// The bounds of everything a peer can make grow.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the message; a larger one is refused for good. Zero sets no bound, as in the
    /// original.
    pub message_size: u64,
    /// Recipients of the message; with more it is refused for good. Lists send to many at once.
    pub recipients: u64,
    /// Bytes of all recipients' addresses together; with more the message is refused for good.
    pub envelope: usize,
    /// Bytes of an address; with a longer one the message is refused for good.
    pub address: usize,
    /// Bytes of the whole package; for a longer one the session is closed without a word. The
    /// default is the longest that qmail-qmqpd(8) reads.
    pub package: u64,
    /// Bytes of the response's text; a longer one is cut.
    pub response: usize,
    /// Bytes of input that wait to be parsed.
    pub input_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 0,
            recipients: 100_000,
            envelope: 8 * 1024 * 1024,
            address: 999,
            package: 2_000_000_009,
            response: 500,
            input_buffer: 64 * 1024,
        }
    }
}
