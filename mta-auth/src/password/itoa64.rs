//! The 64 letters of crypt(3) and their order of bits: least significant first (crypt(5)).

const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Returns the letter for the lowest six bits.
pub(super) fn letter(value: u32) -> char {
    char::from(LETTERS.get(value as usize & 63).copied().unwrap_or(b'.'))
}

/// Returns the six bits of a letter.
pub(super) fn value(letter: u8) -> Option<u32> {
    let at = LETTERS.iter().position(|&l| l == letter)?;
    u32::try_from(at).ok()
}

/// Reads up to ten letters as one number, the first the least significant.
pub(super) fn number(letters: &[u8]) -> Option<u64> {
    if letters.len() > 10 {
        return None;
    }
    letters.iter().rev().try_fold(0_u64, |number, &letter| {
        Some(number << 6 | u64::from(value(letter)?))
    })
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

/// Writes whole bytes: each three become four letters, the first byte the least significant.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().saturating_mul(4).div_ceil(3));
    for group in bytes.chunks(3) {
        let indices: &[usize] = match group.len() {
            1 => &[0],
            2 => &[1, 0],
            _ => &[2, 1, 0],
        };
        push(&mut out, group, indices, group.len().saturating_add(1));
    }
    out
}

/// Reads what [`encode`] wrote; `None` where a letter is foreign or the length impossible.
pub(super) fn decode(letters: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(letters.len());
    for group in letters.chunks(4) {
        if group.len() == 1 {
            return None;
        }
        let bytes = number(group)?.to_le_bytes();
        out.extend_from_slice(bytes.get(..group.len().saturating_sub(1))?);
    }
    Some(out)
}
