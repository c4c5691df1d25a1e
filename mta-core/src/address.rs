//! An envelope address as qmail keeps it: unquoted bytes, split at the last `@` (addresses(5)).

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
