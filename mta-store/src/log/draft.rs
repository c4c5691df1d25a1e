//! A message on its way into the log.

use super::envelope::{Door, Entry, Place};
use super::frame::{Frame, HEAD_MAX, Kind};
use super::group::Group;
use super::index::Change;
use super::{INLINE, Log};
use crate::files::{Files, OpenFile};
use crate::queue::{At as _, Origin, QueueError, check_envelope};
use mta_core::ports::spool::MessageId;
use mta_core::rewrite::Routed;
use mta_core::{Address, Envelope, Unix};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

/// A message that is being written. Dropping it leaves nothing behind.
///
/// Up to [`INLINE`] bytes are kept in memory; a longer body goes to a file of its own as it comes.
#[derive(Debug)]
pub struct Draft<F: Files> {
    log: Log<F>,
    id: MessageId,
    origin: Origin,
    door: Option<Door>,
    held: Vec<u8>,
    apart: Option<Apart<F>>,
}

/// A body in a file of its own.
#[derive(Debug)]
struct Apart<F: Files> {
    file: F::File,
    path: PathBuf,
    len: u64,
    sum: crc32fast::Hasher,
    failed: bool,
    kept: bool,
}

impl<F: Files> Log<F> {
    /// Begins a message: it gets its number.
    #[must_use]
    pub fn begin(&self, origin: Origin) -> Draft<F> {
        Draft {
            id: MessageId(self.shared.next_id.fetch_add(1, Ordering::Relaxed)),
            log: self.clone(),
            origin,
            door: None,
            held: Vec::new(),
            apart: None,
        }
    }
}

impl<F: Files> Draft<F> {
    /// The number that the message will have.
    #[must_use]
    pub const fn id(&self) -> MessageId {
        self.id
    }

    /// Says that the message is taken over from the qmail layout.
    pub const fn taken_from(&mut self, door: Door) {
        self.door = Some(door);
    }

    /// Takes bytes that were collected already, where nothing was written yet.
    ///
    /// # Errors
    /// As [`Draft::write`].
    pub fn write_owned(&mut self, bytes: Vec<u8>) -> Result<(), QueueError> {
        if self.held.is_empty() && self.apart.is_none() && bytes.len() <= INLINE {
            self.held = bytes;
            return Ok(());
        }
        self.write(&bytes)
    }

    /// Adds bytes, with LF line ends.
    ///
    /// # Errors
    /// After a failure the draft can only be dropped: committing fails as well.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), QueueError> {
        if self.apart.is_none() {
            if self.held.len() + bytes.len() <= INLINE {
                self.held.extend_from_slice(bytes);
                return Ok(());
            }
            self.apart = Some(self.begin_apart()?);
        }
        match &mut self.apart {
            Some(apart) => apart.write(bytes),
            None => Ok(()),
        }
    }

    fn begin_apart(&mut self) -> Result<Apart<F>, QueueError> {
        let path = self.log.bodies().join(self.id.to_string());
        let files = &self.log.shared.files;
        // Left by a writer that died: no living one has this number.
        files.unlink_if_there(&path).at("remove", &path)?;
        let file = files.create_new(&path, 0o600).at("create", &path)?;
        let mut apart = Apart {
            file,
            path,
            len: 0,
            sum: crc32fast::Hasher::new(),
            failed: false,
            kept: false,
        };
        let written = apart.write(&std::mem::take(&mut self.held));
        if written.is_err() {
            apart.discard(&**files);
        }
        written.map(|()| apart)
    }

    /// Queues the message: returns once it would survive a power failure. Callers that commit at
    /// the same time share one sync.
    ///
    /// # Errors
    /// The message is not queued, and nothing of it is left.
    pub fn commit(
        self,
        envelope: &Envelope,
        now: Unix,
        route: &mut dyn FnMut(&Address) -> Routed,
    ) -> Result<MessageId, QueueError> {
        let log = self.log.clone();
        let (id, group, mut body) = self.append(envelope, now, route)?;
        let done = log.shared.wait(&group);
        body.settle(&log, done.is_ok());
        done.map(|()| id)
    }

    /// As [`Draft::commit`], but does not wait: `tell` is called by the thread that is in
    /// [`Log::write_groups`], or here where the message cannot even be handed to it.
    pub fn submit(
        self,
        envelope: &Envelope,
        now: Unix,
        route: &mut dyn FnMut(&Address) -> Routed,
        tell: impl FnOnce(Result<MessageId, QueueError>) + Send + 'static,
    ) {
        let log = self.log.clone();
        match self.append(envelope, now, route) {
            Err(error) => tell(Err(error)),
            Ok((id, group, mut body)) => {
                let shared = std::sync::Arc::clone(&log.shared);
                shared.on_durable(&group, move |done| {
                    body.settle(&log, done.is_ok());
                    tell(done.map(|()| id));
                });
            }
        }
    }

    fn append(
        mut self,
        envelope: &Envelope,
        now: Unix,
        route: &mut dyn FnMut(&Address) -> Routed,
    ) -> Result<(MessageId, Group, Body<F>), QueueError> {
        check_envelope(envelope)?;
        let mut entry = Entry::new((self.id, now, self.origin), envelope, route);
        entry.door = self.door;
        if let Some(apart) = &mut self.apart {
            entry.place = apart.finish()?;
            let shared = &self.log.shared;
            let synced = shared.syncs.mark(&self.log.bodies()).wait();
            synced.at("sync", &self.log.bodies())?;
        }
        let head = entry.encode();
        if head.len() > HEAD_MAX {
            return Err(QueueError::Envelope("expected fewer recipients"));
        }
        let frame = Frame::with_body(Kind::Message, &head, &self.held);
        let change = Change::Placed(entry.size(frame.len()));
        let group = self.log.shared.append(self.id, change, frame);
        let body = Body(self.apart.take());
        Ok((self.id, group, body))
    }
}

impl<F: Files> Drop for Draft<F> {
    fn drop(&mut self) {
        if let Some(apart) = &mut self.apart {
            apart.discard(&*self.log.shared.files);
        }
    }
}

/// The file that a message's body lies in, if it has one, until the message is queued.
struct Body<F: Files>(Option<Apart<F>>);

impl<F: Files> Body<F> {
    fn settle(&mut self, log: &Log<F>, queued: bool) {
        if let Some(apart) = &mut self.0 {
            apart.kept = queued;
            apart.discard(&*log.shared.files);
        }
    }
}

impl<F: Files> Apart<F> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), QueueError> {
        if self.failed {
            let lost = io::Error::other("an earlier write failed");
            return Err(QueueError::io("write", self.path.clone(), lost));
        }
        let written = self.file.write_all_at(bytes, self.len);
        self.failed = written.is_err();
        self.len += bytes.len() as u64;
        self.sum.update(bytes);
        written.at("write", &self.path)
    }

    fn finish(&self) -> Result<Place, QueueError> {
        if self.failed {
            let lost = io::Error::other("an earlier write failed");
            return Err(QueueError::io("write", self.path.clone(), lost));
        }
        self.file.sync().at("sync", &self.path)?;
        Ok(Place::File {
            len: self.len,
            sum: self.sum.clone().finalize(),
        })
    }

    /// Removes the file unless its message is queued. One that stays is removed at the next start.
    fn discard(&mut self, files: &F) {
        if !self.kept {
            let _ = files.unlink_if_there(&self.path);
            self.kept = true;
        }
    }
}
