//! Where a new domain or mailbox goes, kept in `.dir-control` and `.dir_control_free` (vadduser(8)).

use super::{AccountError, Vpopmail};
use crate::dir_control::DirControl;
use mta_store::files::Files;
use std::path::{Path, PathBuf};

/// The place of a new entry; nothing is written before [`Vpopmail::keep_placement`].
#[derive(Debug)]
pub(super) struct Placement {
    base: PathBuf,
    /// The hashed sub-directory, maybe empty.
    directory: String,
    control: DirControl,
    /// What remains of the list of free places, where one was taken from it.
    free: Option<Vec<u8>>,
}

impl Placement {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        if self.directory.is_empty() {
            self.base.join(name)
        } else {
            self.base.join(&self.directory).join(name)
        }
    }
}

impl<F: Files> Vpopmail<F> {
    /// Tells how many mailboxes a domain counts in its `.dir-control`.
    ///
    /// # Errors
    /// Fails where that file is damaged or cannot be read.
    pub fn count_users(&self, domain: &super::Domain) -> Result<u64, AccountError> {
        self.dir_control(&domain.dir).map(|control| control.count())
    }

    /// Chooses the place of a new entry in `base`: one that a removed entry left, or the next.
    pub(super) fn place(&self, base: &Path) -> Result<Placement, AccountError> {
        let mut control = self.dir_control(base)?;
        let list = self.read(&base.join(".dir_control_free"))?;
        let at = list.iter().position(|&b| b == b'\n').unwrap_or(list.len());
        let first = list.get(..at).unwrap_or_default();
        let free = std::str::from_utf8(first).ok().filter(|d| is_place(d));
        if let Some(directory) = free {
            control.refill();
            return Ok(Placement {
                base: base.to_path_buf(),
                directory: directory.to_owned(),
                control,
                free: Some(list.get(at + 1..).unwrap_or_default().to_vec()),
            });
        }
        Ok(Placement {
            base: base.to_path_buf(),
            directory: control.place(),
            control,
            free: None,
        })
    }

    /// Makes the hashed directories of a place, each durable.
    pub(super) fn make_place(&self, place: &Placement) -> Result<(), AccountError> {
        let mut path = place.base.clone();
        for level in place.directory.split('/').filter(|level| !level.is_empty()) {
            path.push(level);
            self.make_dir(&path, 0o700)?;
        }
        Ok(())
    }

    /// Writes down that the place is taken. A crash before it leaves a count that is one too low,
    /// which only makes a sub-directory one entry fuller.
    pub(super) fn keep_placement(&self, place: &Placement) -> Result<(), AccountError> {
        self.publish(
            &place.base.join(".dir-control"),
            &place.control.format(),
            0o600,
        )?;
        match &place.free {
            Some(list) => self.publish(&place.base.join(".dir_control_free"), list, 0o600),
            None => Ok(()),
        }
    }

    /// Writes down that the entry at `path` is gone.
    pub(super) fn give_back(&self, base: &Path, path: &Path) -> Result<(), AccountError> {
        let mut control = self.dir_control(base)?;
        control.remove();
        self.publish(&base.join(".dir-control"), &control.format(), 0o600)?;
        let hashed = path
            .parent()
            .and_then(|parent| parent.strip_prefix(base).ok());
        match hashed.and_then(Path::to_str).filter(|d| is_place(d)) {
            Some(directory) => {
                let list = base.join(".dir_control_free");
                let mut free = self.read(&list)?;
                free.extend_from_slice(directory.as_bytes());
                free.push(b'\n');
                self.publish(&list, &free, 0o600)
            }
            None => Ok(()),
        }
    }

    fn dir_control(&self, base: &Path) -> Result<DirControl, AccountError> {
        let path = base.join(".dir-control");
        let file = self.read(&path)?;
        if file.is_empty() {
            return Ok(DirControl::default());
        }
        DirControl::parse(&file).map_err(|e| AccountError::damaged(&path, e.to_string()))
    }
}

/// Only places that hashing makes are believed, so that a list of free ones cannot lead astray.
fn is_place(directory: &str) -> bool {
    let levels: Vec<&str> = directory.split('/').collect();
    let single =
        |level: &&str| level.len() == 1 && level.bytes().all(|b| b.is_ascii_alphanumeric());
    levels.len() <= 3 && levels.iter().all(single)
}
