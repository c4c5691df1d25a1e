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
pub struct Locals {
    names: HostSet,
    /// The file is missing, and control/me stands for it.
    of_me: bool,
}

impl Locals {
    /// Reads the file.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self {
            names: HostSet::parse(text),
            of_me: false,
        }
    }

    /// Takes control/me where there is no control/locals.
    #[must_use]
    pub fn of_me(me: &[u8]) -> Self {
        Self {
            of_me: true,
            ..Self::parse(me)
        }
    }

    /// Returns the file and the number of the line that makes a domain local; lines count from 1.
    #[must_use]
    pub fn line_of(&self, domain: &[u8]) -> Option<(&'static str, usize)> {
        let file = if self.of_me { "me" } else { "locals" };
        Some((file, self.names.line_of(domain)?))
    }

    /// Tells whether a domain is delivered here.
    #[must_use]
    pub fn contains(&self, domain: &[u8]) -> bool {
        self.names.contains(domain)
    }

    /// Returns the domains in lower case and in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter()
    }
}
