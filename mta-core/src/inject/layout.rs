//! Writes the tokens of a field as lines again (spec §11.3: commas, folding).

use super::token::{Kind, Token};

/// Items of a list are joined to one line while it holds no more than this many bytes, its last
/// comma among them.
const LINE: usize = 78;

/// Writes a field with its final LF. Lines are broken behind commas only.
pub(super) fn field(name: &[u8], tokens: &[Token]) -> Vec<u8> {
    let mut out = name.to_vec();
    out.push(b':');
    let mut column = out.len();
    let mut first = true;
    for item in tokens.split_inclusive(|token| token.kind == Kind::Comma) {
        let text = text(item);
        if first || column + 1 + text.len() <= LINE {
            out.push(b' ');
            column += 1 + text.len();
        } else {
            out.extend_from_slice(b"\n  ");
            column = 2 + text.len();
        }
        out.extend_from_slice(&text);
        first = false;
    }
    out.push(b'\n');
    out
}

/// Writes tokens side by side, with blanks where they would run together or stood before.
fn text(tokens: &[Token]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut before: Option<Kind> = None;
    for token in tokens {
        if before.is_some_and(|kind| token.spaced || needs_blank(kind, token.kind)) {
            out.push(b' ');
        }
        match token.kind {
            Kind::Atom => out.extend_from_slice(&token.text),
            Kind::Quote => enclosed(&mut out, b'"', &token.text, b'"'),
            Kind::Literal => enclosed(&mut out, b'[', &token.text, b']'),
            Kind::Comment => {
                out.push(b'(');
                out.extend_from_slice(&token.text);
                out.push(b')');
            }
            Kind::At => out.push(b'@'),
            Kind::Dot => out.push(b'.'),
            Kind::Comma => out.push(b','),
            Kind::Colon => out.push(b':'),
            Kind::Semicolon => out.push(b';'),
            Kind::Left => out.push(b'<'),
            Kind::Right => out.push(b'>'),
        }
        before = Some(token.kind);
    }
    out
}

fn enclosed(out: &mut Vec<u8>, open: u8, text: &[u8], close: u8) {
    out.push(open);
    for &byte in text {
        if byte == open || byte == close || byte == b'\\' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(close);
}

const fn needs_blank(before: Kind, kind: Kind) -> bool {
    if matches!(before, Kind::Colon) || matches!(kind, Kind::Left) {
        return true;
    }
    is_word(before) && is_word(kind)
}

const fn is_word(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Atom | Kind::Quote | Kind::Literal | Kind::Comment
    )
}

/// Takes the quoting off an address: its form in an envelope. Comments are left out.
pub(super) fn unquoted(address: &[Token]) -> Vec<u8> {
    let mut out = Vec::new();
    for token in address {
        match token.kind {
            Kind::Literal => {
                out.push(b'[');
                out.extend_from_slice(&token.text);
                out.push(b']');
            }
            Kind::Comment => {}
            Kind::Atom | Kind::Quote => out.extend_from_slice(&token.text),
            _ => out.extend_from_slice(&text(std::slice::from_ref(token))),
        }
    }
    out
}
