//! Answers that are kept until they expire, within two bounds (RFC 1035 §7.4, RFC 2308 §5).

use mta_core::Mono;
use mta_core::dns::{Answer, Query, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::mem::size_of;
use std::time::Duration;

/// How much a cache may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Most answers.
    pub entries: usize,
    /// Most bytes of names and records, about.
    pub bytes: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self {
            entries: 10_000,
            bytes: 4 * 1024 * 1024,
        }
    }
}

/// Answers by question. Where a bound is reached, the one that expires first makes room.
///
/// ```
/// use mta_core::Mono;
/// use mta_core::dns::{Answer, Kind, Query};
/// use mta_proto::dns::{Cache, CacheLimits};
/// use std::time::Duration;
/// let mut cache = Cache::new(CacheLimits::default());
/// let query = Query { name: "example.org".into(), kind: Kind::Mx };
/// cache.put(query.clone(), Answer::NoName, Duration::from_secs(60), Mono::ZERO);
/// assert_eq!(cache.get(&query, Mono::ZERO), Some(Answer::NoName));
/// assert_eq!(cache.get(&query, Mono::ZERO + Duration::from_secs(60)), None);
/// ```
#[derive(Debug, Default)]
pub struct Cache {
    limits: CacheLimits,
    entries: BTreeMap<Query, Entry>,
    by_expiry: BTreeSet<(Mono, Query)>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    answer: Answer,
    expires: Mono,
    bytes: usize,
}

impl Cache {
    /// Makes an empty cache.
    #[must_use]
    pub fn new(limits: CacheLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Returns the answer that is known and not expired.
    #[must_use]
    pub fn get(&self, query: &Query, now: Mono) -> Option<Answer> {
        let entry = self.entries.get(query)?;
        (now < entry.expires).then(|| entry.answer.clone())
    }

    /// Keeps an answer for `ttl`. Failures, and answers of no duration, are not kept.
    pub fn put(&mut self, query: Query, answer: Answer, ttl: Duration, now: Mono) {
        self.remove(&query);
        let bytes = cost(&query, &answer);
        let failure = matches!(answer, Answer::Failed(_));
        if failure || ttl.is_zero() || bytes > self.limits.bytes || self.limits.entries == 0 {
            return;
        }
        while self.entries.len() >= self.limits.entries || self.bytes + bytes > self.limits.bytes {
            let Some((_, first)) = self.by_expiry.pop_first() else {
                break;
            };
            self.remove(&first);
        }
        let expires = now + ttl;
        self.by_expiry.insert((expires, query.clone()));
        self.bytes += bytes;
        let entry = Entry {
            answer,
            expires,
            bytes,
        };
        self.entries.insert(query, entry);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.limits);
    }

    /// Returns how many answers are held, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns about how many bytes are held.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    fn remove(&mut self, query: &Query) {
        if let Some((query, entry)) = self.entries.remove_entry(query) {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
            self.by_expiry.remove(&(entry.expires, query));
        }
    }
}

/// About the memory of one entry: the question twice, and the records.
fn cost(query: &Query, answer: &Answer) -> usize {
    let records = match answer {
        Answer::Records(records) => records.as_slice(),
        _ => &[],
    };
    let text = |record: &Record| match record {
        Record::Mx { host, .. } | Record::Ptr(host) => host.len(),
        Record::Txt(text) => text.len(),
        _ => 0,
    };
    let own = 2 * (size_of::<Query>() + query.name.len()) + size_of::<Entry>();
    own + records
        .iter()
        .map(|r| size_of::<Record>() + text(r))
        .sum::<usize>()
}
