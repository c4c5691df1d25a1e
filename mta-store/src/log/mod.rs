//! A spool that commits many messages with one sync: a log of records in segments (docs/spool-log.md).
//!
//! ```text
//!  writers ─► records gather ─► one write, one sync ─► all are told
//!                   ▲ the next group gathers meanwhile
//!
//!  0000000001.seg │ message message done │ message finished done │ …   oldest first,
//!  0000000002.seg │ message …                                          freed when nothing counts
//!  body/17                             a body too large for the log
//! ```
//!
//! A message is a record with its envelope, its recipients routed, and its body. What becomes of it
//! are further records: recipients that are done, failure text, the end. Nothing is ever written
//! over. The oldest segment goes when none of its messages is left; when the log has grown to twice
//! what counts in it, the rest of the oldest segment is copied to the end first.

mod compact;
mod draft;
mod envelope;
mod frame;
mod group;
mod index;
mod orders;
mod recover;
mod replay;
mod segment;
mod state;

pub use draft::Draft;
pub use envelope::Door;
pub use recover::Recovered;

use crate::files::{Files, Wait};
use crate::queue::{At as _, Drainer, QueueError};
use group::{Shared, Tail};
use segment::Head;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How large a segment becomes; one with a larger record is larger.
pub const SEGMENT: u64 = 16 << 20;
/// The longest body that stands in the log; longer ones get a file of their own.
pub const INLINE: usize = 256 * 1024;
/// The file whose lock the one process holds that writes.
const LOCK: &str = "lock";
/// The directory of bodies in files of their own.
const BODIES: &str = "body";

/// A log spool; clones share it.
///
/// One process writes a log, held by its lock; others may only look.
///
/// ```
/// # #[cfg(feature = "sim")] {
/// use mta_core::rewrite::{Channel, Routed};
/// use mta_core::{Address, Envelope, Unix};
/// use mta_store::files::SimFiles;
/// use mta_store::log::Log;
/// use mta_store::queue::Origin;
/// use std::sync::Arc;
///
/// let (log, _) = Log::open(Arc::new(SimFiles::new()), "/log")?;
/// let mut draft = log.begin(Origin { pid: 42, uid: 0 });
/// draft.write(b"Received: (here)\nSubject: hello\n\nHello.\n")?;
/// let envelope = Envelope {
///     recipients: vec![Address::new(*b"joe@example.org").unwrap().into()],
///     ..Envelope::default()
/// };
/// let id = draft.commit(&envelope, Unix(1_000_000_000), &mut |to| Routed {
///     channel: Channel::Local,
///     address: to.clone(),
/// })?;
///
/// let pending = log.pending(id, Channel::Local)?;
/// log.mark_done(id, &[pending[0].offset])?;
/// log.finish(id)?;
/// # }
/// # Ok::<(), mta_store::queue::QueueError>(())
/// ```
#[derive(Debug)]
pub struct Log<F: Files> {
    shared: Arc<Shared<F>>,
    /// Held as long as any clone lives.
    lock: Option<Arc<Drainer<F::Lock>>>,
}

impl<F: Files> Clone for Log<F> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            lock: self.lock.clone(),
        }
    }
}

impl<F: Files> Log<F> {
    /// Makes an empty log, durably.
    ///
    /// # Errors
    /// Fails where something cannot be made.
    pub fn create(files: &F, dir: &Path) -> Result<(), QueueError> {
        make_dirs(files, dir)?;
        let path = dir.join(LOCK);
        drop(files.lock(&path, Wait::Forever).at("lock", &path)?);
        files.sync_dir(dir).at("sync", dir)
    }

    /// Opens a log for writing, making it where it is missing, and says what stands in it.
    ///
    /// # Errors
    /// [`QueueError::Busy`] where another process writes it.
    pub fn open(files: Arc<F>, dir: impl Into<PathBuf>) -> Result<(Self, Recovered), QueueError> {
        Self::open_with(files, dir, SEGMENT)
    }

