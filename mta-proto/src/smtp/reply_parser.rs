//! Replies of a remote SMTP server, read line by line within stated bounds (RFC 5321 §4.2).

use bytes::BytesMut;
use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{tag, take_while_m_n},
    combinator::{eof, value, verify},
};

/// How much of a hostile server's reply is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLimits {
    /// Longest line with its line end, in bytes; the standard asks for 512.
    pub line: usize,
    /// Most lines of one reply.
    pub lines: usize,
    /// Most bytes of text that are kept of one reply; what is beyond is dropped, not an error.
    pub text: usize,
}

impl Default for ReplyLimits {
    fn default() -> Self {
        Self {
            line: 4096,
            lines: 128,
            text: 5000,
        }
    }
}

/// One complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteReply {
    /// The three digits.
    pub code: u16,
    /// All lines as they came, with their codes: ended by LF, CR dropped, NUL shown as `?`.
    pub text: Vec<u8>,
}

impl RemoteReply {
    /// Tells whether the command was done (2yz).
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        self.code >= 200 && self.code < 300
    }

    /// Tells whether the server waits for more (3yz).
    #[must_use]
    pub const fn is_intermediate(&self) -> bool {
        self.code >= 300 && self.code < 400
    }

    /// Tells whether trying later does not help (5yz).
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// Returns the lines without code, separator and line end.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text
            .split(|&b| b == b'\n')
            .map(|line| line.get(4..).unwrap_or_default())
    }
}

/// What a server sent is not a reply; all of these are the peer's fault and temporary.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// A line does not end in time.
    #[error("a reply line is longer than {limit} bytes")]
    LineTooLong {
        /// [`ReplyLimits::line`].
        limit: usize,
    },
    /// A multi-line reply does not end in time.
    #[error("a reply has more than {limit} lines")]
    TooManyLines {
        /// [`ReplyLimits::lines`].
        limit: usize,
    },
    /// The first line does not begin with a code.
    #[error("a reply must begin with three digits")]
    NoCode,
    /// The lines of one reply carry different codes.
    #[error("a reply began with code {first} and went on with {then}")]
    CodeChanged {
        /// The code of the first line.
        first: u16,
        /// The other code.
        then: u16,
    },
}

/// Collects the lines of a reply from pieces of any size.
///
/// Lines end in CRLF; a bare LF is taken too, as qmail-remote(8) does. A line without code in the
/// middle of a multi-line reply counts as text. Once an error was found, it stays.
///
/// ```
/// use bytes::BytesMut;
/// use mta_proto::smtp::reply_parser::{ReplyLimits, ReplyParser};
/// let mut parser = ReplyParser::new(ReplyLimits::default());
/// let mut input = BytesMut::from(&b"250-mx.example.org\r\n250 SI"[..]);
/// assert_eq!(parser.feed(&mut input), Ok(None));
/// input.extend_from_slice(b"ZE\r\n");
/// let reply = parser.feed(&mut input).unwrap().unwrap();
/// assert_eq!(reply.code, 250);
/// assert_eq!(reply.text, b"250-mx.example.org\n250 SIZE\n");
/// ```
#[derive(Debug)]
pub struct ReplyParser {
    limits: ReplyLimits,
    line: Vec<u8>,
    code: Option<u16>,
    lines: usize,
    text: Vec<u8>,
    failed: Option<ReplyError>,
}

impl ReplyParser {
    /// Starts between replies.
    #[must_use]
    pub const fn new(limits: ReplyLimits) -> Self {
        Self {
            limits,
            line: Vec::new(),
            code: None,
            lines: 0,
            text: Vec::new(),
            failed: None,
        }
    }

    /// Takes bytes from `input` up to the end of one reply and returns it; `None` when all input
    /// was taken and the reply is not complete.
    ///
    /// # Errors
    /// Fails where the bytes are not a reply or pass a limit; [`said`](Self::said) has what came.
    pub fn feed(&mut self, input: &mut BytesMut) -> Result<Option<RemoteReply>, ReplyError> {
        while self.failed.is_none() && !input.is_empty() {
            let end = memchr::memchr(b'\n', input).map(|at| at + 1);
            let piece = input.split_to(end.unwrap_or(input.len()));
            let room = self.limits.line.saturating_sub(self.line.len());
            let taken = piece.get(..room.min(piece.len())).unwrap_or_default();
            self.line.extend_from_slice(taken);
            if taken.len() < piece.len() {
                self.keep_line();
                self.failed = Some(ReplyError::LineTooLong {
                    limit: self.limits.line,
                });
            } else if end.is_some() {
                match self.line_done() {
                    Ok(Some(code)) => return Ok(Some(self.take(code))),
                    Ok(None) => {}
                    Err(error) => self.failed = Some(error),
                }
            }
        }
        self.failed.map_or(Ok(None), Err)
    }

    /// Returns what is kept of the reply that is not complete.
    #[must_use]
    pub fn said(&self) -> &[u8] {
        &self.text
    }

    /// Tells whether no reply has begun.
    #[must_use]
    pub const fn is_between_replies(&self) -> bool {
        self.line.is_empty() && self.lines == 0 && self.failed.is_none()
    }

    /// Looks at the complete line; `Some` where it is the last one of its reply.
    fn line_done(&mut self) -> Result<Option<u16>, ReplyError> {
        let head = code_and_separator(without_line_end(&self.line));
        self.keep_line();
        self.lines += 1;
        if self.lines > self.limits.lines {
            return Err(ReplyError::TooManyLines {
                limit: self.limits.lines,
            });
        }
        match (self.code, head) {
            (None, None) => Err(ReplyError::NoCode),
            (Some(_), None) => Ok(None),
            (Some(first), Some((then, _))) if first != then => {
                Err(ReplyError::CodeChanged { first, then })
            }
            (_, Some((code, Separator::More))) => {
                self.code = Some(code);
                Ok(None)
            }
            (_, Some((code, Separator::Last))) => Ok(Some(code)),
        }
    }

    /// Moves the line into the text, cleaned and cut.
    fn keep_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let body = without_line_end(&line);
        let cleaned = body.iter().filter(|&&b| b != b'\r');
        let shown = cleaned.map(|&b| if b == 0 { b'?' } else { b });
        let room = self.limits.text.saturating_sub(self.text.len());
        self.text.extend(shown.chain([b'\n']).take(room));
    }

    fn take(&mut self, code: u16) -> RemoteReply {
        self.code = None;
        self.lines = 0;
        RemoteReply {
            code,
            text: std::mem::take(&mut self.text),
        }
    }
}

#[derive(Clone, Copy)]
enum Separator {
    More,
    Last,
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn code_and_separator(line: &[u8]) -> Option<(u16, Separator)> {
    reply_line(line).ok().map(|(_, found)| found)
}

/// ```abnf
/// Reply-line = *( Reply-code "-" [ textstring ] CRLF )
///              Reply-code [ SP textstring ] CRLF
/// Reply-code = %x32-35 %x30-35 %x30-39
/// ```
/// The second digit may be any, because servers invent codes.
fn reply_line(line: &[u8]) -> IResult<&[u8], (u16, Separator)> {
    let digits = take_while_m_n(3, 3, |b: u8| b.is_ascii_digit());
    let code = digits.map(|d: &[u8]| {
        d.iter()
            .fold(0_u16, |n, &b| n * 10 + u16::from(b.saturating_sub(b'0')))
    });
    let separator = alt((
        value(Separator::More, tag(&b"-"[..])),
        value(Separator::Last, tag(&b" "[..])),
        value(Separator::Last, eof),
    ));
    (verify(code, |code| (200..600).contains(code)), separator).parse(line)
}
