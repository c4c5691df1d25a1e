//! Sets and maps of host names in any case, and the keys tried for a host (qmail-control(5), spec §2.1, §2.3).

use super::rules;
use std::collections::{BTreeMap, BTreeSet};

/// The lines of a list file, compared without regard to ASCII case.
///
/// ```
/// use mta_core::control::HostSet;
/// let set = HostSet::parse(b"Example.org\n#no.example\n");
/// assert!(set.contains(b"eXample.ORG"));
/// assert!(!set.contains(b"no.example"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSet(BTreeSet<Vec<u8>>);

impl HostSet {
    /// Reads a list file.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self(
            rules::lines(text)
                .map(|(_, line)| line.to_ascii_lowercase())
                .collect(),
        )
    }

    /// Tells whether a line is exactly this name, in any case.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.0.contains(&name.to_ascii_lowercase())
    }

    /// Returns the line that is exactly this name, in lower case.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.get(&name.to_ascii_lowercase()).map(Vec::as_slice)
    }

    /// Returns the names in lower case and in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// Tells whether the file names nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// The lines of a `key:value` file; of equal keys the last wins, lines without `:` are ignored.
///
/// ```
/// use mta_core::control::ColonMap;
/// let map = ColonMap::parse(b"A.example:one\na.EXAMPLE:two\nno colon\n");
/// assert_eq!(map.find(b"a.example"), Some(&b"two"[..]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColonMap(BTreeMap<Vec<u8>, Vec<u8>>);

impl ColonMap {
    /// Reads a `key:value` file.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let mut map = BTreeMap::new();
        for (_, line) in rules::lines(text) {
            // A NUL cannot stand in an address, so no such value may reach one.
            if let Some((key, value)) = rules::colon(line)
                && !line.contains(&0)
            {
                map.insert(key.to_ascii_lowercase(), value.to_vec());
            }
        }
        Self(map)
    }

    /// Returns what stands behind a key, the key being in any case.
    #[must_use]
    pub fn find(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.get(&key.to_ascii_lowercase()).map(Vec::as_slice)
    }

    /// Returns the pairs with their keys in lower case and in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(k, v)| (k.as_slice(), v.as_slice()))
    }

    /// Tells whether there is no pair.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Yields the keys under which a host is looked for: itself, then every ending that begins with `.`.
///
/// ```
/// use mta_core::control::suffixes;
/// let keys: Vec<_> = suffixes(b"a.b.c").collect();
/// assert_eq!(keys, [&b"a.b.c"[..], b".b.c", b".c"]);
/// ```
pub fn suffixes(host: &[u8]) -> impl Iterator<Item = &[u8]> {
    let dots = (1..host.len()).filter(|&at| host.get(at) == Some(&b'.'));
    std::iter::once(0)
        .chain(dots)
        .filter_map(|at| host.get(at..))
}
