//! What can go wrong with the queue, whose fault it is and whether trying later helps (qmail-queue(8)).

use std::io;
use std::path::{Path, PathBuf};

/// A failed queue operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The disk is full or a quota is used up; temporary.
    #[error("no space left to {doing} {}", path.display())]
    Full {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
    },
    /// The system failed; temporary.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// How it failed.
        source: io::Error,
    },
    /// A file of the queue does not hold what it should; permanent for this message, which belongs
    /// into [`Queue::quarantine`](super::Queue::quarantine).
    #[error("{} is broken: {why}", path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
        /// What was expected.
        why: String,
    },
    /// There is no such message, or no longer.
    #[error("message {0} is not in the queue")]
    Gone(super::MessageId),
    /// The caller's envelope cannot be queued; permanent.
    #[error("the envelope cannot be queued: {0}")]
    Envelope(&'static str),
    /// The message still has something to say to its sender or recipients; the caller's fault.
    #[error("message {id} cannot be finished: {what} is left")]
    Unfinished {
        /// Which message.
        id: super::MessageId,
        /// What is left.
        what: &'static str,
    },
    /// Another process drains this queue.
    #[error("another process holds lock/sendmutex")]
    Busy,
}

impl QueueError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { doing, path },
            _ => Self::Io {
                doing,
                path,
                source,
            },
        }
    }

    pub(crate) fn broken(path: impl Into<PathBuf>, why: impl Into<String>) -> Self {
        Self::Broken {
            path: path.into(),
            why: why.into(),
        }
    }

    /// Tells whether trying later may help.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Io { .. } | Self::Busy)
    }

    /// Tells whether a file was missing.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::Gone(_) => true,
            _ => false,
        }
    }

    /// Tells whether the message should go to quarantine.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        matches!(self, Self::Broken { .. })
    }
}

/// Says what an I/O call was for.
pub(crate) trait At<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, QueueError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, QueueError> {
        self.map_err(|e| QueueError::io(doing, path, e))
    }
}
