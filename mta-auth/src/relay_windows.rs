//! Who may send for a while, as a server keeps it while it runs, beside the file `open-smtp` (vchkpw(8), clearopensmtp(8)).
//!
//! The file is what counts, since other programs write it as well: what is read from it replaces
//! what was read before. Only logins that could not be written there are kept beside it.

use crate::open_smtp::{MAX_ADDRESSES, OpenSmtp, is_within};
use mta_core::Unix;
use std::collections::HashMap;
use std::net::IpAddr;

/// The addresses with the moment at which each was seen last; a value, with time as an argument.
///
/// ```
/// use mta_auth::relay_windows::RelayWindows;
/// use mta_core::Unix;
/// let mut windows = RelayWindows::default();
/// let client = "192.0.2.7".parse().unwrap();
/// windows.note(client, Unix(1000));
/// assert!(windows.is_open(client, Unix(1599), 10));
/// assert!(!windows.is_open(client, Unix(1600), 10));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayWindows(HashMap<IpAddr, Seen>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    at: Unix,
    kept: Kept,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// Nowhere else.
    Here,
    /// In the file, which may take it away.
    InFile,
}

impl RelayWindows {
    /// Notes a login of which the file does not know yet.
    pub fn note(&mut self, address: IpAddr, now: Unix) {
        let kept = Kept::Here;
        self.0
            .insert(address.to_canonical(), Seen { at: now, kept });
        self.fit();
    }

    /// Notes that a login stands in the file now.
    pub fn recorded(&mut self, address: IpAddr) {
        if let Some(seen) = self.0.get_mut(&address.to_canonical()) {
            seen.kept = Kept::InFile;
        }
    }

    /// Takes what the file says in place of what it said before.
    pub fn read(&mut self, file: &OpenSmtp) {
        self.0.retain(|_, seen| seen.kept == Kept::Here);
        // Who was seen last stands last.
        for (address, at) in file.addresses().rev().take(MAX_ADDRESSES) {
            let (address, kept) = (address.to_canonical(), Kept::InFile);
            let seen = self.0.entry(address).or_insert(Seen { at, kept });
            if seen.at <= at {
                *seen = Seen { at, kept };
            }
        }
        self.fit();
    }

    /// Tells whether an address may send.
    #[must_use]
    pub fn is_open(&self, address: IpAddr, now: Unix, minutes: u64) -> bool {
        let seen = self.0.get(&address.to_canonical());
        seen.is_some_and(|seen| is_within(seen.at, now, minutes))
    }

    /// Forgets whose time is over; tells whether there was anybody.
    pub fn expire(&mut self, now: Unix, minutes: u64) -> bool {
        let before = self.0.len();
        self.0.retain(|_, seen| is_within(seen.at, now, minutes));
        self.0.len() != before
    }

    /// When the first of them ends.
    #[must_use]
    pub fn next_end(&self, minutes: u64) -> Option<Unix> {
        let first = self.0.values().map(|seen| seen.at.0).min()?;
        Some(Unix(first.saturating_add(minutes.saturating_mul(60))))
    }

    /// How many addresses are kept, at most [`MAX_ADDRESSES`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether nobody is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The oldest go first.
    fn fit(&mut self) {
        let surplus = self.0.len().saturating_sub(MAX_ADDRESSES);
        if surplus == 0 {
            return;
        }
        let mut by_age: Vec<_> = self.0.iter().map(|(ip, seen)| (seen.at, *ip)).collect();
        by_age.select_nth_unstable(surplus.saturating_sub(1));
        for (_, address) in by_age.iter().take(surplus) {
            self.0.remove(address);
        }
    }
}
