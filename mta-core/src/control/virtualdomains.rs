//! control/virtualdomains: domains and addresses that are handed to a local user (qmail-send(8), spec §2.4 step 4).

use super::{ColonMap, suffixes};

/// A line of virtualdomains that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VirtualLine<'a> {
    /// Its number; lines count from 1.
    pub line: usize,
    /// Its key in lower case.
    pub key: Vec<u8>,
    /// What it prepends; nothing makes it an exception.
    pub prepend: &'a [u8],
}

/// The keys for a domain as a whole: itself, its endings from a `.`, and the empty key.
fn domain_keys(domain: &[u8]) -> impl Iterator<Item = &[u8]> {
    suffixes(domain).chain(std::iter::once(&b""[..]))
}

/// The lines `key:prepend`; a key is `user@domain`, a domain, a `.suffix`, or empty for all.
///
/// ```
/// use mta_core::control::VirtualDomains;
/// let v = VirtualDomains::parse(b"shop.example:shop\nout.example:\n:alias-all\n");
/// assert_eq!(v.find(b"joe", b"SHOP.example"), Some(&b"shop"[..]));
/// assert_eq!(v.find(b"joe", b"out.example"), Some(&b""[..]));
/// assert_eq!(v.find(b"joe", b"x.example"), Some(&b"alias-all"[..]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VirtualDomains(ColonMap);

impl VirtualDomains {
    /// Reads the file.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self(ColonMap::parse(text))
    }

    /// Returns the prepend of the first key that is there; an empty one says "not virtual".
    ///
    /// Tried are the whole address, the domain, its endings from a `.`, and the empty key.
    #[must_use]
    pub fn find(&self, local: &[u8], domain: &[u8]) -> Option<&[u8]> {
        self.find_line(local, domain).map(|found| found.prepend)
    }

    /// As [`VirtualDomains::find`], with the line that decided.
    #[must_use]
    pub fn find_line(&self, local: &[u8], domain: &[u8]) -> Option<VirtualLine<'_>> {
        let whole = [local, b"@", domain].concat();
        let keys = std::iter::once(whole.as_slice()).chain(domain_keys(domain));
        self.first(keys)
    }

    fn first<'k>(&self, mut keys: impl Iterator<Item = &'k [u8]>) -> Option<VirtualLine<'_>> {
        keys.find_map(|key| {
            let (line, prepend) = self.0.find_line(key)?;
            let key = key.to_ascii_lowercase();
            Some(VirtualLine { line, key, prepend })
        })
    }

    /// Returns the prepend for a domain as a whole, without looking for single addresses.
    #[must_use]
    pub fn find_domain(&self, domain: &[u8]) -> Option<&[u8]> {
        self.first(domain_keys(domain)).map(|found| found.prepend)
    }

    /// Tells whether a line has exactly this key, in any case.
    #[must_use]
    pub fn has_key(&self, key: &[u8]) -> bool {
        self.0.find(key).is_some()
    }

    /// Returns the pairs with their keys in lower case and in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter()
    }
}
