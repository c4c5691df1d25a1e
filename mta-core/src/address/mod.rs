//! An envelope address as qmail keeps it: unquoted bytes, split at the last `@` (addresses(5)).

pub mod grammar;
pub mod literal;
mod quote;

pub use grammar::{BadAddress, MAX_ADDRESS};

use std::fmt;

/// An envelope address in qmail's internal form: the local part without quoting, `@`, the domain.
///
/// It is a byte string without NUL. The empty address is the null reverse-path `<>`. An address
/// without `@` is legal in the queue and is completed with control/envnoathost later.
///
/// ```
/// use mta_core::Address;
/// let a = Address::new(b"joe@home@example.org".to_vec()).unwrap();
/// assert_eq!(a.local(), b"joe@home");
/// assert_eq!(a.domain(), Some(&b"example.org"[..]));
/// assert!(Address::null().is_null());
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Box<[u8]>);

/// The bytes hold a NUL, which no queue file can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address cannot hold a NUL byte (found at byte {at})")]
pub struct NulInAddress {
    /// Where the first NUL stands.
    pub at: usize,
}

impl Address {
    /// Takes an address in internal form.
    ///
    /// # Errors
    /// Fails where the bytes hold a NUL.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, NulInAddress> {
        let bytes = bytes.into();
        match bytes.iter().position(|&b| b == 0) {
            Some(at) => Err(NulInAddress { at }),
            None => Ok(Self(bytes.into_boxed_slice())),
        }
    }

    /// The null reverse-path `<>`, which every bounce carries (RFC 5321 §4.5.5).
    #[must_use]
    pub fn null() -> Self {
        Self::default()
    }

    /// Tells whether this is the null reverse-path.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the whole address.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns what stands before the last `@`, or everything where there is none.
    #[must_use]
    pub fn local(&self) -> &[u8] {
        self.split().0
    }

    /// Returns what stands behind the last `@`.
    #[must_use]
    pub fn domain(&self) -> Option<&[u8]> {
        self.split().1
    }

    /// Tells whether the address can only travel under SMTPUTF8 (RFC 6531 §3.3).
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.0.is_ascii()
    }

    /// Returns the address as SMTP and headers write it, the local part quoted where it must be.
    ///
    /// An address without `@` is written raw, as qmail does. Unlike qmail, letters beyond ASCII
    /// alone are no reason to quote (RFC 6531 §3.3). What comes out may hold a control byte where
    /// the address does; header writers replace those.
    ///
    /// ```
    /// use mta_core::Address;
    /// let written = |a: &str| String::from_utf8(Address::new(a).unwrap().to_quoted()).unwrap();
    /// assert_eq!(written("joe@example.org"), "joe@example.org");
    /// assert_eq!(written("a b@c@example.org"), r#""a b@c"@example.org"#);
    /// ```
    #[must_use]
    pub fn to_quoted(&self) -> Vec<u8> {
        quote::quoted(self)
    }

    /// Reads a mailbox as people write it, with or without angle brackets, into internal form.
    ///
    /// # Errors
    /// Says at which byte what was expected.
    ///
    /// ```
    /// use mta_core::Address;
    /// assert_eq!(Address::parse(b"<joe@example.org>").unwrap().as_bytes(), b"joe@example.org");
    /// assert_eq!(Address::parse(b"joe@").unwrap_err().at, 4);
    /// ```
    pub fn parse(text: &[u8]) -> Result<Self, BadAddress> {
        grammar::whole(text)
    }

    fn split(&self) -> (&[u8], Option<&[u8]>) {
        match self.0.iter().rposition(|&b| b == b'@') {
            Some(at) => {
                let (local, rest) = self.0.split_at(at);
                (local, rest.get(1..))
            }
            None => (&self.0, None),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0.escape_ascii())
    }
}
