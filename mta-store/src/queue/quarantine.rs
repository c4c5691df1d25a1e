//! Where broken messages go: out of everybody's way, with nothing lost (INTERNALS).

use super::error::{At, QueueError};
use super::{MessageId, Queue};
use crate::files::Files;
use mta_core::rewrite::Channel;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Files that were put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// Where they are now.
    pub files: Vec<PathBuf>,
    /// Why, for the log.
    pub reason: String,
}

/// How many files of one name can be kept.
const SAME_NAME: u32 = 10_000;

impl<F: Files> Queue<F> {
    /// Moves everything of a message into quarantine/, durably. The names there are the kind and
    /// the number, `mess.42`; the message's inode lives on, so that its number is not given out.
    ///
    /// # Errors
    /// After a failure it can be called again.
    pub fn quarantine(&self, id: MessageId, reason: &str) -> Result<Quarantined, QueueError> {
        let paths = self.paths();
        let all = [
            paths.todo(id),
            paths.info(id),
            paths.channel(id, Channel::Local),
            paths.channel(id, Channel::Remote),
            paths.bounce(id),
            paths.params(id),
            paths.intd(id),
            paths.mess(id),
        ];
        let mut there = Vec::new();
        for path in all {
            match self.files().lstat(&path) {
                Ok(_) => there.push(path),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e).at("describe", &path),
            }
        }
        self.put_aside(&there, reason)
    }

    /// Gives files a second name in quarantine/, makes that durable, then removes the first, in
    /// the order given. What cannot have two names, such as a directory, is renamed.
    pub(super) fn put_aside(
        &self,
        paths: &[PathBuf],
        reason: &str,
    ) -> Result<Quarantined, QueueError> {
        let mut files = Vec::new();
        let mut moved = Vec::new();
        for path in paths {
            if let Some((to, both)) = self.second_name(path)? {
                files.push(to);
                moved.push((path, both));
            }
        }
        self.syncs().sync_now(&self.paths().quarantine_dir())?;
        for (path, both) in moved {
            if both {
                self.files().unlink_if_there(path).at("remove", path)?;
            }
            self.syncs().wait(&self.syncs().mark(path))?;
        }
        let reason = reason.to_string();
        Ok(Quarantined { files, reason })
    }

    /// Returns the name in quarantine/ and whether the old one is still there; `None` where the
    /// file went away meanwhile.
    fn second_name(&self, path: &Path) -> Result<Option<(PathBuf, bool)>, QueueError> {
        let dir = self.paths().quarantine_dir();
        let kind = path.strip_prefix(self.paths().dir()).unwrap_or(path);
        let kind = kind.iter().next().unwrap_or_default().to_string_lossy();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        for number in 0..SAME_NAME {
            let to = match number {
                0 => dir.join(format!("{kind}.{name}")),
                n => dir.join(format!("{kind}.{name}.{n}")),
            };
            match self.files().link(path, &to) {
                Ok(()) => return Ok(Some((to, true))),
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                Err(_) => {}
            }
            match self.files().rename_new(path, &to) {
                Ok(()) => return Ok(Some((to, false))),
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e).at("put aside", path),
            }
        }
        Err(QueueError::io(
            "put aside",
            path,
            ErrorKind::AlreadyExists.into(),
        ))
    }
}
