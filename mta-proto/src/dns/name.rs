//! Host names between text and wire form (RFC 1035 §2.3, RFC 5890).

use hickory_proto::rr::Name;

/// Makes the wire form of a name without or with its trailing dot; `None` where no such name can
/// exist. Names beyond ASCII become A-labels.
pub(super) fn from_text(text: &str) -> Option<Name> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() {
        return None;
    }
    let mut name = if text.is_ascii() {
        Name::from_labels(text.split('.').map(str::as_bytes)).ok()?
    } else {
        Name::from_utf8(text).ok()?
    };
    name.set_fqdn(true);
    (name.len() <= 255).then_some(name)
}

/// Returns a name in lower case without its trailing dot, empty for the root; `None` where a label
/// holds anything but letters, digits, `-` and `_`, because no host can bear it.
pub(super) fn to_text(name: &Name) -> Option<String> {
    let mut text = String::new();
    for label in name.iter() {
        if !text.is_empty() {
            text.push('.');
        }
        for &byte in label {
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
                return None;
            }
            text.push(char::from(byte.to_ascii_lowercase()));
        }
    }
    Some(text)
}
