//! Either store as the asynchronous [`Spool`]: a small message takes one trip to a store thread, or none where a log gathers it; large ones take one for every piece that was collected.

use crate::{Clock, StorePool};
use async_trait::async_trait;
use bytes::Bytes;
use mta_core::ports::Spool;
use mta_core::ports::spool::{Incoming, MessageId, SpoolError};
use mta_core::{Envelope, Unix};
use mta_store::files::Files;
use mta_store::log;
use mta_store::queue::{Origin, QueueError};
use mta_store::store::{Draft, Store};
use std::fmt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// How many bytes of one message are collected before a store thread writes them to a queue in
/// qmail's layout. For a log it is [`log::INLINE`].
pub const BATCH: usize = 64 * 1024;
/// The smallest buffer that a message gets.
const FIRST: usize = 4 * 1024;
/// How many bytes all messages together may have collected, unless
/// [`SpoolBuilder::budget`] says otherwise.
pub const BUDGET: usize = 16 * 1024 * 1024;

/// A [`Store`] behind a [`StorePool`].
///
/// Where it is a log, somebody must write its groups: see [`LogWriter`](crate::LogWriter).
///
/// What a message collects is taken from one budget of bytes. Where that is used up messages are
/// not stopped, which would let slow senders stop fast ones; their pieces go to the store threads
/// one by one, as they come. (A [`Draft`] has a small buffer besides, as large as
/// [`mta_store::queue::limits::WRITE_BUFFER`].)
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use driver::{PoolLimits, QueueSpool, StorePool};
/// use mta_core::ports::Spool;
/// use mta_core::Envelope;
/// use mta_store::files::SimFiles;
/// use mta_store::queue::{Origin, Queue};
/// use mta_store::store::Store;
/// use mta_core::rewrite::Routing;
///
/// let queue = Queue::create(SimFiles::new().into(), "/queue").unwrap();
/// let routing = Routing::default();
/// let store = Store::queue(queue.clone(), std::sync::Arc::new(move |to| routing.route(to)));
/// let pool = StorePool::start("store", PoolLimits::default()).unwrap();
/// let origin = Origin { pid: 42, uid: 0 };
/// let spool = QueueSpool::builder(store, pool, origin).build();
/// let mut incoming = spool.begin().await.unwrap();
/// incoming.write("Subject: hello\n\nHello.\n".into()).await.unwrap();
/// let id = incoming.commit(Envelope::default()).await.unwrap();
/// assert_eq!(queue.todo().unwrap(), [id]);
/// # });
/// ```
#[derive(Debug)]
pub struct QueueSpool<F: Files> {
    shared: Arc<Shared<F>>,
}

struct Shared<F: Files> {
    store: Store<F>,
    pool: StorePool,
    origin: Origin,
    now: Box<dyn Fn() -> Unix + Send + Sync>,
    queued: Box<dyn Fn(MessageId) + Send + Sync>,
    budget: Arc<Semaphore>,
}

impl<F: Files> fmt::Debug for Shared<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("store", &self.store)
            .field("pool", &self.pool)
            .field("budget", &self.budget.available_permits())
            .finish_non_exhaustive()
    }
}

impl<F: Files> Clone for QueueSpool<F> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// How a [`QueueSpool`] is put together.
pub struct SpoolBuilder<F: Files> {
    shared: Shared<F>,
}

impl<F: Files> fmt::Debug for SpoolBuilder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl<F: Files> QueueSpool<F> {
    /// Begins with the system's clock, the usual budget and nobody to tell of new messages;
    /// `origin` stands in the queue as the submitting process and user.
    pub fn builder(store: Store<F>, pool: StorePool, origin: Origin) -> SpoolBuilder<F> {
        SpoolBuilder {
            shared: Shared {
                store,
                pool,
                origin,
                now: Box::new(Clock::unix),
                queued: Box::new(|_| {}),
                budget: Arc::new(Semaphore::new(BUDGET)),
            },
        }
    }
}

impl<F: Files> SpoolBuilder<F> {
    /// Takes the time of birth from `now`.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> Unix + Send + Sync + 'static) -> Self {
        self.shared.now = Box::new(now);
        self
    }

    /// Calls `queued` on the store thread once a message is durable, even where its sender has
    /// stopped waiting: that is how whoever delivers learns of it.
    #[must_use]
    pub fn on_queued(mut self, queued: impl Fn(MessageId) + Send + Sync + 'static) -> Self {
        self.shared.queued = Box::new(queued);
        self
    }

    /// Lets all messages together collect at most `bytes`.
    #[must_use]
    pub fn budget(mut self, bytes: usize) -> Self {
        let bytes = bytes.min(Semaphore::MAX_PERMITS);
        self.shared.budget = Arc::new(Semaphore::new(bytes));
        self
    }

    /// Makes the spool.
    #[must_use]
    pub fn build(self) -> QueueSpool<F> {
        QueueSpool {
            shared: Arc::new(self.shared),
        }
    }
}

#[async_trait]
impl<F: Files> Spool for QueueSpool<F> {
    async fn begin(&self) -> Result<Box<dyn Incoming>, SpoolError> {
        Ok(Box::new(Intake {
            shared: Arc::clone(&self.shared),
            collected: Collected::default(),
            stage: Stage::Fresh,
        }))
    }
}

