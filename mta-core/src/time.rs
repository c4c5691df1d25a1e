//! Time as data: a monotonic instant for deadlines and wall-clock seconds for mail (qmail-send(8)).

use std::ops::{Add, Sub};
use std::time::Duration;

/// A monotonic instant: the time since some start that the caller chose.
///
/// Only differences mean anything. Deadlines of every machine are of this type, so that a test can
/// let years pass by adding a number.
///
/// ```
/// use mta_core::Mono;
/// use std::time::Duration;
/// let start = Mono::ZERO;
/// assert!(start + Duration::from_secs(5) > start);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(Duration);

impl Mono {
    /// The start itself.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// Makes an instant from the time passed since the start.
    #[must_use]
    pub const fn from_start(passed: Duration) -> Self {
        Self(passed)
    }

    /// Returns the time passed since the start.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// Returns the time from `earlier` to `self`, zero where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Mono {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(rhs))
    }
}

/// Wall-clock time in whole seconds since 1970-01-01 00:00:00 UTC: birth, retry and `Date:`.
///
/// ```
/// use mta_core::Unix;
/// assert_eq!(Unix(100) + 23, Unix(123));
/// assert_eq!(Unix(100) - Unix(123), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unix(pub u64);

impl Add<u64> for Unix {
    type Output = Self;

    fn add(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

impl Sub for Unix {
    type Output = u64;

    /// Seconds from `rhs` to `self`, zero where `rhs` is later (a clock that was set back).
    fn sub(self, rhs: Self) -> u64 {
        self.0.saturating_sub(rhs.0)
    }
}
