//! The recipients of a preprocessed message: `T` is to be tried, `D` is done (qmail-send(8), INTERNALS).

use super::Queue;
use super::error::{At, QueueError};
use super::preprocess::address;
use super::records::Records;
use crate::files::{Access, Files, OpenFile};
use mta_core::Unix;
use mta_core::ports::spool::MessageId;
use mta_core::queue::Pending;
use mta_core::rewrite::Channel;

impl<F: Files> Queue<F> {
    /// Lists the recipients on a channel that are not done, in file order.
    ///
    /// # Errors
    /// [`QueueError::Broken`] where the file makes no sense.
    pub fn pending(&self, id: MessageId, channel: Channel) -> Result<Vec<Pending>, QueueError> {
        let mut all = Vec::new();
        self.each_pending(id, channel, &mut |one| all.push(one))?;
        Ok(all)
    }

    /// Shows the recipients on a channel that are not done, in file order and bounded memory.
    ///
    /// # Errors
    /// [`QueueError::Broken`] where the file makes no sense.
    pub fn each_pending(
        &self,
        id: MessageId,
        channel: Channel,
        visit: &mut dyn FnMut(Pending),
    ) -> Result<(), QueueError> {
        self.each_recipient(id, channel, &mut |one, done| {
            if !done {
                visit(one);
            }
        })
    }

    /// Shows all recipients on a channel with whether they are done, in file order and bounded memory.
    ///
    /// # Errors
    /// [`QueueError::Broken`] where the file makes no sense.
    pub fn each_recipient(
        &self,
        id: MessageId,
        channel: Channel,
        visit: &mut dyn FnMut(Pending, bool),
    ) -> Result<(), QueueError> {
        let path = self.paths().channel(id, channel);
        let file = match self.open_regular(&path) {
            Err(e) if e.is_missing() => return Ok(()),
            other => other?,
        };
        let mut records = Records::new(&file, &path);
        while let Some(record) = records.next()? {
            let done = match record.letter {
                b'T' => false,
                b'D' => true,
                _ => return Err(records.broken("expected T and D records")),
            };
            let address = address(record.value);
            visit(Pending::new(record.offset, address), done);
        }
        Ok(())
    }

    /// Marks recipients as done, durably.
    ///
    /// # Errors
    /// After a failure a recipient may be tried again after a restart, and so get the message twice.
    pub fn mark_done(
        &self,
        id: MessageId,
        channel: Channel,
        offsets: &[u64],
    ) -> Result<(), QueueError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let path = self.paths().channel(id, channel);
        let file = self
            .files()
            .open(&path, Access::ReadWrite)
            .at("open", &path)?;
        for &offset in offsets {
            let mut letter = [0];
            let n = file.read_at(&mut letter, offset).at("read", &path)?;
            match (n, letter) {
                (1, [b'T']) => file.write_all_at(b"D", offset).at("mark", &path)?,
                (1, [b'D']) => {}
                _ => return Err(QueueError::broken(path, "expected a T or D record to mark")),
            }
        }
        file.sync().at("sync", &path)
    }

    /// Keeps when a channel is to be tried next. It is not synced: lost at a power failure, the
    /// channel is tried at once.
    ///
    /// # Errors
    /// Fails where the time cannot be set.
    pub fn set_next_attempt(
        &self,
        id: MessageId,
        channel: Channel,
        at: Unix,
    ) -> Result<(), QueueError> {
        let path = self.paths().channel(id, channel);
        let file = match self.files().open(&path, Access::ReadWrite) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other.at("open", &path)?,
        };
        file.set_mtime(at).at("set the time of", &path)
    }
}
