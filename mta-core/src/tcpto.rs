//! lock/tcpto: which addresses timed out lately, in 64 records of 16 bytes (qmail-tcpto(8), spec §3.6).

use crate::Unix;
use std::net::Ipv4Addr;

/// The length of a whole table; a file that is shorter than one record turns the feature off.
pub const TABLE: usize = 1024;

/// The length of one record: address, count, three bytes of nothing, time, four bytes of nothing.
pub const RECORD: usize = 16;

/// The highest count that is kept.
pub const MAX_COUNT: u8 = 10;

/// A timeout within so many seconds of the last one counts as the same.
const SAME: u64 = 120;

/// One address that timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a record has these three")]
pub struct Entry {
    /// The address.
    pub ip: Ipv4Addr,
    /// How often, [`MAX_COUNT`] at most.
    pub count: u8,
    /// When for the last time; the file has 32 bits for it.
    pub last: Unix,
}

/// What a check said; an attempt that did not time out clears the record only where one was found.
#[expect(
    clippy::exhaustive_enums,
    reason = "skip it, or try it with or without a record"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// No record is kept: try.
    Unknown,
    /// There is a record: try, and clear it where the attempt does not time out.
    Try,
    /// It timed out twice or more, and lately: do not try now.
    Skip,
}

/// The table while its file is locked.
///
/// ```
/// use mta_core::{Unix, tcpto::{Advice, Table}};
/// let ip = "192.0.2.1".parse().unwrap();
/// let mut table = Table::parse(&[0; 1024]).unwrap();
/// table.timed_out(ip, Unix(1000));
/// assert_eq!(table.advice(ip, Unix(1001), 42), Advice::Try);
/// table.timed_out(ip, Unix(2000));
/// assert_eq!(table.advice(ip, Unix(2001), 42), Advice::Skip);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    bytes: Vec<u8>,
}

impl Table {
    /// Reads the file's contents; `None` where it holds no whole record, which means that nothing
    /// is to be remembered. What is behind the last whole record, or behind [`TABLE`], is not read.
    #[must_use]
    pub fn parse(contents: &[u8]) -> Option<Self> {
        let used = contents.len().min(TABLE) / RECORD * RECORD;
        let bytes = contents.get(..used)?.to_vec();
        (used > 0).then_some(Self { bytes })
    }

    /// Returns the bytes to write back, as many as there were.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the records in use, in file order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.bytes
            .chunks_exact(RECORD)
            .map(read)
            .filter(|entry| entry.count > 0)
    }

    /// Tells whether to try an address now. `pid` spreads the moment of the next attempt, so that
    /// not everybody tries at once.
    #[must_use]
    pub fn advice(&self, ip: Ipv4Addr, now: Unix, pid: u32) -> Advice {
        let Some(entry) = self.records().find(|entry| entry.ip == ip) else {
            return Advice::Unknown;
        };
        let patience = (60 + u64::from(pid & 31)) * 64;
        if entry.count >= 2 && now - entry.last < patience {
            return Advice::Skip;
        }
        Advice::Try
    }

    /// Notes a timeout. One soon after another is not counted; where there is no room, the record
    /// that matters least makes way.
    pub fn timed_out(&mut self, ip: Ipv4Addr, now: Unix) {
        let known = self.records().position(|entry| entry.ip == ip);
        let place = known.or_else(|| self.place());
        let Some(record) = place.and_then(|at| self.bytes.chunks_exact_mut(RECORD).nth(at)) else {
            return;
        };
        let old = read(record);
        let count = match known {
            Some(_) if old.count > 0 && now.0 < old.last.0.saturating_add(SAME) => return,
            Some(_) => old.count.saturating_add(1).min(MAX_COUNT),
            None => 1,
        };
        write(
            record,
            Entry {
                ip,
                count,
                last: now,
            },
        );
    }

    /// Notes that an address answered, or failed otherwise than by a timeout.
    pub fn answered(&mut self, ip: Ipv4Addr) {
        let mut records = self.bytes.chunks_exact_mut(RECORD);
        if let Some(record) = records.find(|record| read(record).ip == ip) {
            let entry = read(record);
            write(record, Entry { count: 0, ..entry });
        }
    }

    fn records(&self) -> impl Iterator<Item = Entry> + '_ {
        self.bytes.chunks_exact(RECORD).map(read)
    }

    /// The first record that is free, else the one that is oldest, a count being worth 1024 s.
    fn place(&self) -> Option<usize> {
        let free = self.records().position(|entry| entry.count == 0);
        free.or_else(|| {
            let worth = |entry: &Entry| entry.last.0.saturating_add(1024 * u64::from(entry.count));
            let least = self
                .records()
                .enumerate()
                .min_by_key(|(_, entry)| worth(entry));
            least.map(|(at, _)| at)
        })
    }
}

