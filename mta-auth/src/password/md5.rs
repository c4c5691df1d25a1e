//! MD5-crypt strings, `$1$`: what vpopmail wrote for fifteen years (crypt(5)). Verified only.

use super::itoa64;
use md5::{Digest, Md5};

const MAX_SALT: usize = 8;

/// Computes what crypt(3) would return for the salt in `stored`; `None` where it is damaged.
pub(super) fn recompute(password: &[u8], stored: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(stored).ok()?;
    let (salt, digest) = text.strip_prefix("$1$")?.split_once('$')?;
    if salt.len() > MAX_SALT || digest.contains('$') {
        return None;
    }
    Some(format!("$1${salt}${}", crypt(password, salt.as_bytes())))
}

/// The 22 letters of the digest.
fn crypt(password: &[u8], salt: &[u8]) -> String {
    let inner = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize();
    let mut first = Md5::new()
        .chain_update(password)
        .chain_update(b"$1$")
        .chain_update(salt);
    let repeated: Vec<u8> = inner.iter().copied().cycle().take(password.len()).collect();
    first.update(&repeated);
    // Each bit of the length adds a NUL or the first byte of the password: a slip of the first
    // implementation which became the definition.
    let mut length = password.len();
    while length != 0 {
        let first_byte = password.get(..1).unwrap_or_default();
        first.update(if length & 1 == 1 { b"\0" } else { first_byte });
        length >>= 1;
    }
    let mut digest = first.finalize();
    for round in 0..1000_u32 {
        let mut next = Md5::new();
        let odd = round & 1 == 1;
        next.update(if odd { password } else { digest.as_slice() });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if odd { digest.as_slice() } else { password });
        digest = next.finalize();
    }
    let mut out = String::with_capacity(22);
    for indices in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        itoa64::push(&mut out, &digest, &indices, 4);
    }
    itoa64::push(&mut out, &digest, &[11], 2);
    out
}
