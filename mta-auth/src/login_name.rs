//! The name that somebody logs in with, or that a tool is given: `user@domain` (vchkpw(8)).

/// A login name in lower case, split into its parts.
///
/// ```
/// use mta_auth::LoginName;
/// let name = LoginName::parse(b"Joe%Example.ORG").unwrap();
/// assert_eq!(name.local(), "joe");
/// assert_eq!(name.domain(), Some("example.org"));
/// assert_eq!(name.to_string(), "joe@example.org");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoginName {
    local: String,
    domain: Option<String>,
}

/// A name that no account can have: the caller's or the peer's fault, permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginNameError {
    /// Nothing stands before the separator.
    #[error("a user name was expected before the @")]
    EmptyUser,
    /// A byte that a user name cannot hold.
    #[error("a user name of ASCII letters, digits and !#$&'*+-./=?^_`{{|}}~ was expected")]
    User,
    /// A byte that a domain cannot hold.
    #[error("a domain of ASCII letters, digits, dots and hyphens was expected")]
    Domain,
    /// User or domain is too long.
    #[error("a user name of at most 64 and a domain of at most 96 bytes was expected")]
    TooLong,
}

impl LoginName {
    /// Splits at the first `@`, else the first `%`, else the first `/`, and folds to lower case.
    ///
    /// # Errors
    /// Fails where user or domain hold other characters than the original tools allow.
    pub fn parse(name: &[u8]) -> Result<Self, LoginNameError> {
        let at = [b'@', b'%', b'/']
            .iter()
            .find_map(|separator| name.iter().position(|b| b == separator));
        let (local, domain) = match at {
            Some(at) => (
                name.get(..at).unwrap_or_default(),
                name.get(at.saturating_add(1)..).unwrap_or_default(),
            ),
            None => (name, &b""[..]),
        };
        if local.is_empty() {
            return Err(LoginNameError::EmptyUser);
        }
        if local.len() > crate::vpasswd::MAX_NAME || domain.len() > crate::domain_name::MAX_LENGTH {
            return Err(LoginNameError::TooLong);
        }
        let local = folded(local, is_user_byte).ok_or(LoginNameError::User)?;
        let domain = folded(domain, is_domain_byte).ok_or(LoginNameError::Domain)?;
        Ok(Self {
            local,
            domain: Some(domain).filter(|domain| !domain.is_empty()),
        })
    }

    /// What stands before the separator, in lower case.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// What stands behind the separator, in lower case; `None` where nothing does.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }
}

impl std::fmt::Display for LoginName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.local)?;
        match &self.domain {
            Some(domain) => write!(f, "@{domain}"),
            None => Ok(()),
        }
    }
}

fn folded(bytes: &[u8], allowed: fn(u8) -> bool) -> Option<String> {
    bytes
        .iter()
        .map(|&b| allowed(b).then(|| char::from(b.to_ascii_lowercase())))
        .collect()
}

const fn is_user_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'/'
                | b'='
                | b'?'
                | b'^'
                | b'_'
                | b'`'
                | b'{'
                | b'|'
                | b'}'
                | b'~'
        )
}

pub(crate) const fn is_domain_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')
}
