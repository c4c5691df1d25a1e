//! The machine-readable half of a bounce: message/delivery-status from qmail's records (RFC 3464 §2).

use crate::Address;
use crate::envelope::Recipient;
use std::collections::HashMap;
use std::fmt::Write;

/// The most bytes of a report that a Diagnostic-Code field repeats.
pub const DIAGNOSTIC_MAX: usize = 2_000;

/// A line of a folded field stays below this.
const FOLD: usize = 900;

/// What a report's text holds before the words of a remote server.
const REMOTE_SAID: &[u8] = b"Remote host said: ";

/// Begins the line that qmail-send adds when a message is too old.
const TOO_LONG: &[u8] = b"I'm not going to try again;";

/// Writes one group of fields for each record of a bounce text.
pub(super) fn groups(out: &mut Vec<u8>, records: &[u8], known: &[Recipient]) {
    let known = known.iter();
    let known: HashMap<&[u8], &[u8]> = known
        .filter_map(|one| Some((one.address.as_bytes(), one.params.orcpt.as_deref()?)))
        .collect();
    for (address, text) in Records(records) {
        let orcpt = known.get(address).copied();
        recipient(out, address, orcpt, "failed", &status(text));
        diagnostic(out, text);
    }
}

/// Begins the group of one recipient (RFC 3464 §2.3.1 to §2.3.4).
pub(super) fn recipient(
    out: &mut Vec<u8>,
    address: &[u8],
    orcpt: Option<&[u8]>,
    action: &str,
    status: &str,
) {
    let mut fields = String::from("\n");
    if let Some(original) = orcpt.and_then(original_recipient) {
        let _ = writeln!(fields, "Original-Recipient: {original}");
    }
    let kind = final_recipient(address);
    let _ = write!(
        fields,
        "Final-Recipient: {kind}\nAction: {action}\nStatus: {status}\n"
    );
    out.extend_from_slice(fields.as_bytes());
}

/// Takes ORCPT's value out of its xtext (RFC 3464 §2.3.1).
fn original_recipient(orcpt: &[u8]) -> Option<String> {
    let at = orcpt.iter().position(|&b| b == b';')?;
    let (kind, address) = orcpt.split_at_checked(at)?;
    let kind = std::str::from_utf8(kind).ok().filter(|k| k.is_ascii())?;
    Some(format!("{kind}; {}", from_xtext(address.get(1..)?)?))
}

/// Decodes xtext (RFC 3461 §4), as RFC 3464 §2.2.1 and §2.3.1 want it; `None` where the result is not
/// printable.
pub(super) fn from_xtext(xtext: &[u8]) -> Option<String> {
    let mut out = String::new();
    let mut bytes = xtext.iter();
    while let Some(&byte) = bytes.next() {
        let byte = if byte == b'+' {
            let digits = [*bytes.next()?, *bytes.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
        } else {
            byte
        };
        if !(b' '..=b'~').contains(&byte) {
            return None;
        }
        out.push(char::from(byte));
    }
    Some(out)
}

/// Splits a bounce text into address and report.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            let end = find(self.0, b"\n\n").map_or(self.0.len(), |at| at + 2);
            let (paragraph, rest) = self.0.split_at_checked(end)?;
            self.0 = rest;
            let Some(inside) = paragraph.strip_prefix(b"<") else {
                continue;
            };
            let Some(at) = find(inside, b">:\n") else {
                continue;
            };
            let (address, text) = inside.split_at_checked(at)?;
            return Some((address, text.get(3..)?));
        }
        None
    }
}

