//! Directory syncs shared by all who wait for the same directory (fsync(2), INTERNALS).
//!
//! Who changed a directory takes a ticket for the next sync of it. The first to wait becomes the
//! leader and syncs for everybody whose ticket is for the same round; no lock is held meanwhile, so
//! the next round gathers. A ticket taken long before it is waited for has often been served by then.

use super::error::{At, QueueError};
use crate::files::{Access, Files, OpenFile};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// The rounds of every directory that was ever waited for; as many as the queue has directories.
#[derive(Debug)]
pub(super) struct DirSyncs<F: Files> {
    files: Arc<F>,
    groups: Mutex<HashMap<PathBuf, Arc<Group<F>>>>,
}

/// A claim to the next sync of a directory.
#[derive(Debug)]
pub(super) struct Ticket<F: Files> {
    group: Arc<Group<F>>,
    round: Arc<Round>,
}

#[derive(Debug)]
struct Group<F: Files> {
    dir: PathBuf,
    /// Kept open: an error that another process's sync met since is then reported to ours.
    handle: OnceLock<F::File>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: Arc<Round>,
    running: bool,
}

/// One sync and what came of it.
#[derive(Debug, Default)]
struct Round {
    result: OnceLock<Result<(), Failure>>,
}

/// An I/O error that many can be told of.
#[derive(Clone, Copy, Debug)]
struct Failure {
    kind: io::ErrorKind,
    raw: Option<i32>,
}

impl Failure {
    fn to_error(self) -> io::Error {
        self.raw
            .map_or_else(|| self.kind.into(), io::Error::from_raw_os_error)
    }
}

impl<F: Files> DirSyncs<F> {
    pub(super) fn new(files: Arc<F>) -> Self {
        Self {
            files,
            groups: Mutex::default(),
        }
    }

    /// Takes a ticket for the directory of `path`, whose name was just made or removed.
    pub(super) fn mark(&self, path: &Path) -> Ticket<F> {
        self.mark_dir(path.parent().unwrap_or_else(|| Path::new("/")))
    }

    /// Takes a ticket for `dir`, in which a name was just made or removed.
    pub(super) fn mark_dir(&self, dir: &Path) -> Ticket<F> {
        let mut groups = lock(&self.groups);
        let group = match groups.get(dir) {
            Some(group) => Arc::clone(group),
            None => {
                let group = Arc::new(Group {
                    dir: dir.to_path_buf(),
                    handle: OnceLock::new(),
                    state: Mutex::default(),
                    changed: Condvar::new(),
                });
                groups.insert(dir.to_path_buf(), Arc::clone(&group));
                group
            }
        };
        drop(groups);
        let round = Arc::clone(&lock(&group.state).next);
        Ticket { group, round }
    }

    /// Returns once a sync that began after the ticket was taken has ended.
    pub(super) fn wait(&self, ticket: &Ticket<F>) -> Result<(), QueueError> {
        let Ticket { group, round } = ticket;
        let mut state = lock(&group.state);
        loop {
            if let Some(result) = round.result.get() {
                drop(state);
                return result.map_err(Failure::to_error).at("sync", &group.dir);
            }
            if state.running {
                let woken = group.changed.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.running = true;
            let mine = std::mem::take(&mut state.next);
            drop(state);
            let result = self.sync(group);
            state = lock(&group.state);
            state.running = false;
            finish(&mut state, &mine, result);
            group.changed.notify_all();
        }
    }

    /// Changes a directory's names to durable ones: take a ticket and wait.
    pub(super) fn sync_now(&self, dir: &Path) -> Result<(), QueueError> {
        self.wait(&self.mark_dir(dir))
    }

    fn sync(&self, group: &Group<F>) -> Result<(), Failure> {
        let result = match group.handle.get() {
            Some(handle) => handle.sync(),
            None => self
                .files
                .open(&group.dir, Access::Read)
                .and_then(|dir| group.handle.get_or_init(|| dir).sync()),
        };
        result.map_err(|e| Failure {
            kind: e.kind(),
            raw: e.raw_os_error(),
        })
    }
}

/// Publishes a round's result. A failure also ends the round that gathered meanwhile: its changes
/// may have been in what was dropped, and the next sync would not know of them.
fn finish(state: &mut State, mine: &Round, result: Result<(), Failure>) {
    // Each round has one leader, so both are set for the first time.
    let _ = mine.result.set(result);
    if result.is_err() {
        let gathered = std::mem::take(&mut state.next);
        let _ = gathered.result.set(result);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
