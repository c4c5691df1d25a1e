//! control/locals: the domains that are delivered here (qmail-send(8), spec §2.4 step 3).

use super::HostSet;

/// The local domains; matched whole and in any case, never by suffix.
///
/// ```
/// use mta_core::control::Locals;
/// let locals = Locals::parse(b"example.org\n");
/// assert!(locals.contains(b"EXAMPLE.org"));
/// assert!(!locals.contains(b"a.example.org"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locals(HostSet);

impl Locals {
    /// Reads the file.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self(HostSet::parse(text))
    }

    /// Tells whether a domain is delivered here.
    #[must_use]
    pub fn contains(&self, domain: &[u8]) -> bool {
        self.0.contains(domain)
    }

    /// Returns the domains in lower case and in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter()
    }
}
