//! The clock of the driver: tokio's instants as the machines' [`Mono`], and the wall clock as [`Unix`].

use mta_core::{Mono, Unix};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Maps instants to [`Mono`] and back; all links of a process may share one copy.
///
/// It follows tokio's clock, so that a test which pauses time pauses every deadline with it.
///
/// ```
/// let clock = driver::Clock::start();
/// let earlier = clock.now();
/// assert!(clock.now() >= earlier);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts a clock: its zero is now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Returns the time since the start.
    #[must_use]
    pub fn now(&self) -> Mono {
        Mono::from_start(Instant::now().saturating_duration_since(self.start))
    }

    /// Returns the instant that `at` means; one beyond what an instant holds is a century off.
    #[must_use]
    pub fn instant(&self, at: Mono) -> Instant {
        let century = std::time::Duration::from_secs(100 * 365 * 86_400);
        self.start + at.since_start().min(century)
    }

    /// Reads the wall clock; a clock that stands before 1970 reads 0.
    #[must_use]
    pub fn unix() -> Unix {
        let passed = SystemTime::now().duration_since(UNIX_EPOCH);
        Unix(passed.map_or(0, |passed| passed.as_secs()))
    }
}
