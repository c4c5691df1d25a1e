//! The commands of POP3 and their grammar (RFC 1939 §9, RFC 2449 §5, RFC 2595 §4, RFC 5034 §4, RFC 1460 for LAST).

use nom::bytes::complete::{tag, take_while, take_while_m_n, take_while1};
use nom::combinator::{all_consuming, opt, rest};
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// One command line, borrowed from the input.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `USER name`.
    User(&'a [u8]),
    /// `PASS string`; every byte behind the first space belongs to the password.
    Pass(Secret<'a>),
    /// `APOP name digest`.
    Apop {
        /// Whose mailbox.
        name: &'a [u8],
        /// 32 hexadecimal digits of MD5.
        digest: Secret<'a>,
    },
    /// `AUTH mechanism [initial-response]`.
    Auth {
        /// Its name, in either case.
        mechanism: &'a [u8],
        /// As it stands there, in base64 or `=`.
        initial: Option<Secret<'a>>,
    },
    /// `STAT`.
    Stat,
    /// `LIST [msg]`.
    List(Option<Number>),
    /// `UIDL [msg]`.
    Uidl(Option<Number>),
    /// `RETR msg`.
    Retr(Number),
    /// `TOP msg n`.
    Top {
        /// Which message.
        message: Number,
        /// How many lines of its body.
        lines: u64,
    },
    /// `DELE msg`.
    Dele(Number),
    /// `LAST`.
    Last,
    /// `RSET`.
    Rset,
    /// `NOOP`.
    Noop,
    /// `CAPA`.
    Capa,
    /// `STLS`.
    Stls,
    /// `QUIT`.
    Quit,
}

/// Bytes that no log may show.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<'a>(&'a [u8]);

impl<'a> Secret<'a> {
    /// Returns the bytes themselves.
    #[must_use]
    pub const fn expose(self) -> &'a [u8] {
        self.0
    }
}

impl std::fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A message number as it was written; whether there is such a message is for the session to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub u64);

/// Why a line is no command.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The keyword is not one of ours.
    #[error("the keyword is unknown")]
    Unknown,
    /// The arguments are not what the keyword wants.
    #[error("the arguments do not fit the command")]
    Syntax,
}

impl<'a> Command<'a> {
    /// Parses a line without its line end.
    ///
    /// Keywords are case-insensitive; trailing spaces are forgiven, but not in a password.
    ///
    /// # Errors
    /// Fails on an unknown keyword and on arguments that do not fit.
    ///
    /// ```
    /// use mta_proto::pop3::command::{Command, Number};
    /// assert_eq!(Command::parse(b"retr 12"), Ok(Command::Retr(Number(12))));
    /// ```
    pub fn parse(line: &'a [u8]) -> Result<Self, CommandError> {
        if line.iter().any(|&byte| byte == 0 || byte == b'\r') {
            return Err(CommandError::Syntax);
        }
        let (arguments, word) = keyword(line).map_err(|_| CommandError::Unknown)?;
        let mut upper = [0; 4];
        let known = upper.get_mut(..word.len()).ok_or(CommandError::Unknown)?;
        known.copy_from_slice(word);
        known.make_ascii_uppercase();
        match &*known {
            b"USER" => finish(user(arguments)),
            b"PASS" => finish(pass(arguments)),
            b"APOP" => finish(apop(arguments)),
            b"LIST" => finish(optional_number(arguments)).map(Self::List),
            b"UIDL" => finish(optional_number(arguments)).map(Self::Uidl),
            b"RETR" => finish(one_number(arguments)).map(Self::Retr),
            b"DELE" => finish(one_number(arguments)).map(Self::Dele),
            b"TOP" => finish(top(arguments)),
            b"AUTH" => finish(auth(arguments)),
            b"STAT" => finish(nothing(arguments)).map(|()| Self::Stat),
            b"LAST" => finish(nothing(arguments)).map(|()| Self::Last),
            b"RSET" => finish(nothing(arguments)).map(|()| Self::Rset),
            b"NOOP" => finish(nothing(arguments)).map(|()| Self::Noop),
            b"CAPA" => finish(nothing(arguments)).map(|()| Self::Capa),
            b"STLS" => finish(nothing(arguments)).map(|()| Self::Stls),
            b"QUIT" => finish(nothing(arguments)).map(|()| Self::Quit),
            _ => Err(CommandError::Unknown),
        }
    }
}