/// One message on its way in.
struct Intake<F: Files> {
    shared: Arc<Shared<F>>,
    collected: Collected,
    stage: Stage<F>,
}

/// Where the message is.
enum Stage<F: Files> {
    /// Nothing of it is in the queue.
    Fresh,
    /// A part of it is.
    Begun(Draft<F>),
    /// A store thread has it. Whoever gave up waiting for that thread cannot go on.
    Away,
}

impl<F: Files> Stage<F> {
    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Away)
    }
}

/// Bytes that no store thread has seen, with their share of the budget.
#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    share: Option<OwnedSemaphorePermit>,
}

impl Collected {
    /// Adds a piece where the batch and the budget have room for it.
    fn add(&mut self, piece: &[u8], batch: usize, budget: &Arc<Semaphore>) -> bool {
        let wanted = self.bytes.len().saturating_add(piece.len());
        if wanted > batch {
            return false;
        }
        if wanted > self.bytes.capacity() {
            let capacity = wanted.next_power_of_two().max(FIRST);
            let more = capacity - self.bytes.capacity();
            let Ok(permits) = u32::try_from(more) else {
                return false;
            };
            let Ok(share) = Arc::clone(budget).try_acquire_many_owned(permits) else {
                return false;
            };
            match &mut self.share {
                Some(all) => all.merge(share),
                none => *none = Some(share),
            }
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
        true
    }
}

impl<F: Files> Shared<F> {
    /// Brings a message on by what was collected and one piece more; blocks.
    fn write(
        &self,
        stage: Stage<F>,
        collected: Collected,
        piece: &[u8],
    ) -> Result<Draft<F>, SpoolError> {
        let mut draft = match stage {
            Stage::Fresh => self
                .store
                .begin(self.origin, (self.now)())
                .map_err(storage)?,
            Stage::Begun(draft) => draft,
            Stage::Away => {
                let why = "the message was given up while it was being written";
                return Err(SpoolError::Storage(why.to_owned()));
            }
        };
        draft.write_owned(collected.bytes).map_err(storage)?;
        draft.write(piece).map_err(storage)?;
        Ok(draft)
    }

    /// Commits what was collected and tells whoever waits, if anybody still does.
    fn commit(
        self: Arc<Self>,
        stage: Stage<F>,
        mut collected: Collected,
        envelope: &Envelope,
        tell: oneshot::Sender<Result<MessageId, SpoolError>>,
    ) {
        // The bytes are in memory until they are written, and so is their share of the budget.
        let share = collected.share.take();
        match self.write(stage, collected, &[]) {
            Err(error) => drop(tell.send(Err(error))),
            Ok(draft) => draft.submit(envelope, move |done| {
                drop(share);
                let done = done.map_err(storage);
                if let Ok(id) = done {
                    (self.queued)(id);
                }
                let _ = tell.send(done);
            }),
        }
    }

    fn batch(&self) -> usize {
        match self.store.as_log() {
            Some(_) => log::INLINE,
            None => BATCH,
        }
    }
}

#[async_trait]
impl<F: Files> Incoming for Intake<F> {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SpoolError> {
        let at_hand = !matches!(self.stage, Stage::Away);
        let shared = &self.shared;
        if at_hand && self.collected.add(&chunk, shared.batch(), &shared.budget) {
            return Ok(());
        }
        let (stage, collected) = (self.stage.take(), std::mem::take(&mut self.collected));
        let shared = Arc::clone(&self.shared);
        let work = move || shared.write(stage, collected, &chunk);
        let draft = self.shared.pool.run(work).await;
        self.stage = Stage::Begun(draft.map_err(|_| SpoolError::Closed)??);
        Ok(())
    }

    async fn commit(mut self: Box<Self>, envelope: Envelope) -> Result<MessageId, SpoolError> {
        let (stage, collected) = (self.stage.take(), std::mem::take(&mut self.collected));
        let shared = Arc::clone(&self.shared);
        let (tell, told) = oneshot::channel();
        let is_small = matches!(stage, Stage::Fresh) && self.shared.store.as_log().is_some();
        let work = move || shared.commit(stage, collected, &envelope, tell);
        if is_small {
            // Nothing here waits for the disk.
            work();
        } else if self.shared.pool.submit(work).await.is_err() {
            return Err(SpoolError::Closed);
        }
        told.await.map_err(|_| SpoolError::Closed)?
    }
}

impl<F: Files> Drop for Intake<F> {
    fn drop(&mut self) {
        // Aborting a draft removes a file, which may block.
        if let Stage::Begun(draft) = self.stage.take() {
            drop(self.shared.pool.submit(move || drop(draft)));
        }
    }
}

/// Tells what of a queue's failure the sender's side needs to know.
fn storage(error: QueueError) -> SpoolError {
    match error {
        QueueError::Full { .. } => SpoolError::Full,
        QueueError::Envelope(why) => SpoolError::Unacceptable(why.to_owned()),
        other => SpoolError::Storage(other.to_string()),
    }
}
