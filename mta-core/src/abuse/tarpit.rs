//! The tarpit: whoever guesses recipients waits for each further refusal (RFC 5321 §7.8, qmail's tarpit patch).

use std::time::Duration;

/// What one session has guessed so far.
///
/// Unlike the patch, it counts recipients that are refused and not those that are taken: a list
/// with many members is no guess.
///
/// ```
/// use mta_core::abuse::Tarpit;
/// use std::time::Duration;
/// let mut tarpit = Tarpit::new(1, Duration::from_secs(5));
/// assert_eq!(tarpit.refused(), Duration::ZERO);
/// assert_eq!(tarpit.refused(), Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Tarpit {
    free: u32,
    delay: Duration,
    refused: u32,
}

impl Tarpit {
    /// Delays refusals beyond the first `free`; no `delay` is no tarpit.
    #[must_use]
    pub const fn new(free: u32, delay: Duration) -> Self {
        let refused = 0;
        Self {
            free,
            delay,
            refused,
        }
    }

    /// Notes a refused recipient: how long the client has to wait before it is told.
    pub const fn refused(&mut self) -> Duration {
        self.refused = self.refused.saturating_add(1);
        if self.refused > self.free {
            self.delay
        } else {
            Duration::ZERO
        }
    }
}
