//! Passwords as crypt(3) strings: what is written (`$6$`) and what is verified (crypt(5), vchkpw(8)).
//!
//! Verification recomputes the string and compares it in constant time, as
//! `crypt(password, stored) == stored` does. Nothing here logs, prints or keeps a password.
//! All of it costs milliseconds of computation: never call it where an event loop waits.

mod itoa64;
mod md5;
mod sha;

use subtle::ConstantTimeEq;

/// The longest password that is hashed; crypt(3) of libxcrypt has the same bound, and the cost of
/// SHA-crypt grows with the square of the length.
pub const MAX_PASSWORD: usize = 512;

/// The longest crypt string that is looked at; vpasswd itself holds 128 bytes.
pub const MAX_HASH: usize = 256;

/// How often a new `$6$` string is hashed over.
///
/// Ten times `5000`, crypt's own default, which is from 2007. The string with its `rounds=` still
/// fits the 128 bytes that vpasswd has for it.
pub const DEFAULT_ROUNDS: u32 = 50_000;

/// More rounds than this in a stored string are refused, so that one login cannot hold a thread
/// for minutes.
pub const MAX_ROUNDS: u32 = 5_000_000;

/// A bcrypt cost above this in a stored string is refused for the same reason.
pub const MAX_BCRYPT_COST: u32 = 16;

/// Sixteen random bytes for one new hash; the caller's randomness, used once.
#[derive(Clone, Copy)]
pub struct Salt([u8; 16]);

impl Salt {
    /// Takes sixteen random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(..)")
    }
}

/// A password that cannot be hashed: the caller's fault, and trying later does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// It is empty.
    #[error("a password of at least one character was expected")]
    Empty,
    /// It is longer than [`MAX_PASSWORD`].
    #[error("a password of at most {MAX_PASSWORD} bytes was expected")]
    TooLong,
    /// It holds a NUL, where crypt(3) would end it.
    #[error("a password without NUL bytes was expected")]
    Nul,
}

/// A stored string that cannot be verified: the account file's fault, permanent until it is edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// A scheme that is not known here. Only the scheme's name is told, never the hash.
    #[error(
        "the stored password is in the scheme `{0}`, but $6$, $5$, $2a$, $2b$, $2y$ or $1$ was expected"
    )]
    Scheme(String),
    /// A known scheme whose string is damaged or asks for too much work.
    #[error("the stored password is a damaged or too costly {0} string")]
    Damaged(&'static str),
    /// The account has no password, so nothing can match it (vchkpw exit 15).
    #[error("the account has no password")]
    NoPassword,
}

/// Hashes a new password as `$6$`, which crypt(3) of every libc verifies.
///
/// # Errors
/// Fails where the password is empty, too long or holds a NUL.
///
/// ```
/// use mta_auth::password::{hash_with_rounds, verify, Salt};
/// let stored = hash_with_rounds(b"correct horse", Salt::from_random([7; 16]), 5000).unwrap();
/// assert!(stored.starts_with("$6$"));
/// assert_eq!(verify(b"correct horse", stored.as_bytes()), Ok(true));
/// assert_eq!(verify(b"wrong horse", stored.as_bytes()), Ok(false));
/// ```
pub fn hash(password: &[u8], salt: Salt) -> Result<String, PasswordError> {
    hash_with_rounds(password, salt, DEFAULT_ROUNDS)
}

/// Hashes as [`hash`] with a number of rounds of the caller's choice, clipped to 1000…[`MAX_ROUNDS`].
///
/// # Errors
/// Fails as [`hash`] does.
pub fn hash_with_rounds(password: &[u8], salt: Salt, rounds: u32) -> Result<String, PasswordError> {
    check(password)?;
    let rounds = rounds.clamp(sha::MIN_ROUNDS, MAX_ROUNDS);
    let salt: String = salt.0.iter().map(|&b| itoa64::letter(b.into())).collect();
    let digest = sha::sha512(password, salt.as_bytes(), rounds);
    Ok(if rounds == sha::IMPLIED_ROUNDS {
        format!("$6${salt}${digest}")
    } else {
        format!("$6$rounds={rounds}${salt}${digest}")
    })
}

