//! Group commit: records gather while a group is written, and one sync serves all of them (docs/spool-log.md).
//!
//! Whoever waits first writes for everybody; no lock is held while the disk works, so that the next
//! group gathers meanwhile. A group that fails fails for everybody in it, and its segment is never
//! written again, because a later sync may succeed although the data is gone.

use super::frame::Frame;
use super::index::{At, Change, Index};
use super::segment::{self, Head, Writer};
use crate::dir_syncs::{DirSyncs, Failure};
use crate::files::Files;
use crate::queue::QueueError;
use mta_core::ports::spool::MessageId;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// What all clones of a log share.
#[derive(Debug)]
pub(super) struct Shared<F: Files> {
    pub(super) files: Arc<F>,
    pub(super) dir: PathBuf,
    pub(super) segment_size: u64,
    pub(super) syncs: DirSyncs<F>,
    pub(super) next_id: AtomicU64,
    /// The segment that cannot be copied forward because a message in it is damaged.
    pub(super) stuck: AtomicU64,
    state: Mutex<State<F>>,
    changed: Condvar,
    gathered: Condvar,
    /// Held while something is read and then changed.
    changing: Mutex<()>,
}

/// What changes.
pub(super) struct State<F: Files> {
    pub(super) index: Index,
    /// Every segment that may be read, the one that is written included.
    pub(super) segments: BTreeMap<u64, Arc<F::File>>,
    pending: Vec<Waiting>,
    round: Arc<Round>,
    /// Away while a group is written; never there in a log that is only read.
    writer: Option<Tail<F>>,
    /// The messages that the group is about which is being written.
    writing: Option<HashSet<MessageId>>,
    closed: bool,
}

impl<F: Files> std::fmt::Debug for State<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("messages", &self.index.len())
            .field("segments", &self.segments.len())
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

/// The end of the log. A segment is begun when there is something to write, so that a log opens
/// on a full disk too.
#[derive(Debug)]
pub(super) struct Tail<F: Files> {
    /// What the next segment's header says.
    pub(super) next: Head,
    pub(super) ahead: u64,
    pub(super) writer: Option<Writer<F>>,
}

/// A record that waits for its group.
#[derive(Debug)]
struct Waiting {
    frame: Frame,
    id: MessageId,
    change: Change,
}

/// One group and what came of it.
#[derive(Debug, Default)]
struct Round {
    result: OnceLock<Result<(), Failure>>,
    told: Mutex<Vec<Told>>,
}

/// Is called once a group is durable, or is not.
struct Told(Box<dyn FnOnce(Result<(), QueueError>) + Send>);

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Told")
    }
}

/// A claim to a group.
#[derive(Debug)]
#[must_use = "nothing is durable before the group was waited for"]
pub(super) struct Group(Arc<Round>);

impl<F: Files> Shared<F> {
    pub(super) fn new(
        files: Arc<F>,
        dir: PathBuf,
        segment_size: u64,
        writer: Option<Tail<F>>,
    ) -> Self {
        Self {
            syncs: DirSyncs::keeping(Arc::clone(&files)),
            files,
            dir,
            segment_size,
            next_id: AtomicU64::new(1),
            stuck: AtomicU64::new(0),
            state: Mutex::new(State {
                index: Index::default(),
                segments: BTreeMap::new(),
                pending: Vec::new(),
                round: Arc::default(),
                writer,
                writing: None,
                closed: false,
            }),
            changed: Condvar::new(),
            gathered: Condvar::new(),
            changing: Mutex::default(),
        }
    }

