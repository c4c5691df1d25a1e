//! The commands MAIL and RCPT with what the server's extensions allow (RFC 5321 §4.1.1.2, §4.1.1.3).

use super::{Extensions, Transaction};
use mta_core::Address;
use mta_core::envelope::{Body, Recipient, Ret};

/// Writes `MAIL FROM:<…>` with its parameters; `None` where the address cannot be sent.
///
/// ```abnf
/// mail = "MAIL FROM:" Reverse-path [ SP Mail-parameters ] CRLF
/// ```
pub(super) fn mail(
    transaction: &Transaction,
    offered: Extensions,
    smtputf8: bool,
    longest: usize,
) -> Option<Vec<u8>> {
    let mut line = [b"MAIL FROM:", path(&transaction.from, longest)?.as_slice()].concat();
    if let (Some(_), Some(size)) = (offered.size, transaction.size) {
        line.extend(format!(" SIZE={size}").into_bytes());
    }
    let params = &transaction.params;
    if offered.eight_bit_mime && params.body == Some(Body::EightBit) {
        line.extend_from_slice(b" BODY=8BITMIME");
    }
    if smtputf8 {
        line.extend_from_slice(b" SMTPUTF8");
    }
    if offered.dsn {
        line.extend_from_slice(match params.ret {
            Some(Ret::Full) => b" RET=FULL",
            Some(Ret::Headers) => b" RET=HDRS",
            None => b"",
        });
        push_value(&mut line, b" ENVID=", params.envid.as_deref());
    }
    line.extend_from_slice(b"\r\n");
    Some(line)
}

/// Writes `RCPT TO:<…>` with its parameters; `None` where the address cannot be sent.
///
/// ```abnf
/// rcpt = "RCPT TO:" Forward-path [ SP Rcpt-parameters ] CRLF
/// ```
pub(super) fn rcpt(recipient: &Recipient, offered: Extensions, longest: usize) -> Option<Vec<u8>> {
    let mut line = [b"RCPT TO:", path(&recipient.address, longest)?.as_slice()].concat();
    if offered.dsn {
        let notify = recipient.params.notify.map(|notify| {
            let named = [
                (notify.success, "SUCCESS"),
                (notify.failure, "FAILURE"),
                (notify.delay, "DELAY"),
            ];
            let wanted = named.iter().filter(|(on, _)| *on);
            let list = wanted.map(|(_, name)| *name).collect::<Vec<_>>().join(",");
            if list.is_empty() {
                "NEVER".to_owned()
            } else {
                list
            }
        });
        push_value(&mut line, b" NOTIFY=", notify.as_deref().map(str::as_bytes));
        push_value(&mut line, b" ORCPT=", recipient.params.orcpt.as_deref());
    }
    line.extend_from_slice(b"\r\n");
    Some(line)
}

/// Appends a parameter; a value that could end the word or the line is left out.
fn push_value(line: &mut Vec<u8>, name: &[u8], value: Option<&[u8]>) {
    let fits = |v: &&[u8]| (1..=600).contains(&v.len()) && v.iter().all(u8::is_ascii_graphic);
    if let Some(value) = value.filter(fits) {
        line.extend_from_slice(name);
        line.extend_from_slice(value);
    }
}

/// Writes an address between angle brackets, its local part quoted where it must be; an address
/// without `@` goes out as it is.
///
/// Unlike qmail-remote, an address with control characters, with bytes that are not UTF-8, or with
/// a domain that could end the path is not sent at all: a CR LF in it would be a command.
///
/// ```abnf
/// Path    = "<" Mailbox ">"
/// Mailbox = Local-part "@" ( Domain / address-literal )
/// ```
fn path(address: &Address, longest: usize) -> Option<Vec<u8>> {
    let bytes = address.as_bytes();
    let text = std::str::from_utf8(bytes).ok()?;
    let domain = address.domain().unwrap_or_default();
    let ends_path = |b: &u8| matches!(b, b' ' | b'<' | b'>' | b'"' | b'(' | b')' | b',' | b';');
    if text.chars().any(char::is_control) || domain.iter().any(ends_path) {
        return None;
    }
    if address.domain().is_none() && bytes.iter().any(ends_path) {
        return None;
    }
    let path = [b"<", address.to_quoted().as_slice(), b">"].concat();
    (path.len() <= longest).then_some(path)
}
