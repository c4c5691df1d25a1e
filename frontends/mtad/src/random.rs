//! Random bytes from the system, and passwords made of them.

use std::fs::File;
use std::io::{self, Read};

/// The letters of made-up passwords: none looks like another.
const LETTERS: &[u8; 56] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// How many letters a made-up password has: 16 times 5.8 bits.
const LENGTH: usize = 16;

/// Reads `N` random bytes from the system.
///
/// # Errors
/// Fails where /dev/urandom cannot be read.
pub(crate) fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut out = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut out)?;
    Ok(out)
}

/// Makes up a password.
///
/// # Errors
/// Fails where no random bytes are to be had.
pub(crate) fn password() -> io::Result<String> {
    let mut out = String::with_capacity(LENGTH);
    while out.len() < LENGTH {
        for byte in bytes::<32>()? {
            // Bytes beyond the last whole multiple would favour the first letters.
            let fair = usize::from(byte) < 256 - 256 % LETTERS.len();
            if let Some(&letter) = LETTERS.get(usize::from(byte) % LETTERS.len())
                && fair
                && out.len() < LENGTH
            {
                out.push(char::from(letter));
            }
        }
    }
    Ok(out)
}
