//! The message queue in qmail's directory layout (INTERNALS, qmail-queue(8), envelopes(5)).
//!
//! A message is in one of five states, told apart by which files bear its number:
//!
//! ```text
//! S1  nothing
//! S2  mess                              being written, or left by a writer that died
//! S3  mess, intd                        its envelope is being written
//! S4  mess, (intd), todo, (leftovers)   queued: Draft::commit said Ok
//! S5  mess, info, (local), (remote), (bounce)   preprocessed: recipients sorted by channel
//! ```
//!
//! Unlike qmail, no step is reported done before its names are durable too: a directory is synced
//! after it changed, once for all callers that wait for it. And no file whose name would decide who
//! gets what is freed before the loss of that name is durable, because its inode number, and with it
//! its contents under the old name, may belong to another message a moment later.

mod channel;
mod cleaner;
mod dirsync;
mod draft;
mod error;
mod finish;
mod layout;
pub mod limits;
mod message;
mod params;
mod params_edit;
mod preprocess;
mod quarantine;
mod records;
mod recover;
mod stock;

pub use cleaner::Cleaner;
pub(crate) use draft::check as check_envelope;
pub use draft::{Draft, Origin};
pub use error::QueueError;
pub use finish::Reaped;
pub use layout::{Layout, SPLIT};
pub use message::{Info, Message, MessageReader, Source};
pub use mta_core::ports::spool::MessageId;
pub use mta_core::queue::Pending;
pub use params::{Params, Reroute};
pub use preprocess::Preprocessed;
pub use quarantine::Quarantined;
pub use recover::{Recovered, Standing};

use crate::dir_syncs::Ticket;
use crate::files::{Access, Files, OpenFile, Wait};
use dirsync::Syncs;
pub(crate) use error::At;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock};

/// A queue directory; clones share it.
///
/// Any number of writers, in any number of processes, may use [`Queue::begin`]. Everything from
/// [`Queue::preprocess`] on belongs to one process, the one that holds [`Queue::lock_drainer`].
///
/// ```
/// # #[cfg(feature = "sim")] {
/// use mta_core::rewrite::{Channel, Routed};
/// use mta_core::{Address, Envelope, Unix};
/// use mta_store::files::SimFiles;
/// use mta_store::queue::{Origin, Queue};
/// use std::sync::Arc;
///
/// let queue = Queue::create(Arc::new(SimFiles::new()), "/queue")?;
/// let mut draft = queue.begin(Origin { pid: 42, uid: 0 }, Unix(1_000_000_000))?;
/// draft.write(b"Received: (here)\nSubject: hello\n\nHello.\n")?;
/// let envelope = Envelope {
///     recipients: vec![Address::new(*b"joe@example.org").unwrap().into()],
///     ..Envelope::default()
/// };
/// let id = draft.commit(&envelope)?;
///
/// assert_eq!(queue.todo()?, [id]);
/// let done = queue.preprocess(id, Unix(1_000_000_001), &mut |to| Routed {
///     channel: Channel::Local,
///     address: to.clone(),
/// })?;
/// assert_eq!(done.local, 1);
/// let pending = queue.pending(id, Channel::Local)?;
/// queue.mark_done(id, Channel::Local, &[pending[0].offset])?;
/// queue.finish(id)?;
/// # }
/// # Ok::<(), mta_store::queue::QueueError>(())
/// ```
#[derive(Debug)]
pub struct Queue<F: Files> {
    inner: Arc<Inner<F>>,
}

impl<F: Files> Clone for Queue<F> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

#[derive(Debug)]
struct Inner<F: Files> {
    files: Arc<F>,
    layout: Layout,
    syncs: Syncs<F>,
    serial: AtomicU64,
    stock: stock::Stock<F>,
    /// Whether no envelope without its message can be there any more.
    recovered: AtomicBool,
    /// Held while a file in params/ is replaced.
    editing: Mutex<()>,
    cleaner: OnceLock<Arc<dyn Cleaner>>,
    /// Files that we make belong to whom they should.
    ours: OnceLock<()>,
}

/// The right to preprocess, deliver and remove; given back when dropped.
#[derive(Debug)]
pub struct Drainer<L> {
    _lock: L,
}

impl<L> Drainer<L> {
    pub(crate) const fn holding(lock: L) -> Self {
        Self { _lock: lock }
    }
}

impl<F: Files> Queue<F> {
    /// Opens a queue that [`Queue::create`] or qmail made. What only we need, such as `params/` and
    /// `quarantine/`, is made where it is missing.
    ///
    /// # Errors
    /// Fails where `dir` is no queue or our directories cannot be made.
    pub fn open(files: Arc<F>, dir: impl Into<PathBuf>) -> Result<Self, QueueError> {
        let queue = Self::look_at(files, dir)?;
        queue.paths().make_own(queue.files())?;
        Ok(queue)
    }

    /// Opens a queue to read it, or to put messages without parameters into it; nothing is made.
    ///
    /// # Errors
    /// Fails where `dir` is no queue.
    pub fn look_at(files: Arc<F>, dir: impl Into<PathBuf>) -> Result<Self, QueueError> {
        let layout = Layout::new(dir);
        for path in layout.original_dirs() {
            let stat = files.stat(&path).at("find", &path)?;
            if stat.kind != crate::files::Kind::Dir {
                return Err(QueueError::broken(path, "expected a directory"));
            }
        }
        Ok(Self::with_layout(files, layout))
    }

