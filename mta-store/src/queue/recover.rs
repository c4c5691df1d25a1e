//! What the draining process does at its start: takes stock, cleans up, puts broken things aside (INTERNALS).

use super::Queue;
use super::error::{At, QueueError};
use super::layout::{SPLIT, UNNAMED, parse_id};
use super::quarantine::Quarantined;
use crate::files::{Files, Kind};
use mta_core::ports::spool::MessageId;
use mta_core::rewrite::Channel;
use mta_core::{Address, Unix};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// The queue as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// The messages in state S5. Those in S4 are what [`Queue::todo`] lists.
    pub standing: Vec<Standing>,
    /// What was broken or foreign, and where it is now; each reason belongs into the log.
    pub quarantined: Vec<Quarantined>,
    /// What a crash had left over and was removed.
    pub removed: Vec<PathBuf>,
    /// Failure texts with a broken end, which was cut off, and a lock/trigger that was made anew.
    pub mended: Vec<PathBuf>,
    /// What could not be examined or put aside; it stays, and belongs into the log.
    pub failed: Vec<String>,
}

/// A preprocessed message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// Its number.
    pub id: MessageId,
    /// When it was preprocessed.
    pub birth: Unix,
    /// Its reverse-path.
    pub sender: Address,
    /// When its local recipients are to be tried next; `None` where it has none.
    pub local: Option<Unix>,
    /// When its remote recipients are to be tried next; `None` where it has none.
    pub remote: Option<Unix>,
    /// Whether failure text waits for its sender.
    pub bounce: bool,
}

/// The kinds whose names must be message numbers.
const NUMBERED: [&str; 8] = [
    "mess", "intd", "todo", "info", "local", "remote", "bounce", "params",
];

impl<F: Files> Queue<F> {
    /// Takes stock after [`Queue::lock_drainer`]; writers may be at work meanwhile.
    ///
    /// # Errors
    /// Fails where a directory of the queue cannot be listed. One bad file never stops it.
    pub fn recover(&self) -> Result<Recovered, QueueError> {
        let mut found = Recovered::default();
        self.check_trigger(&mut found)?;
        self.remove_unnamed(&mut found.removed)?;
        for kind in NUMBERED {
            for (dir, number) in self.paths().dirs_of(kind).into_iter().zip(0..SPLIT) {
                self.check_names(kind, &dir, number, &mut found)?;
            }
        }
        for id in self.todo()? {
            let judged = self.check_todo(id);
            found.take(self.paths().todo(id), judged);
        }
        for id in self.ids("info")? {
            let judged = self.check_info(id, &mut found.standing);
            found.take(self.paths().info(id), judged);
        }
        for channel in Channel::ALL {
            for id in self.ids(channel.name())? {
                let path = self.paths().channel(id, channel);
                let judged = self.check_channel(id, channel, &mut found.removed);
                found.take(path, judged);
            }
        }
        for kind in ["bounce", "params"] {
            for id in self.ids(kind)? {
                let path = self.paths().sub(kind).join(id.to_string());
                let judged = self.check_side_file(kind, id, &path, &mut found);
                found.take(path, judged);
            }
        }
        if found.failed.is_empty() {
            self.inner.recovered.store(true, Ordering::Release);
        }
        Ok(found)
    }

    /// Whoever drains the queue listens at lock/trigger; something else in its place goes.
    fn check_trigger(&self, found: &mut Recovered) -> Result<(), QueueError> {
        let path = self.paths().trigger();
        match self.files().lstat(&path) {
            Ok(stat) if stat.kind == Kind::Fifo => return Ok(()),
            Ok(_) => {
                let reason = format!("{}: it is no named pipe", path.display());
                let aside = self.put_aside(std::slice::from_ref(&path), &reason)?;
                found.quarantined.push(aside);
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e).at("describe", &path),
        }
        self.paths().make_trigger(self.files())?;
        found.mended.push(path);
        Ok(())
    }

    /// Takes stock as far as a drainer without all rights can, which leaves `pid/` and `intd/` to
    /// qmail-clean: nothing is put aside, and what cannot be read stays where it is.
    ///
    /// # Errors
    /// Fails where info/ or bounce/ cannot be listed.
    pub fn standing(&self) -> Result<Recovered, QueueError> {
        let mut found = Recovered::default();
        self.remove_unnamed(&mut found.removed)?;
        for id in self.ids("info")? {
            let looked = self.is_there(&self.paths().todo(id)).and_then(|queued| {
                if !queued {
                    found.standing.push(self.stand(id)?);
                }
                Ok(())
            });
            if let Err(error) = looked {
                found.failed.push(error.to_string());
            }
        }
        Ok(found)
    }

    /// Removes failure text that a crash kept from getting its name.
    fn remove_unnamed(&self, removed: &mut Vec<PathBuf>) -> Result<(), QueueError> {
        let dir = self.paths().sub("bounce");
        for name in self.files().names(&dir).at("list", &dir)? {
            let name = name.to_string_lossy();
            let id = name.strip_suffix(UNNAMED);
            let path = dir.join(&*name);
            if id.is_some_and(|id| parse_id(id.as_ref()).is_some())
                && self.files().unlink_if_there(&path).at("remove", &path)?
            {
                removed.push(path);
            }
        }
        Ok(())
    }

