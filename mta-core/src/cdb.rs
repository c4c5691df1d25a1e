//! A reader of constant databases over a byte slice, safe on damaged files (cdb(5), spec §2.6).

/// The pointer table at the start: 256 pairs of little-endian 32-bit numbers.
const HEADER: usize = 2048;

/// The bytes are not a whole cdb. Whoever wrote the file is at fault; reading again does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid cdb: {expected} (near byte {at})")]
pub struct Damaged {
    /// Where it was noticed.
    pub at: usize,
    /// What stood there in a valid file.
    pub expected: &'static str,
}

/// A constant database in memory.
///
/// ```
/// use mta_core::cdb::Cdb;
/// // The smallest cdb: no records, every table empty.
/// let mut empty = Vec::new();
/// for _ in 0..256 {
///     empty.extend_from_slice(&2048_u32.to_le_bytes());
///     empty.extend_from_slice(&0_u32.to_le_bytes());
/// }
/// assert_eq!(Cdb::new(&empty).unwrap().find(b"key"), Ok(None));
/// assert!(Cdb::new(b"too short").is_err());
/// ```
#[derive(Clone, Copy)]
pub struct Cdb<'a> {
    bytes: &'a [u8],
}

impl std::fmt::Debug for Cdb<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cdb({} bytes)", self.bytes.len())
    }
}

/// The hash of a key: 5381, then times 33 and xor each byte, in 32 bits.
#[must_use]
pub fn hash(key: &[u8]) -> u32 {
    key.iter()
        .fold(5381_u32, |h, &byte| h.wrapping_mul(33) ^ u32::from(byte))
}

impl<'a> Cdb<'a> {
    /// Takes the bytes of a whole file.
    ///
    /// # Errors
    /// Fails where the pointer table is not complete. Damage further on shows when it is met.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Damaged> {
        if bytes.len() < HEADER {
            return Err(Damaged {
                at: bytes.len(),
                expected: "at least 2048 bytes of pointers",
            });
        }
        Ok(Self { bytes })
    }

    /// Returns the data of the first record with this key.
    ///
    /// # Errors
    /// Fails where a table or a record on the way lies outside the file.
    pub fn find(&self, key: &[u8]) -> Result<Option<&'a [u8]>, Damaged> {
        let wanted = hash(key);
        let (table, slots) = self.table(wanted & 255)?;
        if slots == 0 {
            return Ok(None);
        }
        let start = (wanted >> 8) as usize % slots;
        for probe in 0..slots {
            let slot = table + (start + probe) % slots * 8;
            let position = self.number(slot + 4)? as usize;
            if position == 0 {
                return Ok(None);
            }
            if self.number(slot)? == wanted {
                let record = self.record(position)?;
                if record.key == key {
                    return Ok(Some(record.data));
                }
            }
        }
        Ok(None)
    }

    /// Walks over all records in the order they were written.
    #[must_use]
    pub fn iter(&self) -> Iter<'a> {
        let end = (0..256)
            .filter_map(|n| self.table(n).ok())
            .filter(|&(_, slots)| slots > 0)
            .map(|(table, _)| table)
            .min();
        Iter {
            cdb: *self,
            at: HEADER,
            end: end.unwrap_or(HEADER),
        }
    }

    /// Checks the whole file: every table inside, every record whole and found under its key.
    ///
    /// # Errors
    /// Names the first damage met.
    pub fn check(&self) -> Result<(), Damaged> {
        for n in 0..256 {
            self.table(n)?;
        }
        for record in self.iter() {
            let (key, _) = record?;
            if self.find(key)?.is_none() {
                return Err(Damaged {
                    at: HEADER,
                    expected: "every record reachable through its table",
                });
            }
        }
        Ok(())
    }

    /// Returns where table `n` starts and how many slots it has; it lies inside the file.
    fn table(&self, n: u32) -> Result<(usize, usize), Damaged> {
        let at = n as usize * 8;
        let (start, slots) = (self.number(at)? as usize, self.number(at + 4)? as usize);
        let fits = slots
            .checked_mul(8)
            .and_then(|length| start.checked_add(length))
            .is_some_and(|end| end <= self.bytes.len());
        if slots > 0 && !(fits && start >= HEADER) {
            return Err(Damaged {
                at,
                expected: "a hash table inside the file",
            });
        }
        Ok((start, slots))
    }

    fn record(&self, at: usize) -> Result<Record<'a>, Damaged> {
        let (key_len, data_len) = (self.number(at)? as usize, self.number(at + 4)? as usize);
        self.bytes
            .get(at + 8..)
            .and_then(|rest| rest.split_at_checked(key_len))
            .and_then(|(key, rest)| Some((key, rest.get(..data_len)?)))
            .map(|(key, data)| Record { key, data })
            .ok_or(Damaged {
                at,
                expected: "a record inside the file",
            })
    }

    fn number(&self, at: usize) -> Result<u32, Damaged> {
        self.bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk::<4>())
            .map(|four| u32::from_le_bytes(*four))
            .ok_or(Damaged {
                at,
                expected: "a 32-bit number inside the file",
            })
    }
}

impl<'a> IntoIterator for &Cdb<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Damaged>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

struct Record<'a> {
    key: &'a [u8],
    data: &'a [u8],
}

/// All records of a [`Cdb`] as key and data; ends after the first damage.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    cdb: Cdb<'a>,
    at: usize,
    end: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        match self.cdb.record(self.at) {
            Ok(Record { key, data }) => {
                self.at += 8 + key.len() + data.len();
                Some(Ok((key, data)))
            }
            Err(damaged) => {
                self.at = self.end;
                Some(Err(damaged))
            }
        }
    }
}
