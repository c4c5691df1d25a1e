//! What is read and recorded of a message that stands in the log: recipients, marks, failure text, the end.

use super::Log;
use super::envelope::{Entry, Place};
use super::frame::{self, Frame, HEADER, Header, Kind};
use super::index::{self, At, Change};
use super::replay::body_is_sound;
use crate::files::{Access, Files, OpenFile};
use crate::queue::{At as _, Info, Message, Preprocessed, QueueError, limits};
use mta_core::ports::spool::MessageId;
use mta_core::queue::Pending;
use mta_core::rewrite::Channel;
use mta_core::{Address, Unix};
use std::sync::Arc;

/// A message's own record as it was read.
#[derive(Debug)]
pub(super) struct Record<F: Files> {
    pub(super) entry: Entry,
    pub(super) header: Header,
    pub(super) at: At,
    pub(super) file: Arc<F::File>,
}

impl<F: Files> Record<F> {
    fn body_at(&self) -> u64 {
        self.at.offset + HEADER as u64 + u64::from(self.header.head)
    }

    fn size(&self) -> u64 {
        match self.entry.place {
            Place::Inline => u64::from(self.header.body),
            Place::File { len, .. } => len,
        }
    }
}

impl<F: Files> Log<F> {
    /// Reads a message's own record.
    pub(super) fn record(&self, id: MessageId) -> Result<Record<F>, QueueError> {
        let state = self.shared.lock();
        let at = state.index.get(id).map(|seen| seen.at());
        let at = at.ok_or(QueueError::Gone(id))?;
        let file = state.segments.get(&at.segment).map(Arc::clone);
        drop(state);
        let file = file.ok_or(QueueError::Gone(id))?;
        let path = super::segment::path(&self.shared.dir, at.segment);
        let read = frame::read_at(&*file, at.offset, u64::MAX, at.segment).at("read", &path)?;
        let sound = read.and_then(|(header, head)| Some((header, Entry::decode(&head)?)));
        let (header, entry) = sound
            .filter(|(header, entry)| header.kind == Kind::Message && entry.id == id)
            .ok_or_else(|| QueueError::broken(path, format!("expected message {id}")))?;
        Ok(Record {
            entry,
            header,
            at,
            file,
        })
    }

    /// Returns what the manager is to know of a new message, and shows its forward-paths as they
    /// were given.
    ///
    /// # Errors
    /// [`QueueError::Gone`] where there is none, [`QueueError::Broken`] where it is damaged.
    pub fn preprocessed(
        &self,
        id: MessageId,
        show: &mut dyn FnMut(&Address),
    ) -> Result<Preprocessed, QueueError> {
        let record = self.record(id)?;
        for to in &record.entry.recipients {
            show(to.given.as_ref().unwrap_or(&to.routed.address));
        }
        let on = |channel| {
            let recipients = record.entry.recipients.iter();
            recipients.filter(|to| to.routed.channel == channel).count() as u64
        };
        Ok(Preprocessed {
            id,
            birth: record.entry.birth,
            size: record.size(),
            uid: Some(u64::from(record.entry.origin.uid)),
            pid: Some(u64::from(record.entry.origin.pid)),
            local: on(Channel::Local),
            remote: on(Channel::Remote),
            sender: record.entry.sender,
        })
    }

    /// Returns sender and birth.
    ///
    /// # Errors
    /// As [`Log::preprocessed`].
    pub fn info(&self, id: MessageId) -> Result<Info, QueueError> {
        let entry = self.record(id)?.entry;
        Ok(Info {
            sender: entry.sender,
            birth: entry.birth,
        })
    }

    /// Lists the recipients on a channel that are not done, in the order of the envelope.
    ///
    /// # Errors
    /// As [`Log::preprocessed`].
    pub fn pending(&self, id: MessageId, channel: Channel) -> Result<Vec<Pending>, QueueError> {
        let mut all = Vec::new();
        self.each_recipient(id, channel, &mut |one, done| {
            if !done {
                all.push(one);
            }
        })?;
        Ok(all)
    }

