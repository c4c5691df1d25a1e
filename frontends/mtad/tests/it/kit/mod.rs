//! What the tests share: a home that vanishes, the running program, line clients and fake hosts.

mod dns;
mod fake;
mod home;
mod line;
mod running;

pub(crate) use dns::FakeDns;
pub(crate) use fake::FakeServer;
pub(crate) use home::{Home, files_below, messages};
pub(crate) use line::Line;
pub(crate) use running::Running;

use std::time::{Duration, Instant};

/// How long one event may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again until there is something.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
