//! What a client session may be told: its name, its patience and its limits (RFC 5321 §4.5.3.2).

use crate::smtp::reply_parser::ReplyLimits;
use std::time::Duration;

/// The settings of every session to every host; share one behind an `Arc`.
///
/// ```
/// use mta_proto::smtp::client::{Config, Timeouts};
/// use std::time::Duration;
/// let config = Config {
///     helo: "mx.example.net".into(),
///     timeouts: Timeouts::uniform(Duration::from_secs(1200)),
///     ..Config::default()
/// };
/// assert!(config.pipelining);
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// Our name in EHLO and HELO (control/helohost).
    pub helo: String,
    /// How a session is opened.
    pub hello: Hello,
    /// Whether PIPELINING is used where the server offers it (RFC 2920).
    pub pipelining: bool,
    /// Whether STARTTLS is used (RFC 3207).
    pub tls: Tls,
    /// How long the server may be silent.
    pub timeouts: Timeouts,
    /// How much of a reply is listened to.
    pub reply: ReplyLimits,
    /// Most bytes of input that wait to be parsed.
    pub input_buffer: usize,
    /// Unsent output beyond which no more commands or body are produced, in bytes.
    pub output_high_water: usize,
    /// Bytes of a body that the server has to take a second on the whole, once
    /// [`Timeouts::data_block`] has passed; with a slower one the connection ends. Zero sets no bound.
    pub body_rate: u64,
    /// Longest path in MAIL and RCPT, in bytes; longer addresses fail for good.
    pub path: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            helo: "localhost".to_owned(),
            hello: Hello::Extended,
            pipelining: true,
            tls: Tls::Never,
            timeouts: Timeouts::default(),
            reply: ReplyLimits::default(),
            input_buffer: 4096,
            output_high_water: 32 * 1024,
            body_rate: 100,
            path: 1000,
        }
    }
}

/// How a session is opened.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hello {
    /// EHLO, and HELO where the server refuses it with a 5yz (RFC 5321 §3.2).
    #[default]
    Extended,
    /// HELO only, for servers that hang up on EHLO.
    Plain,
}

/// Whether a session is encrypted.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// STARTTLS is not used; the driver needs no TLS.
    #[default]
    Never,
    /// STARTTLS is used where it is offered and accepted.
    WhenOffered,
    /// Without STARTTLS the server is unusable.
    Required,
}

/// How long to wait before a connection is given up.
///
/// Each time runs from the last byte sent or the last reply heard, whichever is later; a server
/// that sends its reply byte by byte wins nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the 220 greeting: five minutes.
    pub greeting: Duration,
    /// For the reply to EHLO, MAIL, RCPT and RSET: five minutes.
    pub command: Duration,
    /// For the 354 to DATA: two minutes.
    pub data_start: Duration,
    /// For the network to take more of the body: three minutes.
    pub data_block: Duration,
    /// For the reply to the final dot: ten minutes.
    pub data_end: Duration,
    /// For the reply to QUIT, which changes nothing any more: five seconds.
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(300),
            command: Duration::from_secs(300),
            data_start: Duration::from_secs(120),
            data_block: Duration::from_secs(180),
            data_end: Duration::from_secs(600),
            quit: Duration::from_secs(5),
        }
    }
}

impl Timeouts {
    /// One time for everything but QUIT, as control/timeoutremote has it.
    #[must_use]
    pub fn uniform(time: Duration) -> Self {
        Self {
            greeting: time,
            command: time,
            data_start: time,
            data_block: time,
            data_end: time,
            quit: time.min(Self::default().quit),
        }
    }
}
