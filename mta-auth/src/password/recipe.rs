//! How new passwords are written, and when an old string should be replaced (crypt(5), RFC 9106 §4).

use super::argon2_form::{self, Work};
use super::{
    DEFAULT_ROUNDS, HashError, MAX_BCRYPT_COST, MAX_ROUNDS, PasswordError, Salt, Scheme,
    bcrypt_form, check, sha, yescrypt_form,
};

/// The scheme of new strings and how much work they cost.
///
/// ```
/// use mta_auth::password::{Recipe, Salt, needs_rehash, verify};
/// let stored = Recipe::ARGON2ID.hash(b"correct horse", Salt::from_random([7; 16])).unwrap();
/// assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
/// assert_eq!(verify(b"correct horse", stored.as_bytes()), Ok(true));
/// assert!(!needs_rehash(stored.as_bytes(), &Recipe::ARGON2ID));
/// assert!(needs_rehash(b"$1$zBH9xrzu$avSvfiVfbp3E5/TrgB.4m.", &Recipe::SHA512));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recipe {
    /// `$6$`, which crypt(3) of every libc and so the original programs verify.
    Sha512 {
        /// How often it is hashed over, clipped to 1000…[`MAX_ROUNDS`].
        rounds: u32,
    },
    /// `$2b$`, for passwords of up to 72 bytes.
    Bcrypt {
        /// The logarithm of the rounds, clipped to 4…[`MAX_BCRYPT_COST`].
        cost: u32,
    },
    /// `$y$` with Debian's parameters; libxcrypt verifies it, other libcs do not.
    Yescrypt,
    /// `$argon2id$`, which no libc verifies.
    Argon2id {
        /// KiB of memory, at most [`super::MAX_ARGON2_MEMORY`].
        memory: u32,
        /// Passes over it.
        passes: u32,
        /// Lanes, at most [`super::MAX_ARGON2_LANES`].
        lanes: u32,
    },
}

impl Default for Recipe {
    fn default() -> Self {
        Self::SHA512
    }
}

impl Recipe {
    /// `$6$` with [`DEFAULT_ROUNDS`]: the default, because the original programs read it.
    pub const SHA512: Self = Self::Sha512 {
        rounds: DEFAULT_ROUNDS,
    };
    /// `$2b$` with cost 11.
    pub const BCRYPT: Self = Self::Bcrypt { cost: 11 };
    /// 19 MiB, two passes, one lane.
    pub const ARGON2ID: Self = Self::Argon2id {
        memory: 19_456,
        passes: 2,
        lanes: 1,
    };

    /// Finds a recipe by the name that settings have for it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "sha512" => Some(Self::SHA512),
            "bcrypt" => Some(Self::BCRYPT),
            "yescrypt" => Some(Self::Yescrypt),
            "argon2id" => Some(Self::ARGON2ID),
            _ => None,
        }
    }

    /// The scheme of its strings.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        match self {
            Self::Sha512 { .. } => Scheme::Sha512,
            Self::Bcrypt { .. } => Scheme::Bcrypt,
            Self::Yescrypt => Scheme::Yescrypt,
            Self::Argon2id { .. } => Scheme::Argon2,
        }
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// Fails where the password is empty, holds a NUL or is longer than the scheme looks at, and
    /// where the recipe asks for work outside the bounds of this module.
    pub fn hash(&self, password: &[u8], salt: Salt) -> Result<String, PasswordError> {
        check(password)?;
        let made = match *self {
            Self::Sha512 { rounds } => Some(sha::make(password, salt.0, rounds)),
            Self::Bcrypt { .. } if password.len() > bcrypt_form::MAX_KEY => {
                return Err(PasswordError::TooLong);
            }
            Self::Bcrypt { cost } => {
                bcrypt_form::make(password, cost.clamp(4, MAX_BCRYPT_COST), salt.0)
            }
            Self::Yescrypt => yescrypt_form::make(password, salt.0),
            Self::Argon2id {
                memory,
                passes,
                lanes,
            } => {
                let work = Work {
                    memory,
                    passes,
                    lanes,
                };
                let bounded = work.is_bounded();
                bounded
                    .then(|| argon2_form::make(password, work, salt.0))
                    .flatten()
            }
        };
        made.ok_or(PasswordError::Recipe)
    }
}

/// Tells whether a string that just verified should be replaced by one of `recipe`: where its
/// scheme is weaker, or the same with less work.
///
/// A stronger scheme than the recipe's is left alone, and so is a string that cannot be read.
#[must_use]
pub fn needs_rehash(stored: &[u8], recipe: &Recipe) -> bool {
    let Ok(scheme) = Scheme::of(stored) else {
        return false;
    };
    if scheme != recipe.scheme() {
        return scheme < recipe.scheme();
    }
    let weaker = match *recipe {
        Recipe::Sha512 { rounds } => {
            let wanted = rounds.clamp(sha::MIN_ROUNDS, MAX_ROUNDS);
            sha::rounds(stored).map(|rounds| rounds < wanted)
        }
        Recipe::Bcrypt { cost: wanted } => {
            bcrypt_form::cost(stored).map(|cost| cost < wanted.min(MAX_BCRYPT_COST))
        }
        Recipe::Yescrypt => yescrypt_form::fields(stored)
            .and_then(|[field, ..]| yescrypt_form::Work::parse(field))
            .map(|work| !work.is_usual_or_more()),
        Recipe::Argon2id { memory, passes, .. } => argon2_form::work(stored).map(|work| {
            let (memory, passes) = (u64::from(memory), u64::from(passes));
            let done = u64::from(work.memory).saturating_mul(u64::from(work.passes));
            stored.starts_with(b"$argon2i$") || done < memory.saturating_mul(passes)
        }),
    };
    weaker.unwrap_or(false)
}

/// Computes the string that `password` would have with the setting in `stored`.
pub(super) fn recompute(password: &[u8], stored: &[u8]) -> Result<String, HashError> {
    let scheme = Scheme::of(stored)?;
    if stored.len() > super::MAX_HASH {
        return Err(HashError::Damaged(scheme.name()));
    }
    // Every scheme's cost grows with the length; a longer one was never hashed.
    let password = password.get(..super::MAX_PASSWORD).unwrap_or(password);
    let computed = match scheme {
        Scheme::Des => super::des::recompute(password, stored),
        Scheme::BsdiDes => super::des::recompute_bsdi(password, stored),
        Scheme::Md5 => super::md5::recompute(password, stored),
        Scheme::Sha256 => sha::recompute(password, stored, sha::Kind::Sha256),
        Scheme::Sha512 => sha::recompute(password, stored, sha::Kind::Sha512),
        Scheme::Bcrypt => bcrypt_form::recompute(password, stored),
        Scheme::Yescrypt => yescrypt_form::recompute(password, stored),
        Scheme::Argon2 => argon2_form::recompute(password, stored),
    };
    computed.ok_or_else(|| HashError::Damaged(scheme.name()))
}
