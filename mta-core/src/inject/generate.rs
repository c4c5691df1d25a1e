//! The fields that are added at the top, and the sender where none is given (RFC 5322 §3.6, spec §11.2, §11.3).

use super::field::Known;
use super::layout::{self, unquoted};
use super::rewrite::mailbox;
use super::token::{Kind, Token, Unparsable};
use super::{DateForm, Environment, InjectError, Rewriter, Settings};
use crate::date::{self, Civil};
use crate::{Address, Unix};
use std::collections::BTreeSet;

/// Names nobody, so that no server adds an Apparently-To with the Bcc recipients in it.
const NOBODY_SHOWN: &[u8] = b"Cc: recipient list not shown: ;\n";

/// Writes the fields that are missing: Date, Message-ID, From and Cc, each with `Resent-` before it
/// where the message is resent.
pub(super) fn missing(
    settings: &Settings,
    rewriter: &Rewriter,
    seen: &BTreeSet<Known>,
    resent: bool,
) -> Result<Vec<u8>, InjectError> {
    let (prefix, [day, id, from, to, cc]): (&[u8], _) = if resent {
        (
            b"Resent-",
            [
                Known::ResentDate,
                Known::ResentMessageId,
                Known::ResentFrom,
                Known::ResentTo,
                Known::ResentCc,
            ],
        )
    } else {
        (
            b"",
            [
                Known::Date,
                Known::MessageId,
                Known::From,
                Known::To,
                Known::Cc,
            ],
        )
    };
    let mut out = Vec::new();
    let mut add = |line: &[u8]| {
        out.extend_from_slice(prefix);
        out.extend_from_slice(line);
    };
    if !seen.contains(&day) {
        add(&date_line(settings.date, settings.now));
    }
    if !seen.contains(&id) {
        add(&message_id(settings));
    }
    if !seen.contains(&from) {
        add(&from_line(&settings.environment, rewriter)?);
    }
    if !seen.contains(&to) && !seen.contains(&cc) {
        add(NOBODY_SHOWN);
    }
    Ok(out)
}

fn date_line(form: DateForm, now: Unix) -> Vec<u8> {
    let text = match form {
        DateForm::Qmail => date::qmail(now),
        DateForm::Local { east } => date::rfc5322_in_zone(now, east),
    };
    format!("Date: {text}\n").into_bytes()
}

fn message_id(settings: &Settings) -> Vec<u8> {
    let c = Civil::from_unix(settings.now);
    let mut out = format!(
        "Message-ID: <{}{:02}{:02}{:02}{:02}{:02}.{}.qmail@",
        c.year, c.month, c.day, c.hour, c.minute, c.second, settings.pid
    )
    .into_bytes();
    out.extend_from_slice(&settings.hosts.idhost);
    out.extend_from_slice(b">\n");
    out
}

fn from_line(environment: &Environment, rewriter: &Rewriter) -> Result<Vec<u8>, InjectError> {
    let mut field = identity(rewriter, environment.user(), environment.host())
        .map_err(|address| InjectError::UnparsableLine([b"From: ", &*address].concat()))?;
    if let Some(person) = environment.person() {
        // A line end here would be a way to add fields.
        let person = printable(person, b' ');
        if environment.letters().name_in_comment {
            let text = escaped(&person, b"()\\");
            field.push(Token {
                text,
                ..Token::special(Kind::Comment)
            });
        } else {
            let name = Token {
                text: person,
                ..Token::special(Kind::Quote)
            };
            field.splice(0..0, [name, Token::special(Kind::Left)]);
            field.push(Token::special(Kind::Right));
        }
    }
    Ok(layout::field(b"From", &field))
}

/// Makes the envelope sender where neither `-f` nor Return-Path gave one.
pub(super) fn sender(settings: &Settings, rewriter: &Rewriter) -> Result<Address, InjectError> {
    let letters = settings.environment.letters();
    let mut user = settings.environment.sender_user().to_vec();
    if letters.per_message {
        user.extend_from_slice(format!("-{}.{}", settings.now.0, settings.pid).as_bytes());
    }
    if letters.verp {
        user.push(b'-');
    }
    let fail =
        |address: Vec<u8>| InjectError::UnparsableLine([b"Return-Path: ", &*address].concat());
    let address = identity(rewriter, &user, settings.environment.sender_host()).map_err(fail)?;
    let mut sender = unquoted(&address);
    if letters.verp {
        sender.extend_from_slice(b"-@[]");
    }
    Address::new(sender).map_err(|_| fail(user))
}

/// Completes user and host of the environment; on failure returns what could not be read.
fn identity(rewriter: &Rewriter, user: &[u8], host: Option<&[u8]>) -> Result<Vec<Token>, Vec<u8>> {
    let user = printable(user, b'_');
    let made = mailbox(&user, host);
    let mut address =
        made.map_err(|Unparsable| [&user, b"@".as_slice(), host.unwrap_or_default()].concat())?;
    rewriter.complete(&mut address);
    Ok(address)
}

fn printable(text: &[u8], instead: u8) -> Vec<u8> {
    let replace = |&b: &u8| if b.is_ascii_control() { instead } else { b };
    text.iter().map(replace).collect()
}

fn escaped(text: &[u8], special: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if special.contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

/// Writes Mail-Followup-To: one address a line, the last field's first.
///
/// The addresses come as they were found: fields in order, each from right to left.
pub(super) fn mail_followup_to(addresses: &[Address]) -> Vec<u8> {
    let mut out = b"Mail-Followup-To: ".to_vec();
    for (nth, address) in addresses.iter().rev().enumerate() {
        if nth > 0 {
            out.extend_from_slice(b",\n  ");
        }
        out.extend(printable(&address.to_quoted(), b'_'));
    }
    out.push(b'\n');
    out
}
