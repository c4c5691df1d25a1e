//! Store threads: blocking file calls away from the tasks that serve connections.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// How much stack a store thread has.
pub const STACK: usize = 512 * 1024;
/// How long a thread without work stays.
pub const IDLE: Duration = Duration::from_secs(30);

/// How large a pool may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are filled in with `..Default::default()`"
)]
pub struct PoolLimits {
    /// Threads at most. As many syncs can be under way at once, and share directory syncs.
    pub threads: usize,
    /// Jobs of [`StorePool::run`] that are taken and not done, at most; further callers wait.
    pub waiting: usize,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            threads: 32,
            waiting: 256,
        }
    }
}

/// The work was not done: the pool is closed, or the work itself panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store threads did not finish the work")]
pub struct NotDone;

/// A few threads for blocking work, started when there is work and ended when there is none for
/// some time. Clones share them; when the last one is dropped they finish what waits, and end.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use driver::{PoolLimits, StorePool};
/// let pool = StorePool::start("store", PoolLimits::default()).unwrap();
/// assert_eq!(pool.run(|| 6 * 7).await, Ok(42));
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct StorePool {
    owner: Arc<Owner>,
}

/// Closes the pool when the last [`StorePool`] goes.
#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    room: Semaphore,
}

#[derive(Debug)]
struct Shared {
    name: String,
    threads: usize,
    state: Mutex<State>,
    work_or_end: Condvar,
    all_gone: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    running: usize,
    idle: usize,
    closed: bool,
}

type Job = Box<dyn FnOnce() + Send>;

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("waiting", &self.jobs.len())
            .field("running", &self.running)
            .field("idle", &self.idle)
            .field("closed", &self.closed)
            .finish()
    }
}

impl StorePool {
    /// Starts the first thread; `name` is what process listings show.
    ///
    /// # Errors
    /// Fails when the system starts no thread.
    pub fn start(name: impl Into<String>, limits: PoolLimits) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            name: name.into(),
            threads: limits.threads.max(1),
            state: Mutex::default(),
            work_or_end: Condvar::new(),
            all_gone: Condvar::new(),
        });
        shared.lock().running = 1;
        let owner = Owner {
            room: Semaphore::new(limits.waiting.clamp(1, Semaphore::MAX_PERMITS)),
            shared,
        };
        start_thread(&owner.shared)?;
        Ok(Self {
            owner: Arc::new(owner),
        })
    }

    /// Does `work` on a store thread.
    ///
    /// Dropping the future before `work` was taken means that it is never done; afterwards it is
    /// done all the same.
    ///
    /// # Errors
    /// Fails when `work` panics.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotDone> {
        let owner = Arc::clone(&self.owner);
        let permit = owner.room.acquire().await.map_err(|_| NotDone)?;
        let done = self.submit(work);
        let result = done.await.map_err(|_| NotDone);
        drop(permit);
        result
    }

    /// Takes `work` at once, past the limit of waiting jobs: for work that must not be forgotten
    /// and that something else keeps within bounds.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move || {
            // A receiver that is gone drops the result here, on the store thread.
            let _ = sender.send(work());
        });
        self.owner.shared.push(job);
        receiver
    }

    /// Waits, blocking the thread, until everything that was taken is done; takes nothing more.
    pub fn close(&self) {
        self.owner.room.close();
        self.owner.shared.end();
        let mut state = self.owner.shared.lock();
        while state.running > 0 {
            state = wait(&self.owner.shared.all_gone, state);
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(self: &Arc<Self>, job: Job) {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            // Dropping the job tells its caller.
            return drop(job);
        }
        state.jobs.push_back(job);
        if state.jobs.len() <= state.idle {
            drop(state);
            self.work_or_end.notify_one();
        } else if state.running < self.threads {
            state.running += 1;
            drop(state);
            // Without a further thread the job waits for one of those that there are.
            let _ = start_thread(self);
        }
    }

    fn end(&self) {
        self.lock().closed = true;
        self.work_or_end.notify_all();
    }

    /// Waits for a job; `None` ends the thread. The last thread stays as long as the pool is open,
    /// because starting another may fail.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            let waited = self.work_or_end.wait_timeout(state, IDLE);
            let (next, timed_out) = waited.unwrap_or_else(PoisonError::into_inner);
            state = next;
            state.idle -= 1;
            let spare = timed_out.timed_out() && state.running > 1;
            if spare && state.jobs.is_empty() {
                return None;
            }
        }
    }

    fn gone(&self) {
        let mut state = self.lock();
        state.running -= 1;
        if state.running == 0 {
            self.all_gone.notify_all();
        }
    }
}

/// Starts a thread that is counted already.
fn start_thread(shared: &Arc<Shared>) -> io::Result<()> {
    let builder = thread::Builder::new()
        .name(shared.name.clone())
        .stack_size(STACK);
    let mine = Arc::clone(shared);
    let started = builder.spawn(move || {
        while let Some(job) = mine.next_job() {
            // The caller learns of a panic because its channel is dropped with the job.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
        mine.gone();
    });
    if started.is_err() {
        shared.gone();
    }
    started.map(drop)
}

fn wait<'a>(condvar: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condvar.wait(state).unwrap_or_else(PoisonError::into_inner)
}
