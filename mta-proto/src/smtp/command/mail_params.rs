//! MAIL: the reverse-path and its parameters (RFC 5321 §4.1.1.2, RFC 1870, RFC 6152, RFC 6531, RFC 3461, RFC 4954).

use super::xtext::is_xtext;
use super::{BadCommand, Command, Offered, path};
use mta_core::envelope::{Body, MailParams, Ret};
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{space1, u64};
use nom::combinator::{all_consuming, opt, recognize, verify};
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// The longest `ENVID` (RFC 3461 §4.4).
const ENVID_MAX: usize = 100;

/// Reads the argument.
///
/// ```abnf
/// mail            = "MAIL FROM:" Reverse-path [ SP Mail-parameters ] CRLF
/// Mail-parameters = esmtp-param *( SP esmtp-param )
/// ```
pub(super) fn parse(argument: &[u8], offered: Offered) -> Result<Command, BadCommand> {
    let (mut rest, from) = path::reverse(argument).map_err(|_| BadCommand::ReversePath)?;
    let mut seen = Seen::default();
    while !rest.is_empty() {
        let (behind, param) = param(rest).map_err(|_| BadCommand::ReversePath)?;
        seen.take(param, offered)?;
        rest = behind;
    }
    if !seen.params.smtputf8 && from.needs_smtputf8() {
        return Err(BadCommand::NeedsSmtpUtf8);
    }
    Ok(Command::Mail {
        from,
        params: seen.params,
        size: seen.size,
    })
}

/// One parameter as it was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Param<'a> {
    pub(super) keyword: &'a [u8],
    pub(super) value: Option<&'a [u8]>,
}

impl Param<'_> {
    pub(super) fn is(&self, keyword: &[u8]) -> bool {
        self.keyword.eq_ignore_ascii_case(keyword)
    }
}

/// ```abnf
/// esmtp-param   = esmtp-keyword ["=" esmtp-value]
/// esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
/// esmtp-value   = 1*(%d33-60 / %d62-126)           ; RFC 6531 §3.3 adds UTF8-non-ascii
/// ```
/// Unlike the RFC, "=" may stand within a value, as clients write it there.
pub(super) fn param(input: &[u8]) -> IResult<&[u8], Param<'_>> {
    let keyword = verify(
        recognize((
            take_while1(|b: u8| b.is_ascii_alphanumeric()),
            take_while(|b: u8| b.is_ascii_alphanumeric() || b == b'-'),
        )),
        |k: &[u8]| k.len() <= 64,
    );
    let value = take_while1(|b: u8| b > b' ' && b != 0x7f);
    let (rest, (keyword, value)) =
        preceded(space1, (keyword, opt(preceded(tag("="), value)))).parse(input)?;
    Ok((rest, Param { keyword, value }))
}

#[derive(Default)]
struct Seen {
    params: MailParams,
    size: Option<u64>,
    /// How long the value of AUTH is, which counts once.
    submitter: Option<usize>,
}

impl Seen {
    fn take(&mut self, param: Param<'_>, offered: Offered) -> Result<(), BadCommand> {
        if param.is(b"SIZE") {
            put(&mut self.size, size(param.value)?)
        } else if param.is(b"BODY") {
            put(&mut self.params.body, body(param.value)?)
        } else if param.is(b"SMTPUTF8") && offered.smtputf8 {
            match (param.value, self.params.smtputf8) {
                (Some(_), _) => Err(BadCommand::ParameterMalformed),
                (None, true) => Err(BadCommand::ParameterTwice),
                (None, false) => {
                    self.params.smtputf8 = true;
                    Ok(())
                }
            }
        } else if param.is(b"RET") && offered.dsn {
            put(&mut self.params.ret, ret(param.value)?)
        } else if param.is(b"ENVID") && offered.dsn {
            put(&mut self.params.envid, envid(param.value)?)
        } else if param.is(b"AUTH") && offered.auth {
            // RFC 4954 §5: nobody's word is trusted here, so that it counts as AUTH=<>.
            let value = param.value.filter(|v| *v == b"<>" || is_xtext(v, true));
            let value = value.ok_or(BadCommand::ParameterMalformed)?;
            put(&mut self.submitter, value.len())
        } else {
            Err(BadCommand::ParameterUnknown)
        }
    }
}

/// Keeps a value where none was given before.
pub(super) fn put<T>(place: &mut Option<T>, value: T) -> Result<(), BadCommand> {
    if place.replace(value).is_some() {
        return Err(BadCommand::ParameterTwice);
    }
    Ok(())
}

/// `size-value = 1*20DIGIT` (RFC 1870 §4); what passes 64 bits is taken for the largest size.
fn size(value: Option<&[u8]>) -> Result<u64, BadCommand> {
    let digits = value
        .filter(|v| v.len() <= 20 && v.iter().all(u8::is_ascii_digit))
        .ok_or(BadCommand::ParameterMalformed)?;
    let number = all_consuming(u64::<_, nom::error::Error<_>>).parse(digits);
    Ok(number.map_or(u64::MAX, |(_, n)| n))
}