    /// Shows the recipients on a channel with whether they are done, in the order of the envelope.
    ///
    /// # Errors
    /// As [`Log::preprocessed`].
    pub fn each_recipient(
        &self,
        id: MessageId,
        channel: Channel,
        visit: &mut dyn FnMut(Pending, bool),
    ) -> Result<(), QueueError> {
        let record = self.record(id)?;
        let done = {
            let state = self.shared.lock();
            let more = state.index.get(id).and_then(|known| known.more());
            more.map(|more| more.done.clone()).unwrap_or_default()
        };
        for (number, to) in (0_u32..).zip(record.entry.recipients) {
            if to.routed.channel == channel {
                let one = Pending {
                    params: to.params,
                    ..Pending::new(u64::from(number), to.routed.address)
                };
                visit(one, done.binary_search(&number).is_ok());
            }
        }
        Ok(())
    }

    /// Marks recipients as done, durably. `offsets` are those of [`Log::pending`].
    ///
    /// # Errors
    /// After a failure a recipient may be tried again after a restart, and so get the message twice.
    pub fn mark_done(&self, id: MessageId, offsets: &[u64]) -> Result<(), QueueError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let numbers: Result<Vec<u32>, _> = offsets.iter().map(|n| u32::try_from(*n)).collect();
        let numbers = numbers.map_err(|_| self.no_recipient(id))?;
        let most = {
            let state = self.shared.lock();
            let known = state.index.get(id).ok_or(QueueError::Gone(id))?;
            known.size().recipients
        };
        if numbers.iter().any(|n| *n >= most) {
            return Err(self.no_recipient(id));
        }
        self.note(id, Change::Done(numbers), &[])
    }

    fn no_recipient(&self, id: MessageId) -> QueueError {
        let why = format!("expected a recipient of message {id} to mark");
        QueueError::broken(self.shared.dir.clone(), why)
    }

    /// Adds a paragraph to the failure text, durably. Mark the recipient as done only afterwards.
    ///
    /// # Errors
    /// After a failure the text is as it was.
    pub fn append_bounce(&self, id: MessageId, record: &[u8]) -> Result<(), QueueError> {
        self.note(id, Change::Bounce, record)
    }

    /// Returns the failure text, `None` where nobody failed; at most [`limits::BOUNCE`] bytes in
    /// whole paragraphs.
    ///
    /// # Errors
    /// Fails where it cannot be read.
    pub fn bounce(&self, id: MessageId) -> Result<Option<Vec<u8>>, QueueError> {
        let places = {
            let state = self.shared.lock();
            let more = state.index.get(id).and_then(|known| known.more());
            let places = more.map(|more| more.bounce.clone()).unwrap_or_default();
            let file = |at: At| state.segments.get(&at.segment).map(|f| (at, Arc::clone(f)));
            places.into_iter().filter_map(file).collect::<Vec<_>>()
        };
        if places.is_empty() {
            return Ok(None);
        }
        let mut text = Vec::new();
        for (at, file) in places {
            let paragraph = self.paragraph(&*file, at)?;
            if text.len() + paragraph.len() > limits::BOUNCE {
                break;
            }
            text.extend_from_slice(&paragraph);
        }
        Ok(Some(text))
    }

    /// Reads one paragraph of failure text.
    pub(super) fn paragraph(&self, file: &F::File, at: At) -> Result<Vec<u8>, QueueError> {
        self.body_of(file, at, Kind::Bounce)
    }

    /// Reads what was decided about a message.
    pub(super) fn orders(&self, file: &F::File, at: At) -> Result<Vec<u8>, QueueError> {
        self.body_of(file, at, Kind::Orders)
    }

    fn body_of(&self, file: &F::File, at: At, kind: Kind) -> Result<Vec<u8>, QueueError> {
        let path = super::segment::path(&self.shared.dir, at.segment);
        let read = frame::read_at(file, at.offset, u64::MAX, at.segment).at("read", &path)?;
        let Some((header, _)) = read.filter(|(header, _)| header.kind == kind) else {
            let why = format!("expected a record of kind {kind:?} at {}", at.offset);
            return Err(QueueError::broken(path, why));
        };
        self.body(file, at, &header)
    }

    /// Reads the body behind a record's head and compares its check sum.
    pub(super) fn body(
        &self,
        file: &F::File,
        at: At,
        header: &Header,
    ) -> Result<Vec<u8>, QueueError> {
        let path = super::segment::path(&self.shared.dir, at.segment);
        let mut body = vec![0; header.body as usize];
        let from = at.offset + HEADER as u64 + u64::from(header.head);
        let whole = frame::fill(file, &mut body, from).at("read", &path)?;
        if whole && crc32fast::hash(&body) == header.body_sum {
            Ok(body)
        } else {
            let why = format!("the record at {} does not match its check sum", at.offset);
            Err(QueueError::broken(path, why))
        }
    }

    /// Forgets the failure text, durably: the bounce is queued.
    ///
    /// # Errors
    /// After a failure the bounce may be sent again.
    pub fn clear_bounce(&self, id: MessageId) -> Result<(), QueueError> {
        self.note(id, Change::BounceCleared, &[])
    }

    /// Keeps when a channel is to be tried next. Nobody waits for it: lost at a power failure, the
    /// channel is tried at once.
    ///
    /// # Errors
    /// [`QueueError::Gone`] where there is no such message.
    pub fn set_next_attempt(
        &self,
        id: MessageId,
        channel: Channel,
        at: Unix,
    ) -> Result<(), QueueError> {
        self.append(id, Change::Next(channel, at), &[]).map(drop)
    }

    /// Returns when a channel is tried next, where that was said.
    #[must_use]
    pub fn next_attempt(&self, id: MessageId, channel: Channel) -> Option<Unix> {
        let state = self.shared.lock();
        let more = state.index.get(id).and_then(|seen| seen.more());
        more.and_then(|more| *more.next.of(channel))
    }

    /// Lists the messages, in ascending order.
    #[must_use]
    pub fn ids(&self) -> Vec<MessageId> {
        let state = self.shared.lock();
        let mut ids: Vec<_> = state.index.ids().map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }

    /// Ends a message whose recipients are all done and whose bounce was sent.
    ///
    /// # Errors
    /// [`QueueError::Unfinished`] where a recipient or failure text is left: nothing changes.
    pub fn finish(&self, id: MessageId) -> Result<(), QueueError> {
        {
            let state = self.shared.lock();
            let known = state.index.get(id).ok_or(QueueError::Gone(id))?;
            let unfinished = |what| Err(QueueError::Unfinished { id, what });
            if !known.all_done() {
                return unfinished("a recipient");
            }
            if known.more().is_some_and(|more| !more.bounce.is_empty()) {
                return unfinished("failure text for the sender");
            }
        }
        self.end(id, Wait::ForBodies)
    }

    /// Takes a message out, whoever still waits for it, durably.
    ///
    /// # Errors
    /// [`QueueError::Gone`] where there is none. After any other failure it can be called again.
    pub fn remove(&self, id: MessageId) -> Result<(), QueueError> {
        self.end(id, Wait::Always)
    }

    /// Lost at a power failure, the end of a message all of whose recipients are done is found
    /// again; but a body must not go before it. Whoever waits finds the message as it was where
    /// the record could not be written.
    fn end(&self, id: MessageId, wait: Wait) -> Result<(), QueueError> {
        let (kind, head) = index::encode(id, &Change::Finished);
        let mut state = self.shared.lock();
        let known = state.index.get(id).ok_or(QueueError::Gone(id))?;
        let apart = known.size().apart;
        let waits = wait == Wait::Always || apart;
        if !waits {
            state.index.remove(id);
        }
        let group = state.append(id, Change::Finished, Frame::new(kind, &head));
        drop(state);
        self.shared.appended();
        if waits {
            self.shared.wait(&group)?;
        }
        if apart {
            let path = self.bodies().join(id.to_string());
            let files = &self.shared.files;
            files.unlink_if_there(&path).at("remove", &path)?;
        }
        Ok(())
    }

    /// Returns a message's length in bytes.
    ///
    /// # Errors
    /// As [`Log::preprocessed`].
    pub fn size(&self, id: MessageId) -> Result<u64, QueueError> {
        self.record(id).map(|record| record.size())
    }

    /// Opens a message's bytes.
    ///
    /// # Errors
    /// [`QueueError::Gone`] where there is none, [`QueueError::Broken`] where it is damaged.
    pub fn open_message(&self, id: MessageId) -> Result<Message<F>, QueueError> {
        let record = self.record(id)?;
        match record.entry.place {
            Place::Inline => {
                let body = self.body(&record.file, record.at, &record.header)?;
                Ok(Message::held(body))
            }
            Place::File { len, .. } => {
                let path = self.bodies().join(id.to_string());
                let file = self.shared.files.open(&path, Access::Read);
                let file = match file {
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                        return Err(QueueError::broken(path, "expected the body"));
                    }
                    other => other.at("open", &path)?,
                };
                let found = file.stat().at("describe", &path)?.size;
                if found != len {
                    let why = format!("expected {len} bytes, found {found}");
                    return Err(QueueError::broken(path, why));
                }
                Ok(Message::in_file(file, len))
            }
        }
    }

    /// Compares a message's body with its check sum.
    ///
    /// # Errors
    /// [`QueueError::Broken`] where it does not match.
    pub fn verify(&self, id: MessageId) -> Result<(), QueueError> {
        let record = self.record(id)?;
        let Place::File { sum, .. } = record.entry.place else {
            let path = super::segment::path(&self.shared.dir, record.at.segment);
            let sound = body_is_sound(&*record.file, record.at.offset, &record.header);
            return match sound.at("read", &path)? {
                true => Ok(()),
                false => Err(QueueError::broken(
                    path,
                    format!("the body at {} is damaged", record.body_at()),
                )),
            };
        };
        let message = self.open_message(id)?;
        let mut reader = message.reader();
        let mut hasher = crc32fast::Hasher::new();
        let mut piece = vec![0; 64 * 1024];
        let path = self.bodies().join(id.to_string());
        loop {
            let n = std::io::Read::read(&mut reader, &mut piece).at("read", &path)?;
            if n == 0 {
                break;
            }
            hasher.update(piece.get(..n).unwrap_or_default());
        }
        if hasher.finalize() == sum {
            Ok(())
        } else {
            Err(QueueError::broken(path, "it does not match its check sum"))
        }
    }

    /// Records a change of a message and returns once it is durable.
    pub(super) fn note(
        &self,
        id: MessageId,
        change: Change,
        body: &[u8],
    ) -> Result<(), QueueError> {
        let group = self.append(id, change, body)?;
        self.shared.wait(&group)
    }

    fn append(
        &self,
        id: MessageId,
        change: Change,
        body: &[u8],
    ) -> Result<super::group::Group, QueueError> {
        let (kind, head) = index::encode(id, &change);
        let frame = Frame::with_body(kind, &head, body);
        let mut state = self.shared.lock();
        if state.index.get(id).is_none() {
            return Err(QueueError::Gone(id));
        }
        let group = state.append(id, change, frame);
        drop(state);
        self.shared.appended();
        Ok(group)
    }
}

/// Whether the end of a message is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// Where its body lies in a file of its own.
    ForBodies,
    Always,
}
