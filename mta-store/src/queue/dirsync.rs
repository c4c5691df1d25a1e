//! The queue's directory syncs: by the path of a name, with the queue's errors (INTERNALS).

use super::error::{At, QueueError};
use crate::dir_syncs::{DirSyncs, Ticket};
use crate::files::Files;
use std::path::Path;
use std::sync::Arc;

/// As many directories as the queue has, each kept open.
#[derive(Debug)]
pub(super) struct Syncs<F: Files>(DirSyncs<F>);

impl<F: Files> Syncs<F> {
    pub(super) fn new(files: Arc<F>) -> Self {
        Self(DirSyncs::keeping(files))
    }

    /// Takes a ticket for the directory of `path`, whose name was just made or removed.
    pub(super) fn mark(&self, path: &Path) -> Ticket<F> {
        self.0.mark(path.parent().unwrap_or_else(|| Path::new("/")))
    }

    /// Returns once a sync that began after the ticket was taken has ended.
    pub(super) fn wait(&self, ticket: &Ticket<F>) -> Result<(), QueueError> {
        ticket.wait().at("sync", ticket.dir())
    }

    /// Makes the names in a directory durable.
    pub(super) fn sync_now(&self, dir: &Path) -> Result<(), QueueError> {
        self.wait(&self.0.mark(dir))
    }
}
