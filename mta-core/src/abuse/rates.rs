//! How often something may happen at each of many places: a leaky bucket for each, in a bounded table.

use super::Place;
use crate::Mono;
use std::collections::HashMap;
use std::time::Duration;

/// So many in so long; as many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a number and its time")]
pub struct Rate {
    /// How many; zero sets no bound.
    pub most: u32,
    /// In which time.
    pub per: Duration,
}

impl Rate {
    /// So many a minute; zero sets no bound.
    #[must_use]
    pub const fn per_minute(most: u32) -> Self {
        let per = Duration::from_secs(60);
        Self { most, per }
    }

    /// Counts one more where it fits. `due` is when everything counted so far has leaked away; the
    /// same afterwards is returned, `None` where it does not fit.
    ///
    /// ```
    /// use mta_core::Mono;
    /// use mta_core::abuse::Rate;
    /// let rate = Rate::per_minute(2);
    /// let one = rate.take(Mono::ZERO, Mono::ZERO).unwrap();
    /// let two = rate.take(one, Mono::ZERO).unwrap();
    /// assert_eq!(rate.take(two, Mono::ZERO), None);
    /// ```
    #[must_use]
    pub fn take(self, due: Mono, now: Mono) -> Option<Mono> {
        let Some(each) = self.per.checked_div(self.most) else {
            return Some(now);
        };
        let due = due.max(now) + each;
        (due.since(now) <= self.per).then_some(due)
    }
}

/// What happened lately at each place.
///
/// ```
/// use mta_core::Mono;
/// use mta_core::abuse::{Place, Rate, Rates};
/// let mut rates = Rates::new(Rate::per_minute(1), 1000);
/// let place = Place::address("192.0.2.1".parse().unwrap());
/// assert!(rates.take(place, Mono::ZERO));
/// assert!(!rates.take(place, Mono::ZERO));
/// ```
#[derive(Clone, Debug)]
pub struct Rates {
    rate: Rate,
    remembered: usize,
    /// When everything that was counted there has leaked away.
    due: HashMap<Place, Mono>,
}

impl Rates {
    /// Remembers at most `remembered` places.
    #[must_use]
    pub fn new(rate: Rate, remembered: usize) -> Self {
        Self {
            rate,
            remembered: remembered.max(1),
            due: HashMap::new(),
        }
    }

    /// Tells whether one more would fit.
    #[must_use]
    pub fn fits(&self, place: Place, now: Mono) -> bool {
        self.next(place, now).is_some()
    }

    /// Counts one more, or tells that it does not fit; then nothing is counted, so that whoever
    /// keeps asking is not shut out for longer.
    pub fn take(&mut self, place: Place, now: Mono) -> bool {
        let Some(due) = self.next(place, now) else {
            return false;
        };
        if self.rate.most > 0 {
            self.keep(place, due, now);
        }
        true
    }

    /// How many places are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.due.len()
    }

    fn next(&self, place: Place, now: Mono) -> Option<Mono> {
        let due = self.due.get(&place).copied().unwrap_or(now);
        self.rate.take(due, now)
    }

    fn keep(&mut self, place: Place, due: Mono, now: Mono) {
        if self.due.len() >= self.remembered && !self.due.contains_key(&place) {
            // Where all has leaked away, remembering and forgetting are the same.
            self.due.retain(|_, due| *due > now);
            if self.due.len() >= self.remembered {
                let least = self.due.iter().min_by_key(|(_, due)| **due);
                let least = least.map(|(place, _)| *place);
                least.and_then(|place| self.due.remove(&place));
            }
        }
        self.due.insert(place, due);
    }
}
