//! Waiting for an event with a deadline.

use std::time::{Duration, Instant};

/// How long any single event may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Polls `probe` until it yields something.
///
/// # Panics
/// Panics with `what` where nothing came within a minute.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < give_up, "waited a minute for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
