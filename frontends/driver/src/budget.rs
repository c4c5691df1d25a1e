//! How many bytes of input all sessions of a process hold together (an invariant of the architecture: untrusted bytes have a bound).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What each session may hold beside the budget, so that none waits for another.
pub const ALLOWANCE: usize = 4 * 1024;
/// What a session may read even so when its machine cannot go on with what it holds.
pub(crate) const LEAST: usize = 1024;

/// Bytes that were read from peers and are not dealt with: those that wait in a
/// [`Wire`](mta_proto::Wire), and those of the event that the application has in hand.
///
/// Where the budget is used up nobody is stopped: each session goes on with [`ALLOWANCE`] bytes at
/// a time, which is slower and bounded.
///
/// ```
/// use driver::Budget;
/// let budget = Budget::new(10_000);
/// let (mut one, mut other) = (budget.share(), budget.share());
/// assert_eq!(one.grow(8000), 8000);
/// assert_eq!(other.grow(8000), 2000);
/// drop(one);
/// assert_eq!(other.grow(6000), 6000);
/// assert_eq!(budget.left(), 2000);
/// ```
#[derive(Clone, Debug)]
pub struct Budget {
    left: Arc<AtomicUsize>,
}

/// One session's part of a [`Budget`]; dropping it gives the part back.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    held: usize,
}

impl Budget {
    /// Lets all sessions together hold `bytes`, beside the [`ALLOWANCE`] of each.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let left = Arc::new(AtomicUsize::new(bytes));
        Self { left }
    }

    /// A part for one session, empty as yet.
    #[must_use]
    pub fn share(&self) -> Share {
        let budget = self.clone();
        Share { budget, held: 0 }
    }

    /// How many bytes nobody holds.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }
}

impl Share {
    /// Takes up to `wanted` bytes more and returns how many there were.
    pub fn grow(&mut self, wanted: usize) -> usize {
        let mut got = 0;
        let take = |left: usize| {
            got = left.min(wanted);
            (got > 0).then(|| left - got)
        };
        // Where nothing is left nothing changes, which is no failure.
        let _ = self
            .budget
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        self.held += got;
        got
    }

    /// Gives back all but `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let back = self.held.saturating_sub(bytes);
        if back > 0 {
            self.held -= back;
            self.budget.left.fetch_add(back, Ordering::Relaxed);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}
