//! One command line as a server reads it (RFC 5321 §4.1.1).

mod auth;
mod bdat;
mod hello;
mod mail_params;
mod path;
mod rcpt_params;
mod xtext;

use super::xclient::{self, Xclient};
use crate::sasl::Message;
use bytes::Bytes;
use mta_core::Address;
use mta_core::envelope::{MailParams, RcptParams};
use nom::bytes::complete::take_while;
use nom::character::complete::space0;
use nom::sequence::terminated;
use nom::{IResult, Parser};

/// Which extensions' commands and parameters are known now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offered {
    pub(crate) smtputf8: bool,
    pub(crate) chunking: bool,
    pub(crate) dsn: bool,
    pub(crate) starttls: bool,
    pub(crate) auth: bool,
    pub(crate) xclient: bool,
}

/// A command that can be carried out, as far as its line tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Hello {
        name: Bytes,
        extended: bool,
    },
    Mail {
        from: Address,
        params: MailParams,
        size: Option<u64>,
    },
    Rcpt {
        to: Address,
        params: RcptParams,
    },
    Data,
    Bdat {
        size: u64,
        last: bool,
    },
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
    StartTls,
    Auth {
        mechanism: Bytes,
        initial: Option<Message>,
    },
    Xclient(Box<Xclient>),
}

/// What is wrong with a command line; always the peer's fault, and permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadCommand {
    Unknown,
    Unimplemented,
    TooLong,
    BareLf,
    BareCr,
    Nul,
    /// The text says which syntax was expected.
    Argument(&'static str),
    /// Where a chunk ends is not known, so nothing behind this line can be trusted.
    BdatArgument,
    ReversePath,
    ForwardPath,
    ParameterUnknown,
    ParameterMalformed,
    ParameterTwice,
    NeedsSmtpUtf8,
    /// What an exchange says is not base64.
    Base64,
}

/// Reads a command line that stands without its CRLF.
///
/// ```abnf
/// command-line = verb [ 1*SP argument ] *WSP
/// verb         = 1*ALPHA
/// ```
/// Verbs are matched in either case; white space at the end is tolerated (RFC 5321 §4.1.1).
pub(crate) fn parse(line: &[u8], offered: Offered) -> Result<Command, BadCommand> {
    let line = line.trim_ascii_end();
    let Ok((argument, word)) = verb(line) else {
        return Err(BadCommand::Unknown);
    };
    let mut name = [0_u8; 8];
    let Some(upper) = name.get_mut(..word.len()) else {
        return Err(BadCommand::Unknown);
    };
    upper.copy_from_slice(word);
    upper.make_ascii_uppercase();
    match &*upper {
        b"HELO" => hello::parse(argument, false),
        b"EHLO" => hello::parse(argument, true),
        b"MAIL" => mail_params::parse(argument, offered),
        b"RCPT" => rcpt_params::parse(argument, offered),
        b"DATA" => bare(argument, Command::Data, "syntax: DATA"),
        b"BDAT" if offered.chunking => bdat::parse(argument),
        b"RSET" => bare(argument, Command::Rset, "syntax: RSET"),
        b"QUIT" => bare(argument, Command::Quit, "syntax: QUIT"),
        b"STARTTLS" if offered.starttls => bare(argument, Command::StartTls, "syntax: STARTTLS"),
        b"AUTH" if offered.auth => auth::parse(argument),
        b"XCLIENT" if offered.xclient => xclient::parse(argument),
        b"NOOP" => Ok(Command::Noop),
        b"HELP" => Ok(Command::Help),
        b"VRFY" if argument.is_empty() => Err(BadCommand::Argument("syntax: VRFY string")),
        b"VRFY" => Ok(Command::Vrfy),
        b"AUTH" | b"BDAT" | b"BURL" | b"ETRN" | b"EXPN" | b"SAML" | b"SEND" | b"SOML"
        | b"STARTTLS" | b"TURN" | b"ATRN" | b"XCLIENT" => Err(BadCommand::Unimplemented),
        _ => Err(BadCommand::Unknown),
    }
}

/// `verb [ 1*SP ]`, so that the argument is left over.
fn verb(line: &[u8]) -> IResult<&[u8], &[u8]> {
    let (rest, word) = take_while(|b: u8| b.is_ascii_alphabetic()).parse(line)?;
    if rest.first().is_none_or(|&b| b == b' ' || b == b'\t') {
        terminated(nom::combinator::success(word), space0).parse(rest)
    } else {
        Err(nom::Err::Error(nom::error::Error::new(
            rest,
            nom::error::ErrorKind::Space,
        )))
    }
}

fn bare(argument: &[u8], command: Command, syntax: &'static str) -> Result<Command, BadCommand> {
    if argument.is_empty() {
        Ok(command)
    } else {
        Err(BadCommand::Argument(syntax))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const ALL: Offered = Offered {
        smtputf8: true,
        chunking: true,
        dsn: true,
        starttls: true,
        auth: true,
        xclient: true,
    };

    #[test]
    fn verbs_are_told_apart() {
        let none = Offered {
            smtputf8: false,
            chunking: false,
            dsn: false,
            starttls: false,
            auth: false,
            xclient: false,
        };
        type Row = (
            &'static str,
            &'static [u8],
            Offered,
            Result<Command, BadCommand>,
        );
        let table: &[Row] = &[
            ("lower case", b"quit", ALL, Ok(Command::Quit)),
            ("space behind", b"RSET  ", ALL, Ok(Command::Rset)),
            (
                "argument forbidden",
                b"RSET x",
                ALL,
                Err(BadCommand::Argument("syntax: RSET")),
            ),
            ("argument ignored", b"NOOP x y", ALL, Ok(Command::Noop)),
            ("empty", b"", ALL, Err(BadCommand::Unknown)),
            ("unknown", b"XYZZY", ALL, Err(BadCommand::Unknown)),
            (
                "longer than any",
                b"QUITQUITQUIT",
                ALL,
                Err(BadCommand::Unknown),
            ),
            ("not a letter", b"QUIT!", ALL, Err(BadCommand::Unknown)),
            (
                "colon for a space",
                b"MAIL:FROM:<a@b>",
                ALL,
                Err(BadCommand::Unknown),
            ),
            ("8 bit", b"\xff\xfe", ALL, Err(BadCommand::Unknown)),
            (
                "known elsewhere",
                b"EXPN list",
                ALL,
                Err(BadCommand::Unimplemented),
            ),
            (
                "not offered",
                b"BDAT 3",
                none,
                Err(BadCommand::Unimplemented),
            ),
            ("no AUTH", b"AUTH X", none, Err(BadCommand::Unimplemented)),
            ("no TLS", b"STARTTLS", none, Err(BadCommand::Unimplemented)),
            ("VRFY", b"VRFY joe", ALL, Ok(Command::Vrfy)),
        ];
        for (name, line, offered, wanted) in table {
            assert_eq!(parse(line, *offered), *wanted, "{name}");
        }
    }
}
