//! What a server session is told at its start: names, extensions, limits and timeouts (RFC 5321 §4.5.3).

use std::time::Duration;

/// The settings of a session. Many sessions share one value.
///
/// ```
/// use mta_proto::smtp::server::{Config, Newline};
/// let mut config = Config::new("mx.example.org");
/// config.limits.recipients = 100;
/// config.newline = Newline::Crlf;
/// assert_eq!(config.limits.hops, 100);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Our host name, perhaps with text behind it; the greeting and the replies to HELO, EHLO and
    /// QUIT begin with it (control/smtpgreeting).
    pub greeting: String,
    /// How lines of a body end when they are handed out.
    pub newline: Newline,
    /// What happens to line ends that are not CRLF.
    pub line_ends: LineEnds,
    /// Whether SMTPUTF8 is offered (RFC 6531).
    pub smtputf8: bool,
    /// Whether CHUNKING, that is BDAT, is offered (RFC 3030).
    pub chunking: bool,
    /// Whether DSN is offered and its parameters are taken (RFC 3461).
    pub dsn: bool,
    /// Whether STARTTLS is offered (RFC 3207). When its 220 has left, poll before reading on:
    /// bytes that are in the input by then were sent in the clear, and end the session.
    pub starttls: StartTls,
    /// Whether XCLIENT is offered (Postfix's XCLIENT_README): only to hosts that are believed
    /// whatever they say.
    pub xclient: bool,
    /// The bounds of everything a peer can make grow.
    pub limits: Limits,
    /// How long a peer may be silent.
    pub timeouts: Timeouts,
}

impl Config {
    /// Makes the default settings of a host.
    #[must_use]
    pub fn new(greeting: impl Into<String>) -> Self {
        Self {
            greeting: greeting.into(),
            newline: Newline::default(),
            line_ends: LineEnds::default(),
            smtputf8: true,
            chunking: true,
            dsn: false,
            starttls: StartTls::default(),
            xclient: false,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// Whether a session in the clear may turn to TLS (RFC 3207 §4).
#[expect(
    clippy::exhaustive_enums,
    reason = "it is there, not there, or not there now"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartTls {
    /// The command is not known: 502.
    #[default]
    Off,
    /// EHLO lists it, and the driver does the handshake.
    Offered,
    /// It is known but cannot be done now, as without a certificate: 454.
    Unavailable,
}

/// How lines of a body end when they are handed out.
#[expect(
    clippy::exhaustive_enums,
    reason = "there are these two forms of a line"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Newline {
    /// LF alone, as queues and Maildirs keep it.
    #[default]
    Lf,
    /// CRLF, as it came over the wire.
    Crlf,
}

/// What happens to a bare LF or a bare CR (RFC 5321 §2.3.8).
#[expect(clippy::exhaustive_enums, reason = "one is either strict or not")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineEnds {
    /// A command or a message that holds one is refused with 5xx.
    #[default]
    Strict,
    /// They count as line ends in a body, and LF ends a command. For trusted submission only.
    ///
    /// Only CRLF "." CRLF ends a message all the same, and a dot is only special behind a CRLF.
    Normalise,
}

/// The bounds of everything a peer can make grow.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a command line with its CRLF; a longer one is skipped and answered with 500.
    /// At least 512 (RFC 5321 §4.5.3.1.4) and what the parameters of MAIL add.
    pub command_line: usize,
    /// Recipients of one message; for more the answer is 452 4.5.3.
    pub recipients: usize,
    /// Bytes of one message as handed out; for more the answer is 552 5.3.4. Zero sets no bound.
    pub message_size: u64,
    /// Permanent failures since the last accepted message; then the session ends with 421. Zero
    /// sets no bound. A 452 for too many recipients counts only where as many again are tried.
    pub errors: u32,
    /// Commands a minute on the whole, as many of them at once; then the session ends with 421. Zero
    /// sets no bound.
    pub commands_per_minute: u32,
    /// Refused logins; then the session ends with 421. Zero sets no bound.
    pub failed_logins: u32,
    /// Bytes of a refused message that are read for the sake of its reply, beyond `message_size`
    /// and counted from the message's start; then the reply comes early and the session ends. Zero
    /// sets no bound.
    pub refused_size: u64,
    /// Bytes a second with which a message has to come on the whole, once [`Timeouts::body`] has
    /// passed; a slower one ends with 421. Zero sets no bound.
    pub body_rate: u64,
    /// Bytes of a message's header section; for more the answer is 552 5.3.4.
    pub header_size: usize,
    /// `Received:` and `Delivered-To:` lines of a header section; at so many the message is taken
    /// to loop and refused with 554 5.4.6.
    pub hops: u32,
    /// Bytes of input that wait to be parsed; never taken for less than `command_line`.
    pub input_buffer: usize,
    /// Bytes of unsent output beyond which nothing more is parsed.
    pub output_high_water: usize,
    /// Questions that may be open at once. With 1 each is answered before the next is asked; with
    /// more, pipelined RCPT commands are asked about side by side. Zero counts as 1.
    pub open_questions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_line: 2048,
            recipients: 1000,
            message_size: 0,
            errors: 20,
            commands_per_minute: 0,
            failed_logins: 3,
            refused_size: 256 * 1024 * 1024,
            body_rate: 100,
            header_size: 256 * 1024,
            hops: 100,
            input_buffer: 64 * 1024,
            output_high_water: 8 * 1024,
            open_questions: 1,
        }
    }
}

/// How long a peer may keep us waiting (RFC 5321 §4.5.3.2.7); then the session ends with 421 4.4.2.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the end of one command to the end of the next. Single bytes do not prolong it.
    pub command: Duration,
    /// Between two pieces of a body.
    pub body: Duration,
    /// Between the greeting, or the last message that was taken, and the next one's beginning,
    /// however busy the peer is. What the application takes is not counted.
    pub session: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            command: Duration::from_secs(300),
            body: Duration::from_secs(300),
            session: Duration::from_secs(3600),
        }
    }
}
