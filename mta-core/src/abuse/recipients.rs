//! How many recipients each account has written to on this day (RFC 6409 §6).

use crate::Unix;
use std::collections::HashMap;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// The recipients of one day, which ends at midnight UTC, by account.
///
/// ```
/// use mta_core::Unix;
/// use mta_core::abuse::Recipients;
/// let mut recipients = Recipients::new(1, 1000);
/// assert!(recipients.take("joe@example.org", Unix(10)));
/// assert!(!recipients.take("joe@example.org", Unix(20)));
/// assert!(recipients.take("joe@example.org", Unix(86_400)));
/// ```
#[derive(Clone, Debug)]
pub struct Recipients {
    most: u32,
    remembered: usize,
    day: u64,
    written: HashMap<String, u32>,
}

impl Recipients {
    /// Allows each account `most` recipients a day, zero sets no bound; remembers at most
    /// `remembered` accounts, and forgets those that wrote least first.
    #[must_use]
    pub fn new(most: u32, remembered: usize) -> Self {
        Self {
            most,
            remembered: remembered.max(1),
            day: 0,
            written: HashMap::new(),
        }
    }

    /// Counts one more recipient, or tells that the account has had its number.
    pub fn take(&mut self, account: &str, now: Unix) -> bool {
        if self.most == 0 {
            return true;
        }
        let day = now.0 / DAY;
        // A clock that is set back begins no new day.
        if day > self.day {
            self.day = day;
            self.written.clear();
        }
        if let Some(written) = self.written.get_mut(account) {
            let fits = *written < self.most;
            *written += u32::from(fits);
            return fits;
        }
        if self.written.len() >= self.remembered {
            let least = self.written.iter().min_by_key(|(_, written)| **written);
            let least = least.map(|(account, _)| account.clone());
            least.and_then(|account| self.written.remove(&account));
        }
        self.written.insert(account.to_owned(), 1);
        true
    }

    /// How many accounts are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.written.len()
    }
}
