//! A message on its way into the queue: states S1 to S4 (qmail-queue(8), INTERNALS).

use super::error::{At, QueueError};
use super::params::{self, Binding, Params};
use super::records::Writer;
use super::stock::{AtWork, Placed};
use super::{Queue, limits};
use crate::dir_syncs::Ticket;
use crate::files::{Files, OpenFile};
use mta_core::ports::spool::MessageId;
use mta_core::{Envelope, Unix};
use std::io::ErrorKind;
use std::path::PathBuf;

/// Who hands the message in, for the envelope's `u` and `p` records and the log.
#[expect(
    clippy::exhaustive_structs,
    reason = "the envelope has room for these two"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The process; it also makes the name under which the message is begun unique.
    pub pid: u32,
    /// The user that called.
    pub uid: u32,
}

/// A message that is being written. Dropping it removes every trace.
#[derive(Debug)]
pub struct Draft<F: Files> {
    queue: Queue<F>,
    id: MessageId,
    origin: Origin,
    file: F::File,
    placed: Ticket<F>,
    written: u64,
    buf: Vec<u8>,
    received: Vec<u8>,
    failed: bool,
    left: Leftover,
    _at_work: AtWork<F>,
}

/// Which files a failure has to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leftover {
    /// The message file.
    Mess,
    /// The message file, its envelope and parameters.
    Envelope,
    /// Nothing: the message is queued, or must stay as it is.
    Nothing,
}

impl<F: Files> Queue<F> {
    /// Begins a message: it gets its number and is in state S2.
    ///
    /// The caller's first bytes should be the Received line (spec: qmail-queue prepends one).
    ///
    /// # Errors
    /// Fails where no file can be made; nothing is left behind.
    pub fn begin(&self, origin: Origin, now: Unix) -> Result<Draft<F>, QueueError> {
        let at_work = self.enter();
        let Placed { id, file, ticket } = self.numbered(origin, now)?;
        Ok(Draft {
            queue: self.clone(),
            id,
            origin,
            file,
            placed: ticket,
            written: 0,
            buf: Vec::new(),
            received: Vec::new(),
            failed: false,
            left: Leftover::Mess,
            _at_work: at_work,
        })
    }
}

impl<F: Files> Draft<F> {
    /// The number that the message has, and will have once it is committed.
    #[must_use]
    pub const fn id(&self) -> MessageId {
        self.id
    }

