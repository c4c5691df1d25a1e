//! AUTH: a mechanism and perhaps what the client says first (RFC 4954 §4, §8).

use super::{BadCommand, Command};
use crate::sasl::Message;
use bytes::Bytes;
use nom::bytes::complete::take_while_m_n;
use nom::character::complete::space0;
use nom::sequence::terminated;
use nom::{IResult, Parser};

/// ```abnf
/// auth-command     = "AUTH" SP sasl-mech [SP initial-response] *(CRLF [base64]) CRLF
/// sasl-mech        = 1*20mech-char              ; A-Z 0-9 - _
/// initial-response = base64 / "="
/// ```
pub(super) fn parse(argument: &[u8]) -> Result<Command, BadCommand> {
    const SYNTAX: BadCommand = BadCommand::Argument("syntax: AUTH mechanism [initial-response]");
    let (initial, mechanism) = mechanism(argument).map_err(|_| SYNTAX)?;
    if initial.contains(&b' ')
        || (initial.len() + mechanism.len() == argument.len() && !initial.is_empty())
    {
        return Err(SYNTAX);
    }
    let initial = match initial {
        b"" => None,
        word => Some(Message::decode_initial(word).ok_or(BadCommand::Base64)?),
    };
    Ok(Command::Auth {
        mechanism: Bytes::copy_from_slice(mechanism),
        initial,
    })
}

/// `sasl-mech *SP`, in either case.
fn mechanism(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    terminated(take_while_m_n(1, 20, letter), space0).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_told_apart() {
        let auth = |mechanism: &'static str, initial: Option<&[u8]>| {
            Ok(Command::Auth {
                mechanism: Bytes::from_static(mechanism.as_bytes()),
                initial: initial.and_then(Message::decode_initial),
            })
        };
        let syntax = Err(BadCommand::Argument(
            "syntax: AUTH mechanism [initial-response]",
        ));
        let rows: &[(&str, &[u8], Result<Command, BadCommand>)] = &[
            ("alone", b"PLAIN", auth("PLAIN", None)),
            (
                "with a response",
                b"plain AGEAYg==",
                auth("plain", Some(b"AGEAYg==")),
            ),
            (
                "with an empty one",
                b"SCRAM-SHA-256-PLUS =",
                auth("SCRAM-SHA-256-PLUS", Some(b"=")),
            ),
            ("nothing", b"", syntax),
            (
                "a name too long",
                b"ABCDEFGHIJKLMNOPQRSTU",
                Err(BadCommand::Argument(
                    "syntax: AUTH mechanism [initial-response]",
                )),
            ),
            (
                "three words",
                b"PLAIN AGEAYg== x",
                Err(BadCommand::Argument(
                    "syntax: AUTH mechanism [initial-response]",
                )),
            ),
            (
                "glued",
                b"PLAIN=AGEAYg==",
                Err(BadCommand::Argument(
                    "syntax: AUTH mechanism [initial-response]",
                )),
            ),
            ("no base64", b"PLAIN a*b", Err(BadCommand::Base64)),
            ("no padding", b"PLAIN AGEAYg", Err(BadCommand::Base64)),
        ];
        for (name, argument, wanted) in rows {
            assert_eq!(parse(argument), *wanted, "{name}");
        }
    }
}
