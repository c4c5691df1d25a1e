//! One SMTP reply: code, enhanced status code and text lines (RFC 5321 §4.2, RFC 2034, RFC 3463).

use bytes::{BufMut, BytesMut};
use std::borrow::Cow;
use std::fmt;

/// The longest reply line with its CRLF (RFC 5321 §4.5.3.1.5).
const LINE_MAX: usize = 512;

/// The most lines one reply is written with; what stands behind them is left out.
const LINES_MAX: usize = 64;

/// An enhanced status code, `class.subject.detail` (RFC 3463 §2).
///
/// Only classes 2, 4 and 5 exist; the class of a reply's enhanced code is that of its basic code,
/// so it is not kept here.
///
/// ```
/// use mta_proto::smtp::Enhanced;
/// assert_eq!(Enhanced::new(1, 1).detail(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Enhanced {
    subject: u16,
    detail: u16,
}

impl Enhanced {
    /// Makes `x.subject.detail`.
    #[must_use]
    pub const fn new(subject: u16, detail: u16) -> Self {
        Self { subject, detail }
    }

    /// Returns the second number.
    #[must_use]
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// Returns the third number.
    #[must_use]
    pub const fn detail(self) -> u16 {
        self.detail
    }
}

/// A reply: three digits, perhaps an enhanced status code, and text of one or more lines.
///
/// Fixed texts cost no allocation, and replies can be constants.
///
/// ```
/// use bytes::BytesMut;
/// use mta_proto::smtp::{Enhanced, Reply};
/// const NO_SUCH_USER: Reply =
///     Reply::fixed(550, "sorry, no mailbox here by that name").with(Enhanced::new(1, 1));
/// let mut out = BytesMut::new();
/// NO_SUCH_USER.encode(&mut out);
/// assert_eq!(&out[..], b"550 5.1.1 sorry, no mailbox here by that name\r\n");
///
/// let help = Reply::fixed(214, "first line\nsecond line");
/// assert_eq!(help.to_string(), "214-first line\r\n214 second line\r\n");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<Enhanced>,
    text: Cow<'static, str>,
}

impl Reply {
    /// Makes a reply with a fixed text; LF parts its lines. A code outside 200–599 becomes 451.
    #[must_use]
    pub const fn fixed(code: u16, text: &'static str) -> Self {
        Self {
            code: legal(code),
            enhanced: None,
            text: Cow::Borrowed(text),
        }
    }

    /// Makes a reply; LF parts the lines of its text. A code outside 200–599 becomes 451.
    ///
    /// Whatever cannot stand in a reply (other control characters) is written as `?`, and lines
    /// are cut at 512 bytes, so that untrusted text may be quoted.
    #[must_use]
    pub fn new(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: legal(code),
            enhanced: None,
            text: text.into(),
        }
    }

    /// Adds an enhanced status code; its class is that of the code, and 3xx replies show none.
    #[must_use]
    pub const fn with(mut self, enhanced: Enhanced) -> Self {
        self.enhanced = Some(enhanced);
        self
    }

    /// Returns the three digits as a number.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// Returns the enhanced status code without its class, which is [`Self::class`].
    #[must_use]
    pub const fn enhanced(&self) -> Option<Enhanced> {
        self.enhanced
    }

    /// Returns the text; LF parts its lines.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the first digit.
    #[must_use]
    pub const fn class(&self) -> u16 {
        self.code / 100
    }

    /// Tells whether the command succeeded (2xx).
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.class() == 2
    }

    /// Tells whether trying the same later may help (4xx).
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        self.class() == 4
    }

    /// Tells whether trying the same later does not help (5xx).
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        self.class() == 5
    }

    /// Writes the reply as it goes over the wire.
    ///
    /// ```abnf
    /// Reply-line   = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
    /// ```
    pub fn encode(&self, out: &mut BytesMut) {
        let mut lines = self.text.split('\n').take(LINES_MAX).peekable();
        while let Some(line) = lines.next() {
            self.encode_line(line, lines.peek().is_none(), out);
        }
    }

    fn encode_line(&self, line: &str, last: bool, out: &mut BytesMut) {
        let start = out.len();
        put_number(self.code, out);
        out.put_u8(if last { b' ' } else { b'-' });
        if let (Some(enhanced), 2 | 4 | 5) = (self.enhanced, self.class()) {
            put_number(self.class(), out);
            out.put_u8(b'.');
            put_number(enhanced.subject, out);
            out.put_u8(b'.');
            put_number(enhanced.detail, out);
            out.put_u8(b' ');
        }
        let room = LINE_MAX.saturating_sub(2 + out.len() - start);
        for character in truncate(line.trim_end_matches('\r'), room).chars() {
            if character.is_control() {
                out.put_u8(b'?');
            } else {
                out.put_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        out.put_slice(b"\r\n");
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = BytesMut::new();
        self.encode(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

const fn legal(code: u16) -> u16 {
    if code >= 200 && code <= 599 {
        code
    } else {
        451
    }
}

/// Cuts `line` to at most `room` bytes without splitting a character.
fn truncate(line: &str, room: usize) -> &str {
    let mut end = line.len().min(room);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.get(..end).unwrap_or_default()
}

fn put_number(number: u16, out: &mut BytesMut) {
    let mut unit = 10_000;
    while unit > 1 && number < unit {
        unit /= 10;
    }
    while unit > 0 {
        // A digit is below ten, so the cast loses nothing.
        out.put_u8(b'0' + (number / unit % 10) as u8);
        unit /= 10;
    }
}
