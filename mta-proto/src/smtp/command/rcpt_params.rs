//! RCPT: the forward-path and its parameters (RFC 5321 §4.1.1.3, RFC 3461 §4.1).

use super::mail_params::{Param, param, put};
use super::xtext::is_xtext;
use super::{BadCommand, Command, Offered, path};
use mta_core::envelope::{Notify, RcptParams};

/// The longest `ORCPT` (RFC 3461 §4.2).
const ORCPT_MAX: usize = 500;

/// Reads the argument.
///
/// ```abnf
/// rcpt = "RCPT TO:" ( "<Postmaster>" / Forward-path ) [ SP Rcpt-parameters ] CRLF
/// ```
/// Whether an address beyond ASCII is allowed depends on MAIL, so the session looks at it.
pub(super) fn parse(argument: &[u8], offered: Offered) -> Result<Command, BadCommand> {
    let (mut rest, to) = path::forward(argument).map_err(|_| BadCommand::ForwardPath)?;
    let mut params = RcptParams::default();
    while !rest.is_empty() {
        let (behind, param) = param(rest).map_err(|_| BadCommand::ForwardPath)?;
        take(&mut params, param, offered)?;
        rest = behind;
    }
    Ok(Command::Rcpt { to, params })
}

fn take(params: &mut RcptParams, param: Param<'_>, offered: Offered) -> Result<(), BadCommand> {
    if param.is(b"NOTIFY") && offered.dsn {
        put(&mut params.notify, notify(param.value)?)
    } else if param.is(b"ORCPT") && offered.dsn {
        put(&mut params.orcpt, orcpt(param.value, offered)?)
    } else {
        Err(BadCommand::ParameterUnknown)
    }
}

/// ```abnf
/// notify-esmtp-value  = "NEVER" / (notify-list-element *( "," notify-list-element ))
/// notify-list-element = "SUCCESS" / "FAILURE" / "DELAY"
/// ```
fn notify(value: Option<&[u8]>) -> Result<Notify, BadCommand> {
    let value = value.ok_or(BadCommand::ParameterMalformed)?;
    let mut notify = Notify::default();
    if value.eq_ignore_ascii_case(b"NEVER") {
        return Ok(notify);
    }
    for word in value.split(|&b| b == b',') {
        if word.eq_ignore_ascii_case(b"SUCCESS") {
            notify.success = true;
        } else if word.eq_ignore_ascii_case(b"FAILURE") {
            notify.failure = true;
        } else if word.eq_ignore_ascii_case(b"DELAY") {
            notify.delay = true;
        } else {
            return Err(BadCommand::ParameterMalformed);
        }
    }
    Ok(notify)
}

/// ```abnf
/// original-recipient-address = addr-type ";" xtext
/// addr-type                  = 1*( ALPHA / DIGIT / "-" )
/// ```
fn orcpt(value: Option<&[u8]>, offered: Offered) -> Result<Vec<u8>, BadCommand> {
    let value = value
        .filter(|v| v.len() <= ORCPT_MAX)
        .ok_or(BadCommand::ParameterMalformed)?;
    let mut halves = value.splitn(2, |&b| b == b';');
    match (halves.next(), halves.next()) {
        (Some(kind), Some(address))
            if !kind.is_empty()
                && kind.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'-')
                && is_xtext(address, offered.smtputf8) =>
        {
            Ok(value.to_vec())
        }
        _ => Err(BadCommand::ParameterMalformed),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::ALL;
    use super::*;

    fn outcome(argument: &str) -> Result<RcptParams, BadCommand> {
        match parse(argument.as_bytes(), ALL)? {
            Command::Rcpt { params, .. } => Ok(params),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parameters_are_carried() {
        let params = outcome("TO:<a@b> NOTIFY=success,DELAY ORCPT=rfc822;a+2Bc@b").unwrap();
        let wanted = Notify {
            success: true,
            failure: false,
            delay: true,
        };
        assert_eq!(params.notify, Some(wanted));
        assert_eq!(params.orcpt.as_deref(), Some(&b"rfc822;a+2Bc@b"[..]));
        assert_eq!(
            outcome("TO:<a@b> NOTIFY=NEVER").unwrap().notify,
            Some(Notify::default())
        );
    }

    #[test]
    fn bad_parameters_are_told_apart() {
        let table: &[(&str, &str, BadCommand)] = &[
            ("unknown", "TO:<a@b> SIZE=1", BadCommand::ParameterUnknown),
            (
                "never and more",
                "TO:<a@b> NOTIFY=NEVER,DELAY",
                BadCommand::ParameterMalformed,
            ),
            (
                "empty element",
                "TO:<a@b> NOTIFY=DELAY,",
                BadCommand::ParameterMalformed,
            ),
            (
                "no value",
                "TO:<a@b> NOTIFY",
                BadCommand::ParameterMalformed,
            ),
            (
                "twice",
                "TO:<a@b> NOTIFY=DELAY NOTIFY=DELAY",
                BadCommand::ParameterTwice,
            ),
            (
                "no type",
                "TO:<a@b> ORCPT=;a@b",
                BadCommand::ParameterMalformed,
            ),
            (
                "no xtext",
                "TO:<a@b> ORCPT=rfc822;a+b",
                BadCommand::ParameterMalformed,
            ),
        ];
        for (name, argument, wanted) in table {
            assert_eq!(outcome(argument), Err(*wanted), "{name}");
        }
    }
}
