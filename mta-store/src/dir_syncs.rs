//! Directory syncs that concurrent writers share (fsync(2)).
//!
//! A sync that *begins* after a name was made covers that name. So whoever comes while one is
//! running needs the next one, and all who came meanwhile need the same next one.

use crate::files::Files;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Shares directory syncs among the threads that use one value.
///
/// No lock is held while a sync runs. Memory is one entry per directory that somebody waits for.
///
/// ```
/// # #[cfg(feature = "sim")] {
/// use mta_store::dir_syncs::DirSyncs;
/// use mta_store::files::{Files, SimFiles};
/// use std::path::Path;
///
/// let (files, syncs) = (SimFiles::new(), DirSyncs::default());
/// files.create_new(Path::new("/name"), 0o600)?;
/// syncs.sync(&files, Path::new("/"))?;
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct DirSyncs {
    slots: Mutex<BTreeMap<PathBuf, Slot>>,
    done: Condvar,
    failures: AtomicU64,
}

/// How many syncs had failed at some moment; see [`DirSyncs::moment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(u64);

#[derive(Debug, Default)]
struct Slot {
    running: bool,
    /// How many syncs have begun and how many have ended; they end in order.
    begun: u64,
    ended: u64,
    waiting: usize,
    /// Numbers of the syncs that failed, with how, as long as somebody may ask for them.
    failed: Vec<(u64, io::ErrorKind, Option<i32>)>,
}

impl DirSyncs {
    /// Remembers this moment. Take it before a name is made that [`DirSyncs::sync_since`] is to
    /// make durable.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment(self.failures.load(Ordering::SeqCst))
    }

    /// Makes every name durable that was made in `dir` since `moment`.
    ///
    /// # Errors
    /// Fails where the sync that covers this call failed, whoever ran it, and where any other has
    /// failed since `moment`: it may have dropped the name, and a later sync does not bring it
    /// back.
    pub fn sync_since<F: Files>(&self, files: &F, dir: &Path, moment: Moment) -> io::Result<()> {
        self.sync(files, dir)?;
        if self.moment() == moment {
            Ok(())
        } else {
            Err(io::Error::other("a directory sync failed meanwhile"))
        }
    }

    /// Makes every name durable that stands in `dir` now.
    ///
    /// # Errors
    /// Fails where the sync that covers this call failed, whoever ran it.
    pub fn sync<F: Files>(&self, files: &F, dir: &Path) -> io::Result<()> {
        let mut slots = self.slots();
        let slot = slots.entry(dir.to_path_buf()).or_default();
        let mine = slot.begun + 1;
        slot.waiting += 1;
        loop {
            let Some(slot) = slots.get_mut(dir) else {
                return Err(io::Error::other("a shared directory sync lost its state"));
            };
            if slot.ended >= mine {
                let outcome = slot.outcome(mine);
                slot.waiting -= 1;
                if slot.waiting == 0 {
                    slots.remove(dir);
                }
                return outcome;
            }
            if slot.running {
                slots = self
                    .done
                    .wait(slots)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            slot.running = true;
            slot.begun += 1;
            drop(slots);
            let result = files.sync_dir(dir);
            slots = self.slots();
            if result.is_err() {
                self.failures.fetch_add(1, Ordering::SeqCst);
            }
            if let Some(slot) = slots.get_mut(dir) {
                slot.end(result);
            }
            self.done.notify_all();
        }
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn end(&mut self, result: io::Result<()>) {
        self.running = false;
        self.ended = self.begun;
        if let Err(error) = result {
            let failure = (self.ended, error.kind(), error.raw_os_error());
            self.failed.push(failure);
        }
    }

    fn outcome(&self, number: u64) -> io::Result<()> {
        match self.failed.iter().find(|failure| failure.0 == number) {
            None => Ok(()),
            Some((_, _, Some(os))) => Err(io::Error::from_raw_os_error(*os)),
            Some((_, kind, None)) => Err((*kind).into()),
        }
    }
}
