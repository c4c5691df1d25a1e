//! Message files that get their numbers before anybody needs them (INTERNALS, qmail-queue(8)).
//!
//! The number decides in which of 23 directories the name stands, and each of them needs its own
//! sync; so a few writers at a time would hardly ever share one. While many are at work, files are
//! therefore made and named in one go, and the first writer to need a directory durable syncs it for
//! all of them. To everybody else these are messages in state S2. They go when nobody is at work.

use super::error::{At, QueueError};
use super::{Origin, Queue, limits};
use crate::dir_syncs::Ticket;
use crate::files::{Files, OpenFile};
use mta_core::Unix;
use mta_core::ports::spool::MessageId;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The files that wait for a writer, and how many writers there are.
#[derive(Debug)]
pub(super) struct Stock<F: Files> {
    state: Mutex<State<F>>,
}

#[derive(Debug)]
struct State<F: Files> {
    /// The oldest first: its directory has most likely been synced for another by then.
    ready: VecDeque<(Placed<F>, Unix)>,
    writers: usize,
}

impl<F: Files> Default for Stock<F> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                ready: VecDeque::new(),
                writers: 0,
            }),
        }
    }
}

impl<F: Files> Stock<F> {
    fn lock(&self) -> MutexGuard<'_, State<F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message file that bears its number, with the claim to the sync of its directory.
#[derive(Debug)]
pub(super) struct Placed<F: Files> {
    pub(super) id: MessageId,
    pub(super) file: F::File,
    pub(super) ticket: Ticket<F>,
}

/// A writer at work; the last one to leave takes the stock along.
#[derive(Debug)]
pub(super) struct AtWork<F: Files> {
    queue: Queue<F>,
}

impl<F: Files> Drop for AtWork<F> {
    fn drop(&mut self) {
        let mut state = self.queue.inner.stock.lock();
        state.writers = state.writers.saturating_sub(1);
        let unused = match state.writers {
            0 => std::mem::take(&mut state.ready),
            _ => VecDeque::new(),
        };
        drop(state);
        unused
            .iter()
            .for_each(|(placed, _)| self.queue.discard(placed));
    }
}

impl<F: Files> Queue<F> {
    /// Counts a writer.
    pub(super) fn enter(&self) -> AtWork<F> {
        self.inner.stock.lock().writers += 1;
        AtWork {
            queue: self.clone(),
        }
    }

    /// Returns a file in state S2: a new one, or while many write the oldest in stock.
    pub(super) fn numbered(&self, origin: Origin, now: Unix) -> Result<Placed<F>, QueueError> {
        let (many, low) = {
            let state = self.inner.stock.lock();
            let many = state.writers >= limits::STOCK_FROM;
            (many, state.ready.len() < limits::STOCK)
        };
        if many && low {
            // Each writer adds to the stock, as creating files side by side is fastest.
            self.put_in_stock(self.make_numbered(origin, now)?, now);
        }
        let new = self.make_numbered(origin, now)?;
        if !many {
            return Ok(new);
        }
        self.put_in_stock(new, now);
        while let Some((placed, made)) = self.oldest() {
            if made <= now && now - made < limits::STOCK_AGE {
                return Ok(placed);
            }
            self.discard(&placed);
        }
        self.make_numbered(origin, now)
    }

    fn put_in_stock(&self, placed: Placed<F>, made: Unix) {
        self.inner.stock.lock().ready.push_back((placed, made));
    }

    fn oldest(&self) -> Option<(Placed<F>, Unix)> {
        self.inner.stock.lock().ready.pop_front()
    }

    /// Removes a file that no writer wants; what cannot be removed now is reaped later.
    fn discard(&self, placed: &Placed<F>) {
        let _ = self.files().unlink_if_there(&self.paths().mess(placed.id));
    }

    fn make_numbered(&self, origin: Origin, now: Unix) -> Result<Placed<F>, QueueError> {
        // Numbers that broken leftovers occupy are held while another inode is found.
        let mut passed_over = Vec::new();
        while passed_over.len() < limits::PASSED_OVER {
            let mut begun = self.create_unnamed(origin, now)?;
            match self.place(&mut begun)? {
                Some(placed) => return Ok(placed),
                None => passed_over.push(begun),
            }
        }
        Err(QueueError::io(
            "find a free number in",
            self.paths().dir(),
            ErrorKind::AlreadyExists.into(),
        ))
    }

    fn create_unnamed(&self, origin: Origin, now: Unix) -> Result<Begun<'_, F>, QueueError> {
        let mut tries = 0;
        loop {
            let serial = self.inner.serial.fetch_add(1, Ordering::Relaxed);
            let path = self
                .paths()
                .pid(&format!("{}.{}.{serial}", origin.pid, now.0));
            match self.files().create_new(&path, 0o644) {
                Ok(file) => {
                    let begun = Begun {
                        files: self.files(),
                        path,
                        file: Some(file),
                    };
                    if let Some(file) = &begun.file {
                        self.hand_over(&begun.path, file)?;
                    }
                    return Ok(begun);
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists && tries < limits::NAMES => {
                    tries += 1
                }
                Err(e) => return Err(e).at("create", &path),
            }
        }
    }

    /// Names a new file by its inode number; `None` where that number is taken.
    fn place(&self, begun: &mut Begun<'_, F>) -> Result<Option<Placed<F>>, QueueError> {
        let Some(file) = &begun.file else {
            return Ok(None);
        };
        let id = MessageId(file.stat().at("describe", &begun.path)?.ino);
        if self.is_claimed(id)? {
            return Ok(None);
        }
        let mess = self.paths().mess(id);
        match self.files().rename_new(&begun.path, &mess) {
            Ok(()) => {
                let ticket = self.syncs().mark(&mess);
                Ok(begun.file.take().map(|file| Placed { id, file, ticket }))
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(e) => Err(e).at("name", &mess),
        }
    }
}

impl<F: Files> Queue<F> {
    /// Tells whether a stale envelope would make a message somebody else's as soon as it bears the
    /// number. Recovery put all of those aside; looking for each again would wait for every sync of
    /// todo/, since file systems sync a directory under its lock.
    ///
    /// A writer that may not look into info/, as qmailq may not, takes the number: so does the
    /// original, and whoever preprocesses the message removes what is stale there.
    fn is_claimed(&self, id: MessageId) -> Result<bool, QueueError> {
        if self.inner.recovered.load(Ordering::Acquire) {
            return Ok(false);
        }
        match self.is_queued(id) {
            Err(QueueError::Io { path, source, .. })
                if source.kind() == ErrorKind::PermissionDenied
                    && path == self.paths().info(id) =>
            {
                Ok(false)
            }
            other => other,
        }
    }
}

/// A file in pid/ that removes itself.
struct Begun<'q, F: Files> {
    files: &'q F,
    path: PathBuf,
    file: Option<F::File>,
}

impl<F: Files> Drop for Begun<'_, F> {
    fn drop(&mut self) {
        if self.file.is_some() {
            // What cannot be removed now is reaped later.
            let _ = self.files.unlink_if_there(&self.path);
        }
    }
}
