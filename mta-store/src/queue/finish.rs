//! From S5 or S2 to S1: removing a message in an order that a crash cannot turn into another state (INTERNALS).

use super::error::{At, QueueError};
use super::layout::parse_id;
use super::{Queue, limits};
use crate::files::{Files, Kind};
use mta_core::Unix;
use mta_core::ports::spool::MessageId;
use mta_core::rewrite::Channel;
use std::path::{Path, PathBuf};

/// What [`Queue::reap`] removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reaped {
    /// Files of messages that were never queued.
    pub removed: Vec<PathBuf>,
    /// Why something old could not be removed.
    pub failed: Vec<String>,
}

impl<F: Files> Queue<F> {
    /// Removes a message whose recipients are all done and whose bounce was sent.
    ///
    /// # Errors
    /// [`QueueError::Unfinished`] where an envelope, a recipient or failure text is left: nothing is removed.
    /// After any other failure it can be called again.
    pub fn finish(&self, id: MessageId) -> Result<(), QueueError> {
        for (channel, what) in [
            (Channel::Local, "a local recipient"),
            (Channel::Remote, "a remote recipient"),
        ] {
            let mut left = false;
            self.each_pending(id, channel, &mut |_| left = true)?;
            if left {
                return Err(QueueError::Unfinished { id, what });
            }
        }
        for (path, what) in [
            (self.paths().todo(id), "an envelope"),
            (self.paths().bounce(id), "failure text for the sender"),
        ] {
            if self.files().exists(&path).at("find", &path)? {
                return Err(QueueError::Unfinished { id, what });
            }
        }
        self.remove(id)
    }

    /// Removes a message in any state, whoever still waits for it. Its writer must be done.
    ///
    /// # Errors
    /// After a failure it can be called again.
    pub fn remove(&self, id: MessageId) -> Result<(), QueueError> {
        let paths = self.paths();
        // While info or todo is there, what is left still makes sense; so they go in the middle.
        let todo = self.unlink_held(&paths.todo(id))?;
        self.settle(todo)?;
        let mut recipients = Vec::new();
        for path in [
            paths.channel(id, Channel::Local),
            paths.channel(id, Channel::Remote),
            paths.bounce(id),
        ] {
            recipients.extend(self.unlink_held(&path)?);
        }
        self.settle(recipients)?;
        let info = self.unlink_held(&paths.info(id))?;
        self.settle(info)?;
        // No name is left that could claim the number's next owner.
        if let Some(cleaner) = self.cleaner() {
            return cleaner.message(id);
        }
        for path in [paths.params(id), paths.intd(id), paths.mess(id)] {
            self.files().unlink_if_there(&path).at("remove", &path)?;
        }
        Ok(())
    }

    /// Removes what writers left that died more than 36 hours before `now`: messages without
    /// envelope, and names in pid/. A living writer has touched its files since.
    ///
    /// # Errors
    /// Fails where the queue cannot be listed; a file that cannot be removed is only reported.
    pub fn reap(&self, now: Unix) -> Result<Reaped, QueueError> {
        let mut reaped = Reaped::default();
        // A removed envelope that a crash brings back must not find a new owner of the number.
        self.syncs().sync_now(&self.paths().todo_dir())?;
        for dir in self.paths().dirs_of("info") {
            self.syncs().sync_now(&dir)?;
        }
        // The rest is not for a drainer without rights: qmail-clean looks after pid/ by itself.
        let kinds: &[&str] = match self.cleaner() {
            None => &["pid", "mess", "intd", "params"],
            Some(_) => &["mess"],
        };
        for kind in kinds {
            for dir in self.paths().dirs_of(kind) {
                for name in self.files().names(&dir).at("list", &dir)? {
                    let path = dir.join(&name);
                    let id = parse_id(&name);
                    match self.reap_one(kind, id, &path, now) {
                        Ok(true) => reaped.removed.push(path),
                        Ok(false) => {}
                        Err(e) => reaped.failed.push(e.to_string()),
                    }
                }
            }
        }
        Ok(reaped)
    }

    fn reap_one(
        &self,
        kind: &str,
        id: Option<MessageId>,
        path: &Path,
        now: Unix,
    ) -> Result<bool, QueueError> {
        if !self.is_abandoned(path, now)? {
            return Ok(false);
        }
        let in_use = match (kind, id) {
            ("pid", _) => false,
            // Foreign names are for quarantine.
            (_, None) => true,
            ("params", Some(id)) => self.params_match(id)? && self.is_queued(id)?,
            ("intd", Some(id)) => {
                let mess = self.paths().mess(id);
                // With its message it goes when that goes.
                self.is_queued(id)? || self.files().exists(&mess).at("find", &mess)?
            }
            (_, Some(id)) => self.is_queued(id)?,
        };
        if in_use {
            return Ok(false);
        }
        match (self.cleaner(), id) {
            (Some(cleaner), Some(id)) => cleaner.message(id).map(|()| true),
            _ => self.files().unlink_if_there(path).at("remove", path),
        }
    }

    fn is_abandoned(&self, path: &Path, now: Unix) -> Result<bool, QueueError> {
        match self.files().lstat(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e).at("describe", path),
            Ok(stat) => Ok(stat.kind == Kind::File && now - stat.mtime > limits::ABANDONED),
        }
    }

    /// Tells whether a message is in S4 or S5.
    pub(super) fn is_queued(&self, id: MessageId) -> Result<bool, QueueError> {
        let (todo, info) = (self.paths().todo(id), self.paths().info(id));
        // First todo: whoever preprocesses it makes info before todo goes.
        Ok(self.files().exists(&todo).at("find", &todo)?
            || self.files().exists(&info).at("find", &info)?)
    }
}
