//! `[notices]` of mtad.toml: when a sender hears that its message is delayed (RFC 3461 §4.1, RFC 3464 §2.3.3).

use mta_core::queue::DELAY_ASKED;
use serde::Deserialize;

/// When senders are told of delays, in seconds of the message's age; 0 is never.
///
/// ```
/// use mtad::config::Notices;
/// let notices = Notices::default();
/// assert_eq!(notices.delay_asked(), Some(14_400));
/// assert_eq!(notices.delay_unasked(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Notices {
    /// Those who asked by `NOTIFY=DELAY`.
    pub delay_asked: u64,
    /// Those who said nothing. As with qmail they hear nothing unless the administrator wants it.
    pub delay_unasked: u64,
}

impl Default for Notices {
    fn default() -> Self {
        Self {
            delay_asked: DELAY_ASKED,
            delay_unasked: 0,
        }
    }
}

impl Notices {
    /// Returns the age for those who asked; `None` is never.
    #[must_use]
    pub fn delay_asked(&self) -> Option<u64> {
        Some(self.delay_asked).filter(|&age| age > 0)
    }

    /// Returns the age for those who did not; `None` is never.
    #[must_use]
    pub fn delay_unasked(&self) -> Option<u64> {
        Some(self.delay_unasked).filter(|&age| age > 0)
    }
}
