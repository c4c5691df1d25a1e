//! SHA-crypt strings, `$5$` and `$6$` (crypt(5); U. Drepper, Unix crypt using SHA-256 and SHA-512).

use super::{MAX_ROUNDS, itoa64};
use sha_crypt::Params;

/// Fewer rounds are raised to this, as crypt(3) does.
pub(super) const MIN_ROUNDS: u32 = 1000;

/// What a string without `rounds=` means.
const IMPLIED_ROUNDS: u32 = 5000;

const MAX_SALT: usize = 16;

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Sha256,
    Sha512,
}

/// How often a string says that it is hashed over.
pub(super) fn rounds(stored: &[u8]) -> Option<u32> {
    parse(std::str::from_utf8(stored).ok()?).map(|setting| setting.rounds)
}

struct Setting<'a> {
    /// As crypt(3) writes it anew: too few rounds are raised.
    head: String,
    rounds: u32,
    salt: &'a str,
}

fn parse(text: &str) -> Option<Setting<'_>> {
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
    let whole = rounds <= MAX_ROUNDS && salt.len() <= MAX_SALT && !digest.contains('$');
    whole.then_some(Setting { head, rounds, salt })
}

/// Computes what crypt(3) would return for the setting in `stored`; `None` where it is damaged.
pub(super) fn recompute(password: &[u8], stored: &[u8], kind: Kind) -> Option<String> {
    let Setting { head, rounds, salt } = parse(std::str::from_utf8(stored).ok()?)?;
    let computed = match kind {
        Kind::Sha256 => sha256(password, salt.as_bytes(), rounds),
        Kind::Sha512 => sha512(password, salt.as_bytes(), rounds),
    };
    Some(format!("{head}{salt}${computed}"))
}

/// Makes a new `$6$` string.
pub(super) fn make(password: &[u8], salt: [u8; 16], rounds: u32) -> String {
    let rounds = rounds.clamp(MIN_ROUNDS, MAX_ROUNDS);
    let salt: String = salt.iter().map(|&b| itoa64::letter(b.into())).collect();
    let digest = sha512(password, salt.as_bytes(), rounds);
    if rounds == IMPLIED_ROUNDS {
        format!("$6${salt}${digest}")
    } else {
        format!("$6$rounds={rounds}${salt}${digest}")
    }
}

/// The 86 letters of a `$6$` digest.
fn sha512(password: &[u8], salt: &[u8], rounds: u32) -> String {
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