    /// Returns how many bytes were written.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.written + self.buf.len() as u64
    }

    /// Tells whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds bytes, with LF line ends.
    ///
    /// # Errors
    /// After a failure the draft can only be dropped: [`Draft::commit`] fails as well.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), QueueError> {
        self.note_received(bytes);
        if self.buf.len() + bytes.len() > limits::WRITE_BUFFER {
            self.flush()?;
        }
        if bytes.len() > limits::WRITE_BUFFER {
            return self.write_through(bytes);
        }
        self.buf.extend_from_slice(bytes);
        Ok(())
    }

    /// Queues the message: returns once it is in state S4 and would be after a power failure.
    ///
    /// Callers that commit at the same time share the directory syncs.
    ///
    /// # Errors
    /// The message is not queued, and its files are removed. Where a directory sync failed after
    /// the envelope became visible, whoever drains the queue may have taken it already; then it is
    /// delivered although the caller is told of a failure.
    pub fn commit(mut self, envelope: &Envelope) -> Result<MessageId, QueueError> {
        check(envelope)?;
        self.flush()?;
        self.file.sync().at("sync", &self.mess())?;
        self.left = Leftover::Envelope;
        let params = self.write_params(envelope)?;
        let intd = self.write_envelope(envelope)?;
        // Only now may the envelope show: mess/ID with all its bytes survives from here on.
        self.queue.syncs().wait(&self.placed)?;
        if let Some(params) = &params {
            self.queue.syncs().wait(params)?;
        }
        self.publish(&intd)?;
        self.left = Leftover::Nothing;
        Ok(self.id)
    }

    fn mess(&self) -> PathBuf {
        self.queue.paths().mess(self.id)
    }

    fn flush(&mut self) -> Result<(), QueueError> {
        let buf = std::mem::take(&mut self.buf);
        self.write_through(&buf)
    }

    fn write_through(&mut self, bytes: &[u8]) -> Result<(), QueueError> {
        let path = self.mess();
        if self.failed {
            let lost = std::io::Error::other("an earlier write failed");
            return Err(QueueError::io("write", path, lost));
        }
        let written = self.file.write_all_at(bytes, self.written);
        self.failed = written.is_err();
        self.written += bytes.len() as u64;
        written.at("write", &path)
    }

    fn note_received(&mut self, bytes: &[u8]) {
        let room = limits::RECEIVED.saturating_sub(self.received.len());
        if room > 0 && self.received.last() != Some(&b'\n') {
            let line = bytes.split_inclusive(|&b| b == b'\n').next();
            let line = line.unwrap_or_default();
            let taken = line.get(..room).unwrap_or(line);
            self.received.extend_from_slice(taken);
        }
    }

    fn write_params(&self, envelope: &Envelope) -> Result<Option<Ticket<F>>, QueueError> {
        if !params::needed(envelope) {
            return Ok(None);
        }
        let path = self.queue.paths().params(self.id);
        let stat = self.file.stat().at("describe", &self.mess())?;
        let file = self.create_over_stale(&path, 0o600)?;
        let mut out = Writer::new(&file, &path);
        let binding = Binding::new(&stat, &self.received);
        params::write(&mut out, &binding, &Params::of(envelope))?;
        out.finish()?;
        Ok(Some(self.queue.syncs().mark(&path)))
    }

    fn write_envelope(&self, envelope: &Envelope) -> Result<PathBuf, QueueError> {
        let path = self.queue.paths().intd(self.id);
        let file = self.create_over_stale(&path, 0o644)?;
        let mut out = Writer::new(&file, &path);
        out.record(b'u', self.origin.uid.to_string().as_bytes())?;
        out.record(b'p', self.origin.pid.to_string().as_bytes())?;
        out.record(b'F', envelope.reverse_path.as_bytes())?;
        for to in &envelope.recipients {
            out.record(b'T', to.address.as_bytes())?;
        }
        out.finish()?;
        Ok(path)
    }

    /// Creates a file of ours. What bears its name already is left from an earlier message, for we
    /// hold the inode that the number stands for; it is unlinked, never written to.
    fn create_over_stale(&self, path: &std::path::Path, mode: u32) -> Result<F::File, QueueError> {
        let files = self.queue.files();
        let file = match files.create_new(path, mode) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                files.unlink(path).at("remove", path)?;
                files.create_new(path, mode).at("create", path)
            }
            other => other.at("create", path),
        }?;
        self.queue.hand_over(path, &file)?;
        Ok(file)
    }

    /// Moves the envelope to todo/, durably; where that fails, takes it back.
    fn publish(&mut self, intd: &std::path::Path) -> Result<(), QueueError> {
        let todo = self.queue.paths().todo(self.id);
        let published = match self.queue.files().rename_new(intd, &todo) {
            Ok(()) => self.queue.syncs().wait(&self.queue.syncs().mark(&todo)),
            // Somebody else's; ours is still in intd/.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(e).at("queue", &todo),
            Err(e) => Err(e).at("queue", &todo),
        };
        if published.is_err() && !self.take_back(intd, &todo) {
            self.left = Leftover::Nothing;
        }
        published
    }

    /// Removes a visible envelope; tells whether the rest may follow. It may not where the drainer
    /// was faster, or where the disk might show the envelope again after a crash.
    fn take_back(&self, intd: &std::path::Path, todo: &std::path::Path) -> bool {
        match self.queue.unlink_held(todo) {
            Ok(Some(held)) => self.queue.settle([held]).is_ok(),
            // Either it never left intd/, or it was taken from todo/.
            Ok(None) => self.queue.files().exists(intd).unwrap_or(false),
            Err(_) => false,
        }
    }
}

impl<F: Files> Drop for Draft<F> {
    fn drop(&mut self) {
        let (files, paths) = (self.queue.files(), self.queue.paths());
        // What cannot be removed now is reaped later.
        if self.left == Leftover::Envelope {
            let _ = files.unlink_if_there(&paths.intd(self.id));
            let _ = files.unlink_if_there(&paths.params(self.id));
        }
        if self.left != Leftover::Nothing {
            let _ = files.unlink_if_there(&paths.mess(self.id));
        }
    }
}

pub(crate) fn check(envelope: &Envelope) -> Result<(), QueueError> {
    let mut addresses = std::iter::once(&envelope.reverse_path)
        .chain(envelope.recipients.iter().map(|to| &to.address));
    if addresses.any(|a| a.as_bytes().len() > limits::ADDRESS) {
        return Err(QueueError::Envelope(
            "expected addresses of at most 1002 bytes",
        ));
    }
    if envelope.recipients.len() as u64 > limits::RECIPIENTS {
        return Err(QueueError::Envelope("expected fewer recipients"));
    }
    params::check(envelope)
}