    /// Lets nobody else change orders meanwhile.
    pub(super) fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once a group is durable; writes it where nobody else does.
    pub(super) fn wait(&self, group: &Group) -> Result<(), QueueError> {
        let mut state = self.lock();
        loop {
            if let Some(result) = group.0.result.get() {
                return result.map_err(|failure| self.failed(&failure.to_error()));
            }
            if state.writing.is_some() {
                let woken = self.changed.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state = self.write_group(state);
        }
    }

    /// Calls `tell` once the group is durable, on the thread that wrote it; somebody must write,
    /// such as the one in [`Shared::write_groups`].
    pub(super) fn on_durable(
        &self,
        group: &Group,
        tell: impl FnOnce(Result<(), QueueError>) + Send + 'static,
    ) {
        let mut told = group.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        match group.0.result.get() {
            None => told.push(Told(Box::new(tell))),
            Some(result) => {
                drop(told);
                tell(result.map_err(|failure| self.failed(&failure.to_error())));
            }
        }
    }

    /// Writes groups as they gather, until [`Shared::close`]; calls `between` after each.
    pub(super) fn write_groups(&self, between: &mut dyn FnMut()) {
        let mut state = self.lock();
        loop {
            if state.pending.is_empty() && state.closed {
                return;
            }
            if state.pending.is_empty() || state.writing.is_some() {
                let awaited = if state.writing.is_some() {
                    &self.changed
                } else {
                    &self.gathered
                };
                state = awaited.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            drop(self.write_group(state));
            between();
            state = self.lock();
        }
    }

    /// Ends [`Shared::write_groups`] once everything that waits was written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.gathered.notify_all();
    }

    /// Writes all that waits as one group. Nobody else is writing.
    fn write_group<'a>(&'a self, mut state: MutexGuard<'a, State<F>>) -> MutexGuard<'a, State<F>> {
        let round = std::mem::take(&mut state.round);
        let waiting = std::mem::take(&mut state.pending);
        let writer = state.writer.take();
        state.writing = Some(waiting.iter().map(|w| w.id).collect());
        drop(state);
        let (mut frames, changes): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .map(|w| (w.frame, (w.id, w.change)))
            .unzip();
        let mut tail = writer;
        let written = self.write_frames(tail.as_mut(), &mut frames);
        let mut state = self.lock();
        let writer = tail.as_ref().and_then(|tail| tail.writer.as_ref());
        if let Some(writer) = writer {
            state
                .segments
                .entry(writer.number)
                .or_insert_with(|| Arc::clone(&writer.file));
        }
        let result = match (written, writer) {
            (Ok(places), Some(writer)) => {
                for (offset, (id, change)) in places.into_iter().zip(changes) {
                    let at = At {
                        segment: writer.number,
                        offset,
                    };
                    // What left meanwhile does not come back.
                    state.index.apply(id, change, at);
                }
                Ok(())
            }
            (Err(error), _) => Err(Failure::of(&error)),
            (Ok(_), None) => Err(Failure::of(&io::ErrorKind::ReadOnlyFilesystem.into())),
        };
        state.writer = tail;
        state.writing = None;
        let told = {
            let mut told = round.told.lock().unwrap_or_else(PoisonError::into_inner);
            // Each round has one writer, so this is the first time.
            let _ = round.result.set(result);
            std::mem::take(&mut *told)
        };
        self.changed.notify_all();
        if told.is_empty() {
            return state;
        }
        drop(state);
        for Told(tell) in told {
            tell(result.map_err(|failure| self.failed(&failure.to_error())));
        }
        self.lock()
    }

    /// Writes records at the end of the log, beginning a new segment where that is due.
    fn write_frames(
        &self,
        tail: Option<&mut Tail<F>>,
        frames: &mut [Frame],
    ) -> io::Result<Vec<u64>> {
        let tail = tail.ok_or(io::ErrorKind::ReadOnlyFilesystem)?;
        let size: u64 = frames.iter().map(Frame::len).sum();
        let fits = |writer: &Writer<F>| {
            let is_new = writer.tail == segment::HEADER;
            !writer.failed && (is_new || writer.tail + size <= self.segment_size)
        };
        match tail.writer.take().filter(fits) {
            Some(writer) => tail.writer.insert(writer).write(frames),
            None => self.begin_segment(tail)?.write(frames),
        }
        .inspect(|_| {
            if let Some(writer) = &tail.writer {
                tail.next.previous = writer.number;
                tail.next.end = writer.tail;
            }
        })
    }

    fn begin_segment<'t>(&self, tail: &'t mut Tail<F>) -> io::Result<&'t mut Writer<F>> {
        tail.next.next_id = self.next_id.load(Ordering::Relaxed);
        loop {
            let made = Writer::create(&*self.files, &self.dir, tail.next, tail.ahead);
            match made {
                Ok(writer) => {
                    tail.next.number = writer.number + 1;
                    tail.next.previous = writer.number;
                    tail.next.end = writer.tail;
                    return Ok(tail.writer.insert(writer));
                }
                // Left by an attempt that failed.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => tail.next.number += 1,
                Err(e) => return Err(e),
            }
        }
    }

    fn failed(&self, error: &io::Error) -> QueueError {
        let error = Failure::of(error).to_error();
        QueueError::io("write a group to", self.dir.clone(), error)
    }
}

impl<F: Files> Shared<F> {
    /// Adds a record to the group that gathers.
    pub(super) fn append(&self, id: MessageId, change: Change, frame: Frame) -> Group {
        let mut state = self.lock();
        let group = state.append(id, change, frame);
        drop(state);
        self.gathered.notify_one();
        group
    }

    /// Tells whoever writes groups that [`State::append`] was called.
    pub(super) fn appended(&self) {
        self.gathered.notify_one();
    }
}

impl<F: Files> Drop for Shared<F> {
    /// Writes what nobody waited for, as a tool leaves it that ends.
    fn drop(&mut self) {
        let state = self.lock();
        if !state.pending.is_empty() && state.writer.is_some() {
            drop(self.write_group(state));
        }
    }
}

impl<F: Files> State<F> {
    /// Adds a record to the group that gathers, in one step with what else the caller does here.
    pub(super) fn append(&mut self, id: MessageId, change: Change, frame: Frame) -> Group {
        self.pending.push(Waiting { frame, id, change });
        Group(Arc::clone(&self.round))
    }

    /// Returns the group that gathers; `None` where nothing waits and nothing is being written.
    pub(super) fn gathering(&self) -> Option<Group> {
        let idle = self.pending.is_empty() && self.writing.is_none();
        (!idle).then(|| Group(Arc::clone(&self.round)))
    }

    /// Tells whether a record about a message waits or is being written.
    pub(super) fn is_changing(&self, id: MessageId) -> bool {
        self.pending.iter().any(|w| w.id == id)
            || self.writing.as_ref().is_some_and(|ids| ids.contains(&id))
    }

    /// Tells whether this log is written here, and not only read.
    pub(super) const fn may_write(&self) -> bool {
        self.writer.is_some() || self.writing.is_some()
    }
}