/// Tells whether `password` belongs to the crypt string `stored`.
///
/// A password that could never have been hashed is simply wrong.
///
/// # Errors
/// Fails where the stored string is empty, damaged or in a scheme that is not known here.
pub fn verify(password: &[u8], stored: &[u8]) -> Result<bool, HashError> {
    if stored.is_empty() {
        return Err(HashError::NoPassword);
    }
    let scheme = scheme_of(stored);
    if stored.len() > MAX_HASH {
        return Err(HashError::Damaged("crypt"));
    }
    let computed = match scheme {
        "$6$" => sha::recompute(password, stored, sha::Kind::Sha512).ok_or("$6$"),
        "$5$" => sha::recompute(password, stored, sha::Kind::Sha256).ok_or("$5$"),
        "$1$" => md5::recompute(password, stored).ok_or("$1$"),
        "$2a$" | "$2b$" | "$2y$" => recompute_bcrypt(password, stored).ok_or("$2"),
        other => return Err(HashError::Scheme(other.to_owned())),
    };
    let computed = computed.map_err(HashError::Damaged)?;
    let equal: bool = computed.as_bytes().ct_eq(stored).into();
    Ok(equal && check(password).is_ok())
}

/// Spends the time of one [`verify`] of a new hash, for a name that does not exist, so that the
/// time of an answer does not tell which names do.
pub fn verify_nobody(password: &[u8]) {
    let password = if check(password).is_ok() {
        password
    } else {
        b"x"
    };
    std::hint::black_box(sha::sha512(password, b"................", DEFAULT_ROUNDS));
}

/// Tells whether a string has the form of a DES crypt string, which other programs verify.
pub(crate) fn looks_like_des(stored: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/');
    stored.len() == 13 && stored.bytes().all(letter)
}

fn check(password: &[u8]) -> Result<(), PasswordError> {
    if password.is_empty() {
        Err(PasswordError::Empty)
    } else if password.len() > MAX_PASSWORD {
        Err(PasswordError::TooLong)
    } else if password.contains(&0) {
        Err(PasswordError::Nul)
    } else {
        Ok(())
    }
}

/// The scheme's name in front of a crypt string, or a word for the forms that have none.
fn scheme_of(stored: &[u8]) -> &str {
    let Some(rest) = stored.strip_prefix(b"$") else {
        return if stored.len() == 13 { "DES" } else { "unknown" };
    };
    let end = rest.iter().take(12).position(|&b| b == b'$');
    let name = end.and_then(|end| stored.get(..end.saturating_add(2)));
    match name.map(std::str::from_utf8) {
        Some(Ok(name)) if name.bytes().all(|b| b.is_ascii_graphic()) => name,
        _ => "unknown",
    }
}

/// `$2y$` COST `$` 22 letters of salt and 31 of hash (crypt(5)). The salt's last letter carries
/// four unused bits, so it is copied instead of being encoded anew.
fn recompute_bcrypt(password: &[u8], stored: &[u8]) -> Option<String> {
    use bcrypt_letters::{decode_salt, encode_hash};
    if stored.len() != 60 || stored.get(6) != Some(&b'$') {
        return None;
    }
    let cost: u32 = std::str::from_utf8(stored.get(4..6)?).ok()?.parse().ok()?;
    if !(4..=MAX_BCRYPT_COST).contains(&cost) {
        return None;
    }
    let head = std::str::from_utf8(stored.get(..29)?).ok()?;
    let salt = decode_salt(stored.get(7..29)?)?;
    let mut key = [0_u8; 72];
    let used = password.len().min(72);
    key.get_mut(..used)?.copy_from_slice(password.get(..used)?);
    let out = bcrypt::bcrypt(cost, salt, key.get(..used.saturating_add(1).min(72))?);
    Some(format!("{head}{}", encode_hash(out.get(..23)?)))
}

/// bcrypt's own order of the 64 letters, most significant bits first.
mod bcrypt_letters {
    const LETTERS: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    pub(super) fn decode_salt(text: &[u8]) -> Option<[u8; 16]> {
        let mut out = [0_u8; 16];
        let mut bits = 0_u32;
        let mut have = 0_u32;
        let mut slots = out.iter_mut();
        for letter in text {
            let value = LETTERS.iter().position(|l| l == letter)?;
            bits = (bits << 6 | u32::try_from(value).ok()?) & 0xffff;
            have += 6;
            if have >= 8 {
                have -= 8;
                if let Some(slot) = slots.next() {
                    *slot = u8::try_from(bits >> have & 0xff).ok()?;
                }
            }
        }
        slots.next().is_none().then_some(out)
    }

    pub(super) fn encode_hash(bytes: &[u8]) -> String {
        let mut out = String::with_capacity(31);
        let mut bits = 0_u32;
        let mut have = 0_u32;
        let letter =
            |value: u32| char::from(LETTERS.get(value as usize & 63).copied().unwrap_or(b'.'));
        for &byte in bytes {
            bits = (bits << 8 | u32::from(byte)) & 0xffff;
            have += 8;
            while have >= 6 {
                have -= 6;
                out.push(letter(bits >> have));
            }
        }
        if have > 0 {
            out.push(letter(bits << (6 - have)));
        }
        out
    }
}
