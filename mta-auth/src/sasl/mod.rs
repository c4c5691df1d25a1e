//! SASL as step functions for both roles: bytes in, the next challenge, question or outcome out (RFC 4422).
//!
//! ```text
//! client                 protocol machine            Exchange              accounts
//! AUTH PLAIN resp  ──►  hands resp over     ──►  Ask(Password)     ──►  right or wrong?
//! 235              ◄──  says what it is told ◄──  Done(Accepted)    ◄──  Answer::Right
//! ```
//! Nothing here knows how a protocol carries the bytes (base64, 334, `+`), and nothing here looks
//! an account up: an [`Exchange`] asks, its owner answers. Nonces, channel bindings and the key of
//! pretended accounts are arguments. PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login),
//! CRAM-MD5 (RFC 2195), SCRAM-SHA-256 and -PLUS (RFC 5802, RFC 7677, RFC 9266).

mod client;
mod cram_md5;
mod exchange;
mod mechanism;
mod plain;
mod scram;
mod secret;

pub use client::{Client, ClientError, Credentials};
pub use cram_md5::{apop_digest, cram_md5_digest, digests_equal};
pub use exchange::{Answer, Exchange, Exchanged, Question, Reason, Start, Step};
pub use mechanism::{Channel, Circumstances, Mechanism, Origin, Stored, WithoutTls, offered};
pub use scram::{
    ChannelBinding, DEFAULT_ITERATIONS, MAX_ITERATIONS, MIN_ITERATIONS, ScramKeys, ScramKeysError,
};
pub use secret::Secret;

/// The longest response or challenge that is looked at, decoded; RFC 4954 §4 lets a line carry
/// three quarters of 12,288 octets, no mechanism here needs a quarter of that.
pub const MAX_MESSAGE: usize = 4096;

/// The longest name that somebody logs in with.
pub const MAX_NAME: usize = 512;

/// Random bytes for one exchange: the caller's randomness, used once.
#[derive(Clone, Copy)]
pub struct Fresh([u8; 18]);

impl Fresh {
    /// Takes eighteen random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; 18]) -> Self {
        Self(bytes)
    }

    /// As printable text without comma.
    fn text(self) -> String {
        use base64ct::{Base64, Encoding as _};
        Base64::encode_string(&self.0)
    }
}

impl std::fmt::Debug for Fresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fresh(..)")
    }
}