fn read(record: &[u8]) -> Entry {
    let four = |at: usize| -> [u8; 4] {
        let bytes = record.get(at..at + 4).unwrap_or_default();
        bytes.try_into().unwrap_or_default()
    };
    Entry {
        ip: Ipv4Addr::from(four(0)),
        count: record.get(4).copied().unwrap_or_default(),
        last: Unix(u64::from(u32::from_le_bytes(four(8)))),
    }
}

fn write(record: &mut [u8], entry: Entry) {
    // The file has 32 bits for the time; beyond 2106 only differences of recent times would matter.
    let last = u32::try_from(entry.last.0 & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    let mut fresh = [0; RECORD];
    let parts = entry
        .ip
        .octets()
        .into_iter()
        .chain([entry.count, 0, 0, 0])
        .chain(last.to_le_bytes());
    for (slot, byte) in fresh.iter_mut().zip(parts) {
        *slot = byte;
    }
    for (slot, byte) in record.iter_mut().zip(fresh) {
        *slot = byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(192, 0, 2, last)
    }

    fn table() -> Table {
        Table::parse(&[0; TABLE]).unwrap()
    }

    #[test]
    fn a_record_is_laid_out_as_the_original_does() {
        let mut t = table();
        t.timed_out(ip(1), Unix(0x0102_0304));
        assert_eq!(
            t.as_bytes()[..16],
            [192, 0, 2, 1, 1, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0]
        );
    }

    #[test]
    fn timeouts_that_follow_soon_are_one() {
        let rows = [("119 s later", 119, 1), ("120 s later", 120, 2)];
        for (name, later, want) in rows {
            let mut t = table();
            t.timed_out(ip(1), Unix(1000));
            t.timed_out(ip(1), Unix(1000 + later));
            assert_eq!(t.entries().next().unwrap().count, want, "{name}");
        }
    }

    #[test]
    fn an_address_is_skipped_for_as_long_as_the_process_number_says() {
        let mut t = table();
        t.timed_out(ip(1), Unix(0));
        t.timed_out(ip(1), Unix(1000));
        let rows = [
            ("shortest", 32, 3839, Advice::Skip),
            ("shortest over", 32, 3840, Advice::Try),
            ("longest", 31, 5823, Advice::Skip),
            ("longest over", 31, 5824, Advice::Try),
        ];
        for (name, pid, later, want) in rows {
            assert_eq!(t.advice(ip(1), Unix(1000 + later), pid), want, "{name}");
        }
    }

    #[test]
    fn an_answer_clears_and_the_count_ends_at_ten() {
        let mut t = table();
        for n in 0..20 {
            t.timed_out(ip(1), Unix(n * 1000));
        }
        assert_eq!(t.entries().next().unwrap().count, MAX_COUNT);
        t.answered(ip(1));
        assert_eq!(t.entries().count(), 0);
        assert_eq!(t.advice(ip(1), Unix(20_000), 0), Advice::Try);
        assert_eq!(t.advice(ip(2), Unix(20_000), 0), Advice::Unknown);
    }

    #[test]
    fn a_full_table_gives_up_the_record_that_matters_least() {
        let mut t = table();
        for n in 0..64 {
            t.timed_out(ip(n), Unix(10_000 + u64::from(n)));
        }
        t.timed_out(ip(0), Unix(20_000));
        t.timed_out(ip(99), Unix(20_001));
        let all: Vec<_> = t.entries().map(|e| e.ip).collect();
        assert!(all.contains(&ip(0)) && all.contains(&ip(99)) && !all.contains(&ip(1)));
    }

    #[test]
    fn short_files_turn_it_off_and_odd_ones_keep_their_whole_records() {
        let rows = [
            ("empty", 0, None),
            ("15", 15, None),
            ("16", 16, Some(16)),
            ("40", 40, Some(32)),
            ("too long", 5000, Some(TABLE)),
        ];
        for (name, length, want) in rows {
            let got = Table::parse(&vec![0; length]).map(|t| t.as_bytes().len());
            assert_eq!(got, want, "{name}");
        }
    }
}
