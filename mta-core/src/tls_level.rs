//! How much TLS a route asks for when mail is sent (RFC 3207 §4.1, RFC 7435).

use crate::control::suffixes;
use std::collections::BTreeMap;

/// What must be had before a message is handed to a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever sends must obey each of them"
)]
pub enum Level {
    /// No TLS, even where it is offered.
    None,
    /// TLS where it can be had, the clear where not.
    #[default]
    May,
    /// TLS with whoever answers.
    Encrypt,
    /// TLS with a host that proves its name.
    Verify,
}

impl Level {
    /// Reads a level by its word.
    ///
    /// ```
    /// use mta_core::tls_level::Level;
    /// assert_eq!(Level::parse("verify"), Some(Level::Verify));
    /// assert_eq!(Level::parse("maybe"), None);
    /// ```
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "none" => Some(Self::None),
            "may" => Some(Self::May),
            "encrypt" => Some(Self::Encrypt),
            "verify" => Some(Self::Verify),
            _ => None,
        }
    }
}

/// Levels by destination domain, found as control/smtproutes finds relays.
///
/// ```
/// use mta_core::tls_level::{Level, Levels};
/// let levels = Levels::new([
///     ("bank.example".to_owned(), Level::Verify),
///     (".partner.example".to_owned(), Level::Encrypt),
/// ]);
/// assert_eq!(levels.find(b"Bank.example"), Some(Level::Verify));
/// assert_eq!(levels.find(b"a.partner.example"), Some(Level::Encrypt));
/// assert_eq!(levels.find(b"partner.example"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels(BTreeMap<Vec<u8>, Level>);

impl Levels {
    /// Takes domains, and endings of domains from a dot.
    pub fn new(routes: impl IntoIterator<Item = (String, Level)>) -> Self {
        let lower =
            |(domain, level): (String, Level)| (domain.to_ascii_lowercase().into_bytes(), level);
        Self(routes.into_iter().map(lower).collect())
    }

    /// Returns the first level that fits: the host's own, then that of its longest ending.
    #[must_use]
    pub fn find(&self, host: &[u8]) -> Option<Level> {
        let host = host.to_ascii_lowercase();
        suffixes(&host).find_map(|key| self.0.get(key).copied())
    }

    /// Tells whether a level is asked for anywhere.
    #[must_use]
    pub fn ask_for(&self, level: Level) -> bool {
        self.0.values().any(|&one| one == level)
    }
}