    /// Lists the messages in state S5, in ascending order.
    ///
    /// # Errors
    /// Fails where a directory cannot be read.
    pub fn preprocessed(&self) -> Result<Vec<MessageId>, QueueError> {
        let mut ids = self.ids("info")?;
        ids.sort_unstable();
        Ok(ids)
    }

    /// Makes a queue as qmail's installer does, or completes one, and makes it durable.
    ///
    /// # Errors
    /// Fails where something cannot be made.
    pub fn create(files: Arc<F>, dir: impl Into<PathBuf>) -> Result<Self, QueueError> {
        let layout = Layout::new(dir);
        layout.make_all(&*files)?;
        Ok(Self::with_layout(files, layout))
    }

    fn with_layout(files: Arc<F>, layout: Layout) -> Self {
        Self {
            inner: Arc::new(Inner {
                syncs: Syncs::new(Arc::clone(&files)),
                files,
                layout,
                serial: AtomicU64::new(1),
                stock: stock::Stock::default(),
                recovered: AtomicBool::new(false),
                editing: Mutex::new(()),
                cleaner: OnceLock::new(),
                ours: OnceLock::new(),
            }),
        }
    }

    /// Returns where everything lies.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.inner.layout
    }

    /// Takes lock/sendmutex, which qmail-send holds too.
    ///
    /// # Errors
    /// [`QueueError::Busy`] where another process drains this queue.
    pub fn lock_drainer(&self) -> Result<Drainer<F::Lock>, QueueError> {
        let path = self.inner.layout.sendmutex();
        let lock = self.files().lock(&path, Wait::Never).at("lock", &path)?;
        lock.map(Drainer::holding).ok_or(QueueError::Busy)
    }

    /// Wakes the process that drains the queue. Failure does not matter: it looks by itself, later.
    pub fn pull_trigger(&self) {
        let _ = self.files().pull(&self.inner.layout.trigger());
    }

    /// Lists the messages that wait to be preprocessed; foreign names are left out.
    ///
    /// # Errors
    /// Fails where the directory cannot be read.
    pub fn todo(&self) -> Result<Vec<MessageId>, QueueError> {
        let dir = self.inner.layout.todo_dir();
        let mut ids = Vec::new();
        let mut visit = |name: &std::ffi::OsStr| ids.extend(layout::parse_id(name));
        self.files().read_dir(&dir, &mut visit).at("list", &dir)?;
        ids.sort_unstable();
        Ok(ids)
    }

    fn files(&self) -> &F {
        &self.inner.files
    }

    fn paths(&self) -> &Layout {
        &self.inner.layout
    }

    fn syncs(&self) -> &Syncs<F> {
        &self.inner.syncs
    }

    /// Gives a new file to the owner of its directory where we are somebody else, who can only be
    /// root: qmail's programs read and remove what belongs to qmailq and qmails.
    fn hand_over(&self, path: &std::path::Path, file: &F::File) -> Result<(), QueueError> {
        let (Some(dir), None) = (path.parent(), self.inner.ours.get()) else {
            return Ok(());
        };
        let owner = self.files().stat(dir).at("describe", dir)?;
        if file.stat().at("describe", path)?.uid == owner.uid {
            let _ = self.inner.ours.set(());
            return Ok(());
        }
        self.files()
            .chown(path, owner.uid, owner.gid)
            .at("give away", path)
    }

    /// Removes a name and returns the file still open, so that its inode is not reused before the
    /// caller made the removal durable.
    fn unlink_held(&self, path: &std::path::Path) -> Result<Option<Held<F>>, QueueError> {
        let file = match self.files().open(path, Access::Read) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).at("open", path),
        };
        self.files().unlink(path).at("remove", path)?;
        let ticket = self.syncs().mark(path);
        Ok(Some(Held {
            _file: file,
            ticket,
        }))
    }

    /// Waits until the removals are durable, then lets the files go.
    fn settle(&self, held: impl IntoIterator<Item = Held<F>>) -> Result<(), QueueError> {
        for one in held {
            self.syncs().wait(&one.ticket)?;
        }
        Ok(())
    }

    fn read_small(&self, path: &std::path::Path, limit: usize) -> Result<Vec<u8>, QueueError> {
        let file = self.open_regular(path)?;
        file.read_all(limit).map_err(|e| match e.kind() {
            std::io::ErrorKind::FileTooLarge => QueueError::broken(path, e.to_string()),
            _ => QueueError::io("read", path, e),
        })
    }

    /// Opens a file of the queue for reading; anything but a regular file is broken.
    fn open_regular(&self, path: &std::path::Path) -> Result<F::File, QueueError> {
        let file = self.files().open(path, Access::Read).at("open", path)?;
        match file.stat().at("describe", path)?.kind {
            crate::files::Kind::File => Ok(file),
            _ => Err(QueueError::broken(path, "expected a regular file")),
        }
    }
}

/// A file whose name is gone from the cache, but perhaps not yet from the disk.
struct Held<F: Files> {
    _file: F::File,
    ticket: Ticket<F>,
}
