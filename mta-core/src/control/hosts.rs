//! Sets and maps of host names in any case, and the keys tried for a host (qmail-control(5), spec §2.1, §2.3).

use super::rules;
use std::collections::BTreeMap;

/// The lines of a list file, compared without regard to ASCII case.
///
/// ```
/// use mta_core::control::HostSet;
/// let set = HostSet::parse(b"Example.org\n#no.example\n");
/// assert!(set.contains(b"eXample.ORG"));
/// assert!(!set.contains(b"no.example"));
/// assert_eq!(set.line_of(b"example.org"), Some(1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSet(BTreeMap<Vec<u8>, usize>);

impl HostSet {
    /// Reads a list file.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let mut names = BTreeMap::new();
        for (number, line) in rules::lines(text) {
            names.entry(line.to_ascii_lowercase()).or_insert(number);
        }
        Self(names)
    }

    /// Tells whether a line is exactly this name, in any case.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.line_of(name).is_some()
    }

    /// Returns the number of the first line that is exactly this name, in any case; lines count
    /// from 1.
    #[must_use]
    pub fn line_of(&self, name: &[u8]) -> Option<usize> {
        self.0.get(&name.to_ascii_lowercase()).copied()
    }

    /// Returns the line that is exactly this name, in lower case.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&[u8]> {
        let found = self.0.get_key_value(&name.to_ascii_lowercase());
        found.map(|(name, _)| name.as_slice())
    }

    /// Returns the names in lower case and in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.keys().map(Vec::as_slice)
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
/// assert_eq!(map.find_line(b"a.example"), Some((2, &b"two"[..])));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColonMap(BTreeMap<Vec<u8>, (usize, Vec<u8>)>);

impl ColonMap {
    /// Reads a `key:value` file.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let mut map = BTreeMap::new();
        for (number, line) in rules::lines(text) {
            // A NUL cannot stand in an address, so no such value may reach one.
            if let Some((key, value)) = rules::colon(line)
                && !line.contains(&0)
            {
                map.insert(key.to_ascii_lowercase(), (number, value.to_vec()));
            }
        }
        Self(map)
    }

    /// Returns what stands behind a key, the key being in any case.
    #[must_use]
    pub fn find(&self, key: &[u8]) -> Option<&[u8]> {
        self.find_line(key).map(|(_, value)| value)
    }

    /// Returns what stands behind a key, the key being in any case, with the number of its line;
    /// lines count from 1.
    #[must_use]
    pub fn find_line(&self, key: &[u8]) -> Option<(usize, &[u8])> {
        let found = self.0.get(&key.to_ascii_lowercase());
        found.map(|(line, value)| (*line, value.as_slice()))
    }

    /// Returns the pairs with their keys in lower case and in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let pairs = self.0.iter();
        pairs.map(|(key, (_, value))| (key.as_slice(), value.as_slice()))
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
