//! Who removes the files that belong to whoever queues mail: the drainer itself, or qmail-clean for it (qmail-clean(8), spec §3.4).

use super::error::{At, QueueError};
use super::{Queue, limits};
use crate::files::{Files, Kind};
use mta_core::Unix;
use mta_core::ports::spool::MessageId;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

/// Removes files for a drainer that has no right to do so.
pub trait Cleaner: Debug + Send + Sync + 'static {
    /// Removes `intd/ID`, then `todo/ID`; see [`Queue::clean_envelope`].
    ///
    /// # Errors
    /// Fails where they may still be there.
    fn envelope(&self, id: MessageId) -> Result<(), QueueError>;

    /// Removes `intd/ID`, then `mess/N/ID`; see [`Queue::clean_message`].
    ///
    /// # Errors
    /// Fails where they may still be there.
    fn message(&self, id: MessageId) -> Result<(), QueueError>;
}

impl<F: Files> Queue<F> {
    /// Leaves the removal of envelopes and messages to somebody else, as qmail-send does. What is
    /// set once stays.
    #[must_use]
    pub fn cleaned_by(self, cleaner: Arc<dyn Cleaner>) -> Self {
        // Set a second time it would be somebody else for half of the clones.
        let _ = self.inner.cleaner.set(cleaner);
        self
    }

    pub(super) fn cleaner(&self) -> Option<&Arc<dyn Cleaner>> {
        self.inner.cleaner.get()
    }

    /// Removes the envelope of a message that was preprocessed, durably. What is missing is no error.
    ///
    /// # Errors
    /// After a failure it can be called again.
    pub fn clean_envelope(&self, id: MessageId) -> Result<(), QueueError> {
        let (intd, todo) = (self.paths().intd(id), self.paths().todo(id));
        for path in [&intd, &todo] {
            self.files().unlink_if_there(path).at("remove", path)?;
        }
        self.syncs().wait(&self.syncs().mark(&todo))
    }

    /// Removes a message that nobody waits for any more. What is missing is no error.
    ///
    /// # Errors
    /// After a failure it can be called again.
    pub fn clean_message(&self, id: MessageId) -> Result<(), QueueError> {
        let paths = self.paths();
        // A mail server that is somebody else may have made it; then it removes it.
        let _ = self.files().unlink_if_there(&paths.params(id));
        for path in [paths.intd(id), paths.mess(id)] {
            self.files().unlink_if_there(&path).at("remove", &path)?;
        }
        Ok(())
    }

    /// Removes what writers left in `pid/` that died more than 36 hours before `now`.
    ///
    /// # Errors
    /// Fails where the directory cannot be listed; a file that cannot be removed stays.
    pub fn reap_unnamed(&self, now: Unix) -> Result<Vec<PathBuf>, QueueError> {
        let dir = self.paths().sub("pid");
        let mut removed = Vec::new();
        for name in self.files().names(&dir).at("list", &dir)? {
            let path = dir.join(name);
            let Ok(stat) = self.files().lstat(&path) else {
                continue;
            };
            let abandoned = stat.kind == Kind::File && now - stat.mtime > limits::ABANDONED;
            if abandoned && self.files().unlink_if_there(&path).unwrap_or(false) {
                removed.push(path);
            }
        }
        Ok(removed)
    }
}
