//! Writes an address with its local part quoted where it must be (RFC 5321 §4.1.2, spec §7.3).

use super::Address;

pub(super) fn quoted(address: &Address) -> Vec<u8> {
    let Some(domain) = address.domain() else {
        return address.as_bytes().to_vec();
    };
    let local = address.local();
    let mut out = Vec::with_capacity(address.as_bytes().len() + 2);
    if needs_quotes(local) {
        out.push(b'"');
        for &byte in local {
            if matches!(byte, b'\r' | b'\n' | b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
    } else {
        out.extend_from_slice(local);
    }
    out.push(b'@');
    out.extend_from_slice(domain);
    out
}

fn needs_quotes(local: &[u8]) -> bool {
    let dots = local.split(|&b| b == b'.').any(<[u8]>::is_empty);
    let special = |b: u8| b <= b' ' || b == 0x7f || b"\"(),:;<>@[\\]".contains(&b);
    dots || local.iter().any(|&b| special(b)) || std::str::from_utf8(local).is_err()
}
