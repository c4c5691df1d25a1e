//! control/badmailfrom: envelope senders that are refused at RCPT (qmail-smtpd(8), spec §8.6).

use super::HostSet;
use crate::Address;

/// The lines `address` and `@host`; matched whole and in any case, without subdomains.
///
/// ```
/// use mta_core::{Address, control::BadMailFrom};
/// let bad = BadMailFrom::parse(b"spam@a.example\n@b.example\n");
/// let refuses = |a: &str| bad.refuses(&Address::new(a).unwrap());
/// assert!(refuses("SPAM@a.example") && refuses("any@B.example"));
/// assert!(!refuses("joe@a.example") && !refuses("x@sub.b.example"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadMailFrom(HostSet);

impl BadMailFrom {
    /// Reads the file.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self(HostSet::parse(text))
    }

    /// Tells whether mail from this sender is refused. The null sender is never refused.
    #[must_use]
    pub fn refuses(&self, sender: &Address) -> bool {
        if self.0.is_empty() || sender.is_null() {
            return false;
        }
        let host = sender.domain().map(|domain| [b"@", domain].concat());
        self.0.contains(sender.as_bytes()) || host.is_some_and(|host| self.0.contains(&host))
    }
}