fn finish<T>(parsed: IResult<&[u8], T>) -> Result<T, CommandError> {
    match parsed {
        Ok((_, value)) => Ok(value),
        Err(_) => Err(CommandError::Syntax),
    }
}

/// `keyword = 3*4VCHAR` (RFC 2449 §4).
fn keyword(line: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while1(|byte: u8| byte.is_ascii_graphic()).parse(line)
}

fn spaces(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(|byte| byte == b' ').parse(input)
}

fn spaces1(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while1(|byte| byte == b' ').parse(input)
}

/// A command without arguments.
fn nothing(input: &[u8]) -> IResult<&[u8], ()> {
    all_consuming(spaces).map(|_| ()).parse(input)
}

/// `"USER" SP string`.
fn user(input: &[u8]) -> IResult<&[u8], Command<'_>> {
    let (left, name) = preceded(spaces1, rest).parse(input)?;
    let name = name.trim_ascii_end();
    if name.is_empty() {
        return failed(left);
    }
    Ok((left, Command::User(name)))
}

/// `"PASS" SP string`, where the string may hold spaces (RFC 1939 §7).
fn pass(input: &[u8]) -> IResult<&[u8], Command<'_>> {
    let (left, word) = preceded(tag(&b" "[..]), rest).parse(input)?;
    if word.is_empty() {
        return failed(left);
    }
    Ok((left, Command::Pass(Secret(word))))
}

/// `"APOP" SP name SP digest`.
fn apop(input: &[u8]) -> IResult<&[u8], Command<'_>> {
    let graphic = |byte: u8| byte.is_ascii_graphic() || byte >= 0x80;
    let (input, name) = preceded(spaces1, take_while1(graphic)).parse(input)?;
    let hex = |byte: u8| byte.is_ascii_hexdigit();
    let (input, digest) = preceded(spaces1, take_while1(hex)).parse(input)?;
    let (input, ()) = nothing(input)?;
    if digest.len() != 32 {
        return failed(input);
    }
    let digest = Secret(digest);
    Ok((input, Command::Apop { name, digest }))
}

/// `"AUTH" SP sasl-mech [SP initial-response]` (RFC 5034 §4).
fn auth(input: &[u8]) -> IResult<&[u8], Command<'_>> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let graphic = |byte: u8| byte.is_ascii_graphic();
    let (input, mechanism) = preceded(spaces1, take_while_m_n(1, 20, letter)).parse(input)?;
    let (input, initial) = opt(preceded(spaces1, take_while1(graphic))).parse(input)?;
    let (input, ()) = nothing(input)?;
    let initial = initial.map(Secret);
    Ok((input, Command::Auth { mechanism, initial }))
}

/// `"TOP" SP msg SP n`.
fn top(input: &[u8]) -> IResult<&[u8], Command<'_>> {
    let (input, message) = number(input)?;
    let (input, Number(lines)) = number(input)?;
    let (input, ()) = nothing(input)?;
    Ok((input, Command::Top { message, lines }))
}

fn one_number(input: &[u8]) -> IResult<&[u8], Number> {
    let (input, found) = number(input)?;
    let (input, ()) = nothing(input)?;
    Ok((input, found))
}

fn optional_number(input: &[u8]) -> IResult<&[u8], Option<Number>> {
    let (input, found) = opt(number).parse(input)?;
    let (input, ()) = nothing(input)?;
    Ok((input, found))
}

/// `SP 1*DIGIT`; what is larger than any count stands for the largest.
fn number(input: &[u8]) -> IResult<&[u8], Number> {
    let (input, digits) =
        preceded(spaces1, take_while1(|byte: u8| byte.is_ascii_digit())).parse(input)?;
    let value = digits.iter().fold(0u64, |value, digit| {
        let digit = u64::from(digit.wrapping_sub(b'0'));
        value.saturating_mul(10).saturating_add(digit)
    });
    Ok((input, Number(value)))
}

fn failed<T>(input: &[u8]) -> IResult<&[u8], T> {
    let kind = nom::error::ErrorKind::Verify;
    Err(nom::Err::Error(nom::error::Error::new(input, kind)))
}
