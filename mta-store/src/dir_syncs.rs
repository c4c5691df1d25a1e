//! Directory syncs shared by all who wait for the same directory (fsync(2), INTERNALS).
//!
//! A sync that *begins* after a name was made covers that name. Who changed a directory takes a
//! ticket for its next sync. The first to wait becomes the leader and syncs for everybody whose
//! ticket is for the same round; no lock is held meanwhile, so the next round gathers. A ticket
//! taken long before it is waited for has often been served by then.

use crate::files::{Access, Files, OpenFile};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// Shares directory syncs among the threads that use one value.
///
/// ```
/// # #[cfg(feature = "sim")] {
/// use mta_store::dir_syncs::DirSyncs;
/// use mta_store::files::{Files, SimFiles};
/// use std::path::Path;
/// use std::sync::Arc;
///
/// let files = Arc::new(SimFiles::new());
/// let syncs = DirSyncs::new(Arc::clone(&files));
/// files.create_new(Path::new("/name"), 0o600)?;
/// syncs.mark(Path::new("/")).wait()?;
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct DirSyncs<F: Files> {
    files: Arc<F>,
    /// Whether directories stay known and open; else memory is one entry for each that somebody
    /// waits for.
    keep: bool,
    groups: Mutex<HashMap<PathBuf, Arc<Group<F>>>>,
}

/// A claim to the next sync of a directory, taken after a name in it was made or removed.
#[derive(Debug)]
#[must_use = "nothing is durable before the ticket was waited for"]
pub struct Ticket<F: Files> {
    group: Arc<Group<F>>,
    round: Arc<Round>,
}

/// A moment in the life of a directory, taken before names in it are made.
///
/// Waiting for it also fails where any sync of the directory has failed since: that one may have
/// dropped the names, and a later sync does not bring them back.
#[derive(Debug)]
#[must_use = "nothing is durable before the moment was waited for"]
pub struct Moment<F: Files> {
    group: Arc<Group<F>>,
    failures: u64,
}

#[derive(Debug)]
struct Group<F: Files> {
    files: Arc<F>,
    dir: PathBuf,
    keep: bool,
    /// Kept open: an error that another process's sync met since is then reported to ours.
    handle: OnceLock<F::File>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: Arc<Round>,
    running: bool,
    failures: u64,
}

/// One sync and what came of it.
#[derive(Debug, Default)]
struct Round {
    result: OnceLock<Result<(), Failure>>,
}

/// An I/O error that many can be told of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    kind: io::ErrorKind,
    raw: Option<i32>,
}

impl<F: Files> DirSyncs<F> {
    /// For any number of directories, each known only while somebody waits for it.
    pub fn new(files: Arc<F>) -> Self {
        Self {
            files,
            keep: false,
            groups: Mutex::default(),
        }
    }

    /// For a few directories, which stay open.
    pub fn keeping(files: Arc<F>) -> Self {
        Self {
            keep: true,
            ..Self::new(files)
        }
    }

    /// Takes a ticket for `dir`, in which a name was just made or removed.
    pub fn mark(&self, dir: &Path) -> Ticket<F> {
        let group = self.group(dir);
        let round = Arc::clone(&lock(&group.state).next);
        Ticket { group, round }
    }

    /// Remembers this moment of `dir`, in which a name is about to be made.
    pub fn moment(&self, dir: &Path) -> Moment<F> {
        let group = self.group(dir);
        let failures = lock(&group.state).failures;
        Moment { group, failures }
    }

    fn group(&self, dir: &Path) -> Arc<Group<F>> {
        let mut groups = lock(&self.groups);
        if !self.keep {
            // Whoever holds a ticket or a moment shares its group; the others are done with.
            groups.retain(|_, group| Arc::strong_count(group) > 1);
        }
        let group = groups.entry(dir.to_path_buf()).or_insert_with(|| {
            Arc::new(Group {
                files: Arc::clone(&self.files),
                dir: dir.to_path_buf(),
                keep: self.keep,
                handle: OnceLock::new(),
                state: Mutex::default(),
                changed: Condvar::new(),
            })
        });
        Arc::clone(group)
    }
}

impl<F: Files> Ticket<F> {
    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.group.dir
    }

    /// Returns once a sync that began after the ticket was taken has ended.
    ///
    /// # Errors
    /// Fails where that sync failed, whoever ran it.
    pub fn wait(&self) -> io::Result<()> {
        self.group.wait(&self.round)
    }
}

impl<F: Files> Moment<F> {
    /// Makes every name durable that was made in the directory since this moment.
    ///
    /// # Errors
    /// Fails where the sync that covers this call failed, whoever ran it, and where any other has
    /// failed since the moment.
    pub fn wait(self) -> io::Result<()> {
        let round = Arc::clone(&lock(&self.group.state).next);
        self.group.wait(&round)?;
        if lock(&self.group.state).failures == self.failures {
            Ok(())
        } else {
            Err(io::Error::other("a directory sync failed meanwhile"))
        }
    }
}

impl<F: Files> Group<F> {
    fn wait(&self, round: &Round) -> io::Result<()> {
        let mut state = lock(&self.state);
        loop {
            if let Some(result) = round.result.get() {
                return result.map_err(Failure::to_error);
            }
            if state.running {
                let woken = self.changed.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.running = true;
            let mine = std::mem::take(&mut state.next);
            drop(state);
            let result = self.sync();
            state = lock(&self.state);
            state.finish(&mine, result);
            self.changed.notify_all();
        }
    }

    fn sync(&self) -> Result<(), Failure> {
        let result = match self.handle.get() {
            Some(handle) => handle.sync(),
            None if !self.keep => self.files.sync_dir(&self.dir),
            None => self
                .files
                .open(&self.dir, Access::Read)
                .and_then(|dir| self.handle.get_or_init(|| dir).sync()),
        };
        result.map_err(|e| Failure::of(&e))
    }
}

impl State {
    /// Publishes a round's result. A failure also ends the round that gathered meanwhile: its
    /// changes may have been in what was dropped, and the next sync would not know of them.
    fn finish(&mut self, mine: &Round, result: Result<(), Failure>) {
        self.running = false;
        // Each round has one leader, so both are set for the first time.
        let _ = mine.result.set(result);
        if result.is_err() {
            self.failures += 1;
            let gathered = std::mem::take(&mut self.next);
            let _ = gathered.result.set(result);
        }
    }
}

impl Failure {
    pub(crate) fn of(error: &io::Error) -> Self {
        Self {
            kind: error.kind(),
            raw: error.raw_os_error(),
        }
    }

    pub(crate) fn to_error(self) -> io::Error {
        self.raw
            .map_or_else(|| self.kind.into(), io::Error::from_raw_os_error)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