    fn stand(&self, id: MessageId) -> Result<Standing, QueueError> {
        let info = self.info(id)?;
        Ok(Standing {
            id,
            birth: info.birth,
            sender: info.sender,
            local: self.next_attempt(id, Channel::Local)?,
            remote: self.next_attempt(id, Channel::Remote)?,
            bounce: self.is_there(&self.paths().bounce(id))?,
        })
    }

    /// Lists the numbers in the directories of one kind.
    pub(super) fn ids(&self, kind: &str) -> Result<Vec<MessageId>, QueueError> {
        let mut ids = Vec::new();
        for dir in self.paths().dirs_of(kind) {
            let mut visit = |name: &std::ffi::OsStr| ids.extend(parse_id(name));
            self.files().read_dir(&dir, &mut visit).at("list", &dir)?;
        }
        Ok(ids)
    }

    /// Puts aside what has no message number for a name, stands in the wrong directory or is no
    /// regular file.
    fn check_names(
        &self,
        kind: &str,
        dir: &Path,
        number: u64,
        found: &mut Recovered,
    ) -> Result<(), QueueError> {
        let spread = self.paths().dirs_of(kind).len() > 1;
        for name in self.files().names(dir).at("list", dir)? {
            let path = dir.join(&name);
            let why = match parse_id(&name) {
                None => "its name is no message number",
                Some(id) if spread && id.0 % SPLIT != number => "it stands in the wrong directory",
                Some(_) => match self.files().lstat(&path) {
                    Ok(stat) if stat.kind != Kind::File => "it is no regular file",
                    _ => continue,
                },
            };
            let reason = format!("{}: {why}", path.display());
            let aside = self.put_aside(std::slice::from_ref(&path), &reason);
            found.take(path, aside.map(Some));
        }
        Ok(())
    }

    fn check_todo(&self, id: MessageId) -> Result<Option<Quarantined>, QueueError> {
        if self.has_message(id)? || !self.is_there(&self.paths().todo(id))? {
            return Ok(None);
        }
        self.quarantine(id, &format!("todo/{id}: its message is missing"))
            .map(Some)
    }

    /// Notes a message in S5, or puts it aside.
    fn check_info(
        &self,
        id: MessageId,
        standing: &mut Vec<Standing>,
    ) -> Result<Option<Quarantined>, QueueError> {
        if self.is_there(&self.paths().todo(id))? {
            return Ok(None);
        }
        if !self.has_message(id)? {
            let reason = format!("info/{id}: its message is missing");
            return self.quarantine(id, &reason).map(Some);
        }
        match self.stand(id) {
            Ok(one) => {
                standing.push(one);
                Ok(None)
            }
            Err(e) if e.is_broken() => self.quarantine(id, &e.to_string()).map(Some),
            Err(e) => Err(e),
        }
    }

    /// Judges recipients that have no info: leftovers where all are done, else broken.
    fn check_channel(
        &self,
        id: MessageId,
        channel: Channel,
        removed: &mut Vec<PathBuf>,
    ) -> Result<Option<Quarantined>, QueueError> {
        if self.is_there(&self.paths().todo(id))? || self.is_there(&self.paths().info(id))? {
            return Ok(None);
        }
        let path = self.paths().channel(id, channel);
        let mut left = false;
        match self.each_pending(id, channel, &mut |_| left = true) {
            Err(e) if !e.is_broken() => return Err(e),
            Ok(()) if !left => {
                let held = self.unlink_held(&path)?;
                self.settle(held)?;
                removed.push(path);
                return Ok(None);
            }
            _ => {}
        }
        let reason = format!("{}/{id}: its sender is missing", channel.name());
        self.quarantine(id, &reason).map(Some)
    }

    fn check_side_file(
        &self,
        kind: &str,
        id: MessageId,
        path: &Path,
        found: &mut Recovered,
    ) -> Result<Option<Quarantined>, QueueError> {
        if kind == "params" {
            // Without an envelope its writer may still be at work; what nobody finishes is reaped.
            let stale = self.is_queued(id)? && !self.params_match(id)?;
            if stale && self.files().unlink_if_there(path).at("remove", path)? {
                found.removed.push(path.to_path_buf());
            }
            return Ok(None);
        }
        let queued = self.is_there(&self.paths().todo(id))?;
        if queued || self.is_there(&self.paths().info(id))? {
            if self.repair_bounce(path)? {
                found.mended.push(path.to_path_buf());
            }
            return Ok(None);
        }
        let reason = format!("bounce/{id}: its message is missing");
        self.put_aside(&[path.to_path_buf()], &reason).map(Some)
    }

    /// Returns when the recipients of a channel are tried next; `None` where it has none.
    ///
    /// # Errors
    /// Fails where the system does not let us look.
    pub fn next_attempt(
        &self,
        id: MessageId,
        channel: Channel,
    ) -> Result<Option<Unix>, QueueError> {
        let path = self.paths().channel(id, channel);
        match self.files().stat(&path) {
            Ok(stat) => Ok(Some(stat.mtime)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).at("describe", &path),
        }
    }

    fn has_message(&self, id: MessageId) -> Result<bool, QueueError> {
        self.is_there(&self.paths().mess(id))
    }

    fn is_there(&self, path: &Path) -> Result<bool, QueueError> {
        self.files().exists(path).at("find", path)
    }
}

impl Recovered {
    /// Notes what came of judging one file.
    fn take(&mut self, path: PathBuf, judged: Result<Option<Quarantined>, QueueError>) {
        match judged {
            Ok(aside) => self.quarantined.extend(aside),
            Err(e) => self.failed.push(format!("{}: {e}", path.display())),
        }
    }
}
