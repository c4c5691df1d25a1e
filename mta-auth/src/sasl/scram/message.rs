//! The messages of SCRAM and their attributes (RFC 5802 §5.1, §7).

/// Splits at the next comma.
pub(super) fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(',') {
        Some((first, rest)) => (first, Some(rest)),
        None => (text, None),
    }
}

/// The value of `letter=value` at the beginning, and what stands behind its comma.
pub(super) fn attribute(text: &str, letter: char) -> Option<(&str, &str)> {
    let (first, rest) = split(text);
    let value = first.strip_prefix(letter)?.strip_prefix('=')?;
    Some((value, rest.unwrap_or_default()))
}

/// Reads `=2C` and `=3D` back; any other `=` is an error.
pub(super) fn name(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut pieces = text.split('=');
    out.push_str(pieces.next()?);
    for piece in pieces {
        let (letter, rest) = if let Some(rest) = piece.strip_prefix("2C") {
            (',', rest)
        } else {
            ('=', piece.strip_prefix("3D")?)
        };
        out.push(letter);
        out.push_str(rest);
    }
    Some(out)
}

/// Writes a name so that it stands within an attribute.
pub(super) fn quoted(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// `printable = %x21-2B / %x2D-7E`: what a nonce is made of.
pub(super) fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b',')
}
