//! The maildrop as one session sees it: sizes and unique ids, and marks of deletion (RFC 1939 §5, §7).

/// The longest unique id that RFC 1939 §7 allows.
pub const UID_MAX: usize = 70;

/// The messages of a maildrop, fixed for a session.
///
/// It takes 16 bytes a message and the bytes of the unique ids, held while the session lasts;
/// [`Listing::new`] says how many messages it takes at most.
///
/// ```
/// use mta_proto::pop3::Listing;
/// let mut listing = Listing::new(1000);
/// listing.push(120, b"1700000000.1.mx").unwrap();
/// assert_eq!(listing.len(), 1);
/// assert_eq!(listing.uid(0), Some(&b"1700000000.1.mx"[..]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Listing {
    entries: Vec<Entry>,
    uids: Vec<u8>,
    limit: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    size: u64,
    uid_end: u32,
    deleted: bool,
}

/// The listing takes no more messages.
///
/// The session may go on with those it has; the others come when these are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session lists no more than {limit} messages")]
pub struct ListingFull {
    /// How many it takes.
    pub limit: usize,
}

impl Listing {
    /// Makes an empty listing for at most `limit` messages.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            entries: Vec::new(),
            uids: Vec::new(),
            limit,
        }
    }

    /// Adds a message: its octets as RETR sends them (CRLF line ends, stuffed dots not counted),
    /// and its unique id.
    ///
    /// An id that RFC 1939 §7 does not allow (empty, over 70 bytes, or with bytes outside
    /// 0x21–0x7E) is shown as a digest of it, the same in every session.
    ///
    /// # Errors
    /// Fails when the limit is reached.
    pub fn push(&mut self, size: u64, uid: &[u8]) -> Result<(), ListingFull> {
        let limit = self.limit.min(u32::MAX as usize / UID_MAX);
        if self.entries.len() >= limit {
            return Err(ListingFull { limit });
        }
        if (1..=UID_MAX).contains(&uid.len()) && uid.iter().all(u8::is_ascii_graphic) {
            self.uids.extend_from_slice(uid);
        } else {
            self.uids.extend_from_slice(digest(uid).as_bytes());
        }
        self.entries.push(Entry {
            size,
            uid_end: u32::try_from(self.uids.len()).unwrap_or(u32::MAX),
            deleted: false,
        });
        Ok(())
    }

    /// How many messages there are, deleted ones included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The unique id of the message at `index`.
    #[must_use]
    pub fn uid(&self, index: usize) -> Option<&[u8]> {
        let end = self.entries.get(index)?.uid_end as usize;
        let before = index.checked_sub(1).and_then(|i| self.entries.get(i));
        let start = before.map_or(0, |entry| entry.uid_end as usize);
        self.uids.get(start..end)
    }

    /// The size of the message at `index`.
    #[must_use]
    pub fn size(&self, index: usize) -> Option<u64> {
        self.entries.get(index).map(|entry| entry.size)
    }

    /// Count and octets of the messages that are not deleted.
    pub(super) fn stat(&self) -> (usize, u64) {
        let kept = self.entries.iter().filter(|entry| !entry.deleted);
        kept.fold((0, 0), |(count, octets), entry| {
            (count + 1, entry.size.saturating_add(octets))
        })
    }

    /// Tells whether the message is marked; `None` where there is none.
    pub(super) fn is_deleted(&self, index: usize) -> Option<bool> {
        self.entries.get(index).map(|entry| entry.deleted)
    }

    pub(super) fn delete(&mut self, index: usize) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.deleted = true;
        }
    }

    pub(super) fn undelete_all(&mut self) {
        for entry in &mut self.entries {
            entry.deleted = false;
        }
    }

    pub(super) fn deleted(&self) -> Vec<u32> {
        let marked = (0..).zip(&self.entries).filter(|(_, entry)| entry.deleted);
        marked.map(|(index, _)| index).collect()
    }
}

/// FNV-1a over 128 bits in hexadecimal: short, printable, the same for the same name. Whoever can
/// choose names of files in a maildrop can do worse than make two of them collide.
fn digest(uid: &[u8]) -> String {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let sum = uid.iter().fold(BASIS, |sum, &byte| {
        (sum ^ u128::from(byte)).wrapping_mul(PRIME)
    });
    format!("x{sum:032x}")
}
