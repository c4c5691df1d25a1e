//! Hosts whose connections timed out lately are passed over for a while, as qmail's tcpto has it (qmail-tcpto(8), spec §3.6).

use mta_core::Unix;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// How many hosts are remembered.
const MOST: usize = 1024;
/// Timeouts before a host is passed over.
const TIMEOUTS: u32 = 2;
/// How long it is passed over, in seconds.
const PAUSE: u64 = 64 * 64;
/// Timeouts so close together count as one.
const TOGETHER: u64 = 120;

#[derive(Debug, Default)]
pub(super) struct Unreachable(Mutex<HashMap<IpAddr, Record>>);

#[derive(Clone, Copy, Debug)]
struct Record {
    count: u32,
    last: Unix,
}

impl Unreachable {
    /// Tells whether a host is to be passed over now.
    pub(super) fn is_known(&self, host: IpAddr, now: Unix) -> bool {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records
            .get(&host)
            .is_some_and(|record| record.count >= TIMEOUTS && now - record.last < PAUSE)
    }

    /// Forgets all.
    pub(super) fn forget(&self) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.clear();
    }

    /// Notes how connecting to a host went; anything but a timeout clears it.
    pub(super) fn note(&self, host: IpAddr, timed_out: bool, now: Unix) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !timed_out {
            records.remove(&host);
            return;
        }
        if records.len() >= MOST && !records.contains_key(&host) {
            let oldest = records
                .iter()
                .min_by_key(|(_, record)| record.last)
                .map(|(&host, _)| host);
            oldest.map(|host| records.remove(&host));
        }
        let record = records.entry(host).or_insert(Record {
            count: 0,
            last: now,
        });
        if record.count == 0 || now - record.last >= TOGETHER {
            record.count += 1;
            record.last = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_timeouts_apart_make_a_host_passed_over_for_about_an_hour() {
        let host: IpAddr = "192.0.2.1".parse().unwrap();
        let known = Unreachable::default();
        known.note(host, true, Unix(1000));
        known.note(host, true, Unix(1010));
        assert!(!known.is_known(host, Unix(1020)), "both belong together");
        known.note(host, true, Unix(1200));
        assert!(known.is_known(host, Unix(1201)));
        assert!(!known.is_known(host, Unix(1200 + PAUSE)));
        known.note(host, false, Unix(1300));
        assert!(!known.is_known(host, Unix(1301)));
    }

    #[test]
    fn no_more_hosts_are_remembered_than_allowed() {
        let known = Unreachable::default();
        for n in 0..3000_u32 {
            known.note(IpAddr::from(n.to_be_bytes()), true, Unix(n.into()));
        }
        assert_eq!(known.0.lock().unwrap().len(), MOST);
    }
}
