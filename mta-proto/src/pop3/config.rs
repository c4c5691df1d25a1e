//! What may be set of a POP3 server: its words, its limits and its patience (RFC 1939 §3, RFC 2595 §4).

use std::borrow::Cow;
use std::time::Duration;

/// The settings that all sessions of a listener share.
///
/// ```
/// let config = mta_proto::pop3::Config {
///     greeting: "pop.example.org ready".into(),
///     ..Default::default()
/// };
/// assert_eq!(config.limits.command_line, 512);
/// ```
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are filled in with `..Default::default()`"
)]
pub struct Config {
    /// What stands behind `+OK` in the greeting; a timestamp for APOP is put behind it.
    pub greeting: Cow<'static, str>,
    /// What CAPA's IMPLEMENTATION tells (RFC 2449 §6.9); `None` leaves it out.
    pub implementation: Option<Cow<'static, str>>,
    /// Whether STLS is offered before the login (RFC 2595 §4). When its `+OK` has left, poll before
    /// reading on: bytes that are in the input by then were sent in the clear, and end the session.
    pub stls: bool,
    /// The limits.
    pub limits: Limits,
    /// The timeouts.
    pub timeouts: Timeouts,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            greeting: Cow::Borrowed("POP3 ready"),
            implementation: None,
            stls: false,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// How much a peer may ask of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are filled in with `..Default::default()`"
)]
pub struct Limits {
    /// Bytes of a command line with its line end; RFC 2449 §4 wants at least 255.
    pub command_line: usize,
    /// Refused logins before the session is ended.
    pub failed_logins: u32,
    /// Lines that are no command, or not now, before the session is ended.
    pub errors: u32,
    /// Unsent bytes beyond which nothing more is produced.
    pub output_high_water: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_line: 512,
            failed_logins: 3,
            errors: 20,
            output_high_water: 16 * 1024,
        }
    }
}

/// How long a peer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are filled in with `..Default::default()`"
)]
pub struct Timeouts {
    /// Silence after which the session is dropped; RFC 1939 §3 wants at least ten minutes.
    pub idle: Duration,
    /// How long a session may last without a login, however busy it is.
    pub authorization: Duration,
    /// How long a session may last in all, so that a reader who takes byte by byte does not keep
    /// the maildrop to itself for ever.
    pub session: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(600),
            authorization: Duration::from_secs(600),
            session: Duration::from_secs(86_400),
        }
    }
}
