//! How far stopping has come, as every task of the server sees it (SIGTERM).

use tokio::sync::watch;

/// The three phases, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "stopping has these phases")]
pub enum Phase {
    /// Nobody wants the server to stop.
    Serve,
    /// Take nothing new, finish what runs.
    Finish,
    /// Time is over: cut what still runs.
    Cut,
}

/// Announces the phases.
#[derive(Debug)]
pub struct Stopper(watch::Sender<Phase>);

/// Hears of the phases.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Phase>);

impl Stopper {
    /// Begins in [`Phase::Serve`].
    #[must_use]
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(Phase::Serve);
        (Self(sender), Stop(receiver))
    }

    /// Goes on to a phase; there is no way back.
    pub fn announce(&self, phase: Phase) {
        self.0.send_if_modified(|now| {
            let later = phase > *now;
            *now = phase.max(*now);
            later
        });
    }
}

impl Stop {
    /// Returns the phase of this moment.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Waits until a phase is reached. A server that is gone counts as one that cuts.
    pub async fn reached(&mut self, phase: Phase) {
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }
}
