//! The 64 letters of crypt(3) and their order of bits: least significant first (crypt(5)).

const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Returns the letter for the lowest six bits.
pub(super) fn letter(value: u32) -> char {
    char::from(LETTERS.get(value as usize & 63).copied().unwrap_or(b'.'))
}

/// Appends `letters` letters for up to three bytes of `digest` named by index, highest first.
pub(super) fn push(out: &mut String, digest: &[u8], indices: &[usize], letters: usize) {
    let mut value = indices.iter().fold(0_u32, |value, &at| {
        value << 8 | u32::from(digest.get(at).copied().unwrap_or(0))
    });
    for _ in 0..letters {
        out.push(letter(value));
        value >>= 6;
    }
}
