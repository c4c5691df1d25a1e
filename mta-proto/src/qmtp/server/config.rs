//! What a QMTP server session is told at its start: limits and its lifetime (qmail-qmtpd(8)).

use std::time::Duration;

/// The settings of a session. Many sessions share one value.
///
/// ```
/// use mta_proto::qmtp::server::Config;
/// let mut config = Config::default();
/// config.limits.message_size = 10_000_000;
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
    /// Bytes of one message as handed out; more is refused with a permanent failure for every
    /// recipient (control/databytes). Zero sets no bound.
    pub message_size: u64,
    /// Recipients of one message that are asked about; the others are told to come later.
    pub recipients: usize,
    /// Bytes of an address; a longer one is refused.
    pub address: usize,
    /// Bytes of a netstring; for a longer one the session is closed without a word. The default is
    /// the longest that qmail-qmtpd(8) reads.
    pub netstring: u64,
    /// Bytes of a response's text; a longer one is cut.
    pub response: usize,
    /// Bytes of input that wait to be parsed.
    pub input_buffer: usize,
    /// Bytes of unsent output beyond which nothing more is parsed.
    pub output_high_water: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 0,
            recipients: 1000,
            address: 999,
            netstring: 2_000_000_009,
            response: 500,
            input_buffer: 64 * 1024,
            output_high_water: 8 * 1024,
        }
    }
}