    /// As [`Log::open`], with segments of another size.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_with(
        files: Arc<F>,
        dir: impl Into<PathBuf>,
        segment_size: u64,
    ) -> Result<(Self, Recovered), QueueError> {
        let dir = dir.into();
        make_dirs(&*files, &dir)?;
        let path = dir.join(LOCK);
        let lock = files.lock(&path, Wait::Never).at("lock", &path)?;
        let lock = lock.map(Drainer::holding).ok_or(QueueError::Busy)?;
        let replay = replay::replay(&*files, &dir).at("read", &dir)?;
        let tail = Tail {
            next: continued(&dir, &replay)?,
            ahead: segment::AHEAD.min(segment_size),
            writer: None,
        };
        let shared = Shared::new(files, dir, segment_size, Some(tail));
        let log = Self {
            shared: Arc::new(shared),
            lock: Some(Arc::new(lock)),
        };
        let recovered = log.recovered(replay)?;
        Ok((log, recovered))
    }

    /// Opens a log to read what stands in it now; nothing is changed, and another process may
    /// write meanwhile.
    ///
    /// # Errors
    /// Fails where there is no log.
    pub fn look_at(
        files: Arc<F>,
        dir: impl Into<PathBuf>,
    ) -> Result<(Self, Recovered), QueueError> {
        let dir = dir.into();
        let replay = replay::replay(&*files, &dir).at("read", &dir)?;
        let shared = Shared::new(files, dir, SEGMENT, None);
        let log = Self {
            shared: Arc::new(shared),
            lock: None,
        };
        let recovered = log.recovered(replay)?;
        Ok((log, recovered))
    }

    /// Tells whether a directory holds a log.
    ///
    /// # Errors
    /// Fails where the system does not let us look.
    pub fn is_at(files: &F, dir: &Path) -> Result<bool, QueueError> {
        let path = dir.join(LOCK);
        files.exists(&path).at("find", &path)
    }

    /// Writes groups as they gather, until [`Log::close`]: the work of one thread, with which
    /// [`Draft::submit`] needs nobody to wait. Old segments are freed on the way; `trouble` is told
    /// where that fails, which costs room and nothing else, and is tried again after each group.
    pub fn write_groups(&self, trouble: &mut dyn FnMut(&QueueError)) {
        self.shared.write_groups(&mut || {
            if let Err(error) = self.tidy() {
                trouble(&error);
            }
        });
    }

    /// Ends [`Log::write_groups`] once everything that waits was written.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Returns the directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// Returns how many messages stand in the log.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.lock().index.len()
    }

    /// Tells whether no message stands in the log.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn bodies(&self) -> PathBuf {
        self.shared.dir.join(BODIES)
    }
}

fn make_dirs<F: Files>(files: &F, dir: &Path) -> Result<(), QueueError> {
    for path in [dir.to_path_buf(), dir.join(BODIES)] {
        match files.mkdir(&path, 0o700) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => made.at("make", &path)?,
        }
    }
    files.sync_dir(dir).at("sync", dir)?;
    match dir.parent() {
        Some(parent) => files.sync_dir(parent).at("sync", parent),
        None => Ok(()),
    }
}

/// The header of the segment after what was found: it cuts what a crash tore off.
fn continued<F: Files>(dir: &Path, replay: &replay::Replay<F>) -> Result<Head, QueueError> {
    let last = replay.segments.keys().next_back().copied();
    let foreign = replay.foreign.iter().next_back().copied();
    let opened = last.and_then(|number| replay.segments.get(&number));
    if let Some(opened) = opened {
        // A group that was written and not synced counts from here on.
        let path = segment::path(dir, opened.head.number);
        crate::files::OpenFile::sync(&*opened.file).at("sync", &path)?;
    }
    Ok(Head {
        number: last.max(foreign).unwrap_or(0) + 1,
        previous: last.unwrap_or(0),
        end: replay.end,
        next_id: replay.next_id,
    })
}
