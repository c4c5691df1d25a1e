//! SHA-crypt strings, `$5$` and `$6$` (crypt(5); U. Drepper, Unix crypt using SHA-256 and SHA-512).

use super::{MAX_PASSWORD, MAX_ROUNDS, itoa64};
use sha_crypt::Params;

/// Fewer rounds are raised to this, as crypt(3) does.
pub(super) const MIN_ROUNDS: u32 = 1000;

/// What a string without `rounds=` means.
pub(super) const IMPLIED_ROUNDS: u32 = 5000;

const MAX_SALT: usize = 16;

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Sha256,
    Sha512,
}

/// Computes what crypt(3) would return for the setting in `stored`; `None` where it is damaged.
pub(super) fn recompute(password: &[u8], stored: &[u8], kind: Kind) -> Option<String> {
    let text = std::str::from_utf8(stored).ok()?;
    let mut rest = text.get(3..)?;
    let mut head = text.get(..3)?.to_owned();
    let mut rounds = IMPLIED_ROUNDS;
    if let Some(after) = rest.strip_prefix("rounds=") {
        let (number, tail) = after.split_once('$')?;
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        rounds = number.parse::<u32>().ok()?.max(MIN_ROUNDS);
        head.push_str(&format!("rounds={rounds}$"));
        rest = tail;
    }
    let (salt, digest) = rest.split_once('$')?;
    if rounds > MAX_ROUNDS || salt.len() > MAX_SALT || digest.contains('$') {
        return None;
    }
    // The cost grows with the square of the password's length.
    let password = password.get(..MAX_PASSWORD).unwrap_or(password);
    let computed = match kind {
        Kind::Sha256 => sha256(password, salt.as_bytes(), rounds),
        Kind::Sha512 => sha512(password, salt.as_bytes(), rounds),
    };
    Some(format!("{head}{salt}${computed}"))
}

/// The 86 letters of a `$6$` digest.
pub(super) fn sha512(password: &[u8], salt: &[u8], rounds: u32) -> String {
    let digest = sha_crypt::sha512_crypt(password, salt, params(rounds));
    let mut out = String::with_capacity(86);
    let (mut a, mut b, mut c) = (0, 21, 42);
    for _ in 0..21 {
        itoa64::push(&mut out, &digest, &[a, b, c], 4);
        (a, b, c) = (b + 1, c + 1, a + 1);
    }
    itoa64::push(&mut out, &digest, &[63], 2);
    out
}

/// The 43 letters of a `$5$` digest.
fn sha256(password: &[u8], salt: &[u8], rounds: u32) -> String {
    let digest = sha_crypt::sha256_crypt(password, salt, params(rounds));
    let mut out = String::with_capacity(43);
    let (mut a, mut b, mut c) = (0, 10, 20);
    for _ in 0..10 {
        itoa64::push(&mut out, &digest, &[a, b, c], 4);
        (a, b, c) = (c + 1, a + 1, b + 1);
    }
    itoa64::push(&mut out, &digest, &[31, 30], 3);
    out
}

fn params(rounds: u32) -> Params {
    Params::new(rounds.clamp(MIN_ROUNDS, MAX_ROUNDS)).unwrap_or_default()
}
