//! Passwords as crypt(3) strings: what is written and what is verified (crypt(5), vchkpw(8)).
//!
//! Verification recomputes the string and compares it in constant time, as
//! `crypt(password, stored) == stored` does, in every scheme of [`Scheme`]. New strings follow a
//! [`Recipe`]. Nothing here logs, prints or keeps a password. All of it costs milliseconds of
//! computation and some of it megabytes: never call it where an event loop waits, and bound how
//! many run at once.

mod argon2_form;
mod bcrypt_form;
mod des;
mod des_tables;
mod itoa64;
mod md5;
mod recipe;
mod scheme;
mod sha;
mod yescrypt_form;

pub use recipe::{Recipe, needs_rehash};
pub use scheme::Scheme;

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

/// More encryptions than this in BSDi's form are refused for the same reason.
pub const MAX_BSDI_COUNT: u32 = 500_000;

/// The most memory of one yescrypt string in bytes; Debian's default takes 16 MiB.
pub const MAX_YESCRYPT_BYTES: u64 = 256 * 1024 * 1024;

/// yescrypt's extra time; Debian's default has none.
pub const MAX_YESCRYPT_TIME: u32 = 4;

/// The most memory of one Argon2 string in KiB.
pub const MAX_ARGON2_MEMORY: u32 = 256 * 1024;

/// The most work of one Argon2 string: KiB of memory times passes.
pub const MAX_ARGON2_WORK: u64 = 2 * 1024 * 1024;

/// The most lanes of one Argon2 string.
pub const MAX_ARGON2_LANES: u32 = 16;

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
    /// It is longer than [`MAX_PASSWORD`], or than the 72 bytes of bcrypt.
    #[error("a password of at most {MAX_PASSWORD} bytes (72 for bcrypt) was expected")]
    TooLong,
    /// It holds a NUL, where crypt(3) would end it.
    #[error("a password without NUL bytes was expected")]
    Nul,
    /// The recipe asks for work outside the bounds of this module.
    #[error("a recipe within the bounds of memory and passes was expected")]
    Recipe,
}

/// A stored string that cannot be verified: the account file's fault, permanent until it is edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// A scheme that is not known here. Only the scheme's name is told, never the hash.
    #[error(
        "the stored password is in the scheme `{0}`, but DES, $1$, $2a$, $2b$, $2y$, $5$, $6$, $y$ or $argon2id$ was expected"
    )]
    Scheme(String),
    /// A known scheme whose string is damaged or asks for too much work.
    #[error("the stored password is a damaged or too costly {0} string")]
    Damaged(&'static str),
    /// The account has no password, so nothing can match it (vchkpw exit 15).
    #[error("the account has no password")]
    NoPassword,
}

/// Hashes a new password by the default [`Recipe`]: `$6$`, which crypt(3) of every libc verifies.
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
    Recipe::SHA512.hash(password, salt)
}

/// Hashes as [`hash`] with a number of rounds of the caller's choice, clipped to 1000…[`MAX_ROUNDS`].
///
/// # Errors
/// Fails as [`hash`] does.
pub fn hash_with_rounds(password: &[u8], salt: Salt, rounds: u32) -> Result<String, PasswordError> {
    Recipe::Sha512 { rounds }.hash(password, salt)
}

/// Tells whether `password` belongs to the crypt string `stored`.
///
/// A password that could never have been hashed is simply wrong.
///
/// # Errors
/// Fails where the stored string is empty, damaged, too costly or in a scheme that is not known
/// here.
pub fn verify(password: &[u8], stored: &[u8]) -> Result<bool, HashError> {
    let computed = recipe::recompute(password, stored)?;
    let equal: bool = computed.as_bytes().ct_eq(stored).into();
    Ok(equal && check(password).is_ok())
}

/// Spends the time of one [`verify`] of a new hash, for a name that does not exist, so that the
/// time of an answer does not tell which names do.
pub fn verify_nobody(password: &[u8]) {
    verify_nobody_by(password, &Recipe::SHA512);
}

/// Spends the time of one [`verify`] of a string of `recipe`.
pub fn verify_nobody_by(password: &[u8], recipe: &Recipe) {
    let password = if check(password).is_ok() {
        password
    } else {
        b"x"
    };
    let _ = std::hint::black_box(recipe.hash(password, Salt([0; 16])));
}

/// Tells whether a string has the form of a DES crypt string.
pub(crate) fn looks_like_des(stored: &str) -> bool {
    matches!(
        Scheme::of(stored.as_bytes()),
        Ok(Scheme::Des | Scheme::BsdiDes)
    )
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