/// Shows a recipient as RFC 3464 §2.3.2 wants it; beyond ASCII in the form of RFC 6533 §3 that
/// passes through 7-bit paths.
fn final_recipient(address: &[u8]) -> String {
    let quoted = Address::new(address).map_or_else(|_| address.to_vec(), |a| a.to_quoted());
    match std::str::from_utf8(&quoted) {
        Ok(text) if !text.is_ascii() => {
            let mut shown = String::from("utf-8; ");
            for c in text.chars() {
                match c {
                    ' ' | '+' | '=' | '\\' => {
                        let _ = write!(shown, "\\x{{{:02X}}}", u32::from(c));
                    }
                    '!'..='~' => shown.push(c),
                    c if c.is_ascii() => shown.push('?'),
                    c => {
                        let _ = write!(shown, "\\x{{{:X}}}", u32::from(c));
                    }
                }
            }
            shown
        }
        _ => format!("rfc822; {}", plain(&quoted)),
    }
}

/// Makes text fit for a field: no control, nothing beyond ASCII.
fn plain(text: &[u8]) -> String {
    let shown = text.iter().map(|&b| match b {
        b'\t' => ' ',
        b' '..=b'~' => char::from(b),
        _ => '?',
    });
    shown.collect()
}

/// Writes the Diagnostic-Code: the remote server's words where there are some, else the report.
pub(super) fn diagnostic(out: &mut Vec<u8>, text: &[u8]) {
    let said = find(text, REMOTE_SAID).and_then(|at| text.get(at + REMOTE_SAID.len()..));
    let (kind, text) = said.map_or(("X-Qmail", text), |said| ("smtp", said));
    let kept = text.get(..DIAGNOSTIC_MAX).unwrap_or(text);
    let lines = kept.split(|&b| b == b'\n').flat_map(|l| l.chunks(FOLD));
    let lines = lines.map(plain).filter(|l| !l.trim().is_empty());
    let folded: Vec<_> = lines.map(|l| l.trim().to_owned()).collect();
    if !folded.is_empty() {
        let field = format!("Diagnostic-Code: {kind}; {}\n", folded.join("\n  "));
        out.extend_from_slice(field.as_bytes());
    }
}

/// Derives an enhanced status code (RFC 3463) from a report's text.
///
/// qmail's own `(#5.1.1)` counts first, then the code in a remote server's reply, then that
/// reply's class; a message that was too old has 4.4.7, and anything else 5.0.0.
///
/// ```
/// use mta_core::bounce::status;
/// assert_eq!(status(b"Sorry, no mailbox here by that name. (#5.1.1)\n"), "5.1.1");
/// assert_eq!(status(b"1.2.3.4 does not like recipient.\nRemote host said: 550 5.7.1 no\n"), "5.7.1");
/// assert_eq!(status(b"no idea\n"), "5.0.0");
/// ```
#[must_use]
pub fn status(text: &[u8]) -> String {
    let mut rest = text;
    while let Some(at) = find(rest, b"(#") {
        rest = rest.get(at + 2..).unwrap_or_default();
        if let Some(code) = code(rest).filter(|c| rest.get(c.len()) == Some(&b')')) {
            return code;
        }
    }
    if let Some(at) = find(text, REMOTE_SAID) {
        let said = text.get(at + REMOTE_SAID.len()..).unwrap_or_default();
        if let Some(code) = said.get(4..).and_then(code) {
            return code;
        }
        if let Some(class @ (b'4' | b'5')) = said.first() {
            return format!("{}.0.0", char::from(*class));
        }
    }
    if find(text, TOO_LONG).is_some() {
        return String::from("4.4.7");
    }
    String::from("5.0.0")
}

/// Reads `class.subject.detail` at the start of `text` (RFC 3463 §2).
fn code(text: &[u8]) -> Option<String> {
    let end = text.iter().position(|b| !b.is_ascii_digit() && *b != b'.');
    let code = text.get(..end.unwrap_or(text.len()))?;
    let mut parts = code.split(|&b| b == b'.');
    let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |part: &[u8]| (1..=3).contains(&part.len());
    let fits = matches!(class, b"4" | b"5") && number(subject) && number(detail);
    let alone = parts.next().is_none();
    (fits && alone).then(|| String::from_utf8_lossy(code).into_owned())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}