/// `body-value = "7BIT" / "8BITMIME"` (RFC 6152 §2). BINARYMIME is not offered, hence unknown.
fn body(value: Option<&[u8]>) -> Result<Body, BadCommand> {
    match value {
        Some(v) if v.eq_ignore_ascii_case(b"8BITMIME") => Ok(Body::EightBit),
        Some(v) if v.eq_ignore_ascii_case(b"7BIT") => Ok(Body::SevenBit),
        Some(_) => Err(BadCommand::ParameterUnknown),
        None => Err(BadCommand::ParameterMalformed),
    }
}

/// `ret-value = "FULL" / "HDRS"` (RFC 3461 §4.3).
fn ret(value: Option<&[u8]>) -> Result<Ret, BadCommand> {
    match value {
        Some(v) if v.eq_ignore_ascii_case(b"FULL") => Ok(Ret::Full),
        Some(v) if v.eq_ignore_ascii_case(b"HDRS") => Ok(Ret::Headers),
        _ => Err(BadCommand::ParameterMalformed),
    }
}

/// `envid-parameter = "ENVID=" xtext` (RFC 3461 §4.4).
fn envid(value: Option<&[u8]>) -> Result<Vec<u8>, BadCommand> {
    value
        .filter(|v| v.len() <= ENVID_MAX && is_xtext(v, false))
        .map(<[u8]>::to_vec)
        .ok_or(BadCommand::ParameterMalformed)
}

#[cfg(test)]
mod tests {
    use super::super::tests::ALL;
    use super::*;

    fn outcome(argument: &str) -> Result<(MailParams, Option<u64>), BadCommand> {
        match parse(argument.as_bytes(), ALL)? {
            Command::Mail { params, size, .. } => Ok((params, size)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parameters_are_carried() {
        let (params, size) =
            outcome("FROM:<a@b> size=17 BODY=8bitmime SMTPUTF8 RET=HDRS ENVID=QQ314159+20x")
                .unwrap();
        assert_eq!(size, Some(17));
        assert_eq!(params.body, Some(Body::EightBit));
        assert!(params.smtputf8);
        assert_eq!(params.ret, Some(Ret::Headers));
        assert_eq!(params.envid.as_deref(), Some(&b"QQ314159+20x"[..]));
    }

    #[test]
    fn bad_parameters_are_told_apart() {
        let table: &[(&str, &str, BadCommand)] = &[
            ("unknown", "FROM:<a@b> FOO=1", BadCommand::ParameterUnknown),
            (
                "unknown body",
                "FROM:<a@b> BODY=BINARYMIME",
                BadCommand::ParameterUnknown,
            ),
            (
                "size of letters",
                "FROM:<a@b> SIZE=1k",
                BadCommand::ParameterMalformed,
            ),
            (
                "size without value",
                "FROM:<a@b> SIZE",
                BadCommand::ParameterMalformed,
            ),
            (
                "twice",
                "FROM:<a@b> SIZE=1 SIZE=1",
                BadCommand::ParameterTwice,
            ),
            (
                "utf8 with value",
                "FROM:<a@b> SMTPUTF8=1",
                BadCommand::ParameterMalformed,
            ),
            (
                "utf8 twice",
                "FROM:<a@b> SMTPUTF8 SMTPUTF8",
                BadCommand::ParameterTwice,
            ),
            ("glued", "FROM:<a@b>SIZE=1", BadCommand::ReversePath),
            ("no keyword", "FROM:<a@b> =1", BadCommand::ReversePath),
            (
                "ENVID too long",
                &format!("FROM:<a@b> ENVID={}", "x".repeat(101)),
                BadCommand::ParameterMalformed,
            ),
            (
                "address beyond ASCII",
                "FROM:<é@b>",
                BadCommand::NeedsSmtpUtf8,
            ),
        ];
        for (name, argument, wanted) in table {
            assert_eq!(outcome(argument), Err(*wanted), "{name}");
        }
    }

    #[test]
    fn a_submitter_is_read_and_not_believed() {
        let (params, _) = outcome("FROM:<a@b> AUTH=<>").unwrap();
        assert_eq!(params, MailParams::default());
        let table = [
            (
                "AUTH without value",
                "FROM:<a@b> AUTH",
                BadCommand::ParameterMalformed,
            ),
            (
                "AUTH that is no xtext",
                "FROM:<a@b> AUTH=a=b",
                BadCommand::ParameterMalformed,
            ),
            (
                "AUTH twice",
                "FROM:<a@b> AUTH=<> AUTH=a@b",
                BadCommand::ParameterTwice,
            ),
        ];
        for (name, argument, wanted) in table {
            assert_eq!(outcome(argument), Err(wanted), "{name}");
        }
    }

    #[test]
    fn parameters_of_extensions_not_offered_are_unknown() {
        let offered = Offered {
            smtputf8: false,
            dsn: false,
            auth: false,
            ..ALL
        };
        for param in ["SMTPUTF8", "RET=FULL", "ENVID=x", "AUTH=<>"] {
            let line = format!("FROM:<a@b> {param}");
            assert_eq!(
                parse(line.as_bytes(), offered),
                Err(BadCommand::ParameterUnknown),
                "{param}"
            );
        }
    }

    #[test]
    fn a_size_beyond_64_bits_is_the_largest() {
        assert_eq!(
            outcome("FROM:<> SIZE=99999999999999999999").unwrap().1,
            Some(u64::MAX)
        );
    }
}
