//! The schemes of crypt strings, told apart by what stands in front (crypt(5)).

use super::HashError;

/// What a stored password was made with; the later in this list, the stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// Thirteen letters without a prefix; only eight characters of the password count.
    Des,
    /// `_`: BSDi's longer form of it.
    BsdiDes,
    /// `$1$`, vpopmail's own for fifteen years.
    Md5,
    /// `$5$`.
    Sha256,
    /// `$6$`.
    Sha512,
    /// `$2a$`, `$2b$`, `$2y$`.
    Bcrypt,
    /// `$y$`.
    Yescrypt,
    /// `$argon2id$`, and `$argon2i$` for verification.
    Argon2,
}

impl Scheme {
    /// Tells the scheme of a stored string from its beginning.
    ///
    /// # Errors
    /// [`HashError::NoPassword`] where it is empty, [`HashError::Scheme`] where it is in none of
    /// these.
    ///
    /// ```
    /// use mta_auth::password::Scheme;
    /// assert_eq!(Scheme::of(b"$1$zBH9xrzu$avSvfiVfbp3E5/TrgB.4m."), Ok(Scheme::Md5));
    /// assert!(Scheme::of(b"$gy$j9T$x$y").is_err());
    /// ```
    pub fn of(stored: &[u8]) -> Result<Self, HashError> {
        let letter = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/');
        match (stored, prefix(stored)) {
            ([], _) => Err(HashError::NoPassword),
            ([b'_', rest @ ..], _) if rest.iter().all(letter) => Ok(Self::BsdiDes),
            (_, Some("$1$")) => Ok(Self::Md5),
            (_, Some("$2a$" | "$2b$" | "$2y$")) => Ok(Self::Bcrypt),
            (_, Some("$5$")) => Ok(Self::Sha256),
            (_, Some("$6$")) => Ok(Self::Sha512),
            (_, Some("$y$")) => Ok(Self::Yescrypt),
            (_, Some("$argon2id$" | "$argon2i$")) => Ok(Self::Argon2),
            (_, Some(other)) => Err(HashError::Scheme(other.to_owned())),
            _ if stored.len() == 13 && stored.iter().all(letter) => Ok(Self::Des),
            _ => Err(HashError::Scheme("unknown".to_owned())),
        }
    }

    /// The scheme as messages name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Des => "DES",
            Self::BsdiDes => "BSDi DES",
            Self::Md5 => "$1$",
            Self::Sha256 => "$5$",
            Self::Sha512 => "$6$",
            Self::Bcrypt => "$2b$",
            Self::Yescrypt => "$y$",
            Self::Argon2 => "$argon2id$",
        }
    }
}

/// `$name$` in front of a string; never more, because the rest is secret.
fn prefix(stored: &[u8]) -> Option<&str> {
    let rest = stored.strip_prefix(b"$")?;
    let end = rest.iter().take(12).position(|&b| b == b'$')?;
    let name = std::str::from_utf8(stored.get(..end.saturating_add(2))?).ok()?;
    name.bytes().all(|b| b.is_ascii_graphic()).then_some(name)
}
