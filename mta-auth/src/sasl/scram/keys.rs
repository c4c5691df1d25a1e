//! What a server keeps of a password for SCRAM, and how it is computed (RFC 5802 §3, RFC 5803 §2).

use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The least that RFC 7677 §4 wants.
pub const MIN_ITERATIONS: u32 = 4096;

/// What RFC 7677 §4 calls fitting.
pub const DEFAULT_ITERATIONS: u32 = 15_000;

/// More are refused, as a hostile server or file would cost seconds.
pub const MAX_ITERATIONS: u32 = 1_000_000;

/// The longest salt that is read.
const MAX_SALT: usize = 64;

const SCHEME: &str = "SCRAM-SHA-256$";

pub(super) type Hash = [u8; 32];

/// The keys of one account. Whoever has them can check proofs and play the server, but not log in.
///
/// ```
/// use mta_auth::sasl::ScramKeys;
/// let keys = ScramKeys::derive(b"pencil", b"salt of sixteen.", 4096).unwrap();
/// let text = keys.to_string();
/// assert!(text.starts_with("SCRAM-SHA-256$4096:"));
/// assert_eq!(text.parse(), Ok(keys));
/// ```
#[derive(Clone)]
pub struct ScramKeys {
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
    pub(super) stored: Hash,
    pub(super) server: Hash,
}

/// A text that holds no keys, or a number of iterations out of bounds: whoever wrote it is at
/// fault, and trying later does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected SCRAM-SHA-256$iterations:salt$stored:server with {MIN_ITERATIONS} to {MAX_ITERATIONS} iterations"
)]
pub struct ScramKeysError;

impl ScramKeys {
    /// Derives them from a clear password. Costs milliseconds.
    ///
    /// Unlike RFC 5802 §2.2 a password that is not ASCII is taken as it is, without SASLprep: what
    /// its client sends as UTF-8 counts.
    ///
    /// # Errors
    /// Fails where the iterations or the salt's length are out of bounds.
    pub fn derive(password: &[u8], salt: &[u8], iterations: u32) -> Result<Self, ScramKeysError> {
        let bounded = (MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations);
        if !bounded || salt.is_empty() || salt.len() > MAX_SALT {
            return Err(ScramKeysError);
        }
        let salted = salted(password, salt, iterations);
        Ok(Self {
            salt: salt.to_vec(),
            iterations,
            stored: sha256(&hmac(&salted, &[b"Client Key"])),
            server: hmac(&salted, &[b"Server Key"]),
        })
    }

    /// Makes keys for a name that has none. They are the same each time, so that asking twice does
    /// not tell, and no password belongs to them. `secret` is random and the server's own.
    #[must_use]
    pub fn pretended(secret: &[u8], name: &[u8]) -> Self {
        let name = name.to_ascii_lowercase();
        let mut salt = hmac(secret, &[b"salt\0", &name]).to_vec();
        salt.truncate(16);
        Self {
            salt,
            iterations: DEFAULT_ITERATIONS,
            stored: hmac(secret, &[b"stored\0", &name]),
            server: hmac(secret, &[b"server\0", &name]),
        }
    }

    /// Tells whether a proof belongs to these keys.
    pub(super) fn check(&self, auth_message: &[&[u8]], proof: &[u8]) -> bool {
        let signature = hmac(&self.stored, auth_message);
        let client = xor(&signature, proof);
        let same: bool = sha256(&client).ct_eq(&self.stored).into();
        same && proof.len() == signature.len()
    }
}

impl std::fmt::Display for ScramKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let iterations = self.iterations;
        let [salt, stored, server] =
            [&*self.salt, &self.stored[..], &self.server[..]].map(Base64::encode_string);
        write!(f, "{SCHEME}{iterations}:{salt}${stored}:{server}")
    }
}

impl std::str::FromStr for ScramKeys {
    type Err = ScramKeysError;

    fn from_str(text: &str) -> Result<Self, ScramKeysError> {
        let parse = || {
            let (first, second) = text.strip_prefix(SCHEME)?.split_once('$')?;
            let (iterations, salt) = first.split_once(':')?;
            let (stored, server) = second.split_once(':')?;
            let salt = Base64::decode_vec(salt).ok()?;
            let hash = |text| Hash::try_from(Base64::decode_vec(text).ok()?).ok();
            let iterations: u32 = iterations.parse().ok()?;
            let bounded = (MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations)
                && (1..=MAX_SALT).contains(&salt.len());
            Some(Self {
                salt,
                iterations,
                stored: hash(stored)?,
                server: hash(server)?,
            })
            .filter(|_| bounded)
        };
        parse().ok_or(ScramKeysError)
    }
}

impl PartialEq for ScramKeys {
    fn eq(&self, other: &Self) -> bool {
        let keys = self.stored.ct_eq(&other.stored) & self.server.ct_eq(&other.server);
        bool::from(keys) && self.salt == other.salt && self.iterations == other.iterations
    }
}

impl Eq for ScramKeys {}

impl std::fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScramKeys(..)")
    }
}

pub(super) fn salted(password: &[u8], salt: &[u8], iterations: u32) -> Hash {
    let mut out = Hash::default();
    pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut out);
    out
}

pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> Hash {
    // HMAC takes keys of every length, so there is no failure.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Hash::default();
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

pub(super) fn sha256(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

pub(super) fn xor(hash: &Hash, other: &[u8]) -> Hash {
    let mut out = *hash;
    for (byte, with) in out.iter_mut().zip(other) {
        *byte ^= with;
    }
    out
}
