//! Removing a directory with all that is in it, without following symbolic links (vdeldomain(8), vdeluser(8)).

use super::error::doing;
use super::{AccountError, Vpopmail};
use mta_store::files::{Files, Kind};
use std::io;
use std::path::Path;

/// How deep a tree may be that is removed.
const MAX_DEPTH: usize = 64;

impl<F: Files> Vpopmail<F> {
    /// Removes `path`, which must stand below `base`; one that is not there is no error.
    pub(super) fn remove_tree(&self, base: &Path, path: &Path) -> Result<(), AccountError> {
        let inside = path.strip_prefix(base).is_ok_and(|rest| {
            let mut parts = rest.components();
            parts.clone().next().is_some()
                && parts.all(|part| matches!(part, std::path::Component::Normal(_)))
        });
        if !inside {
            return Err(AccountError::Outside(path.to_path_buf()));
        }
        self.remove_level(path, MAX_DEPTH)
            .map_err(doing("removing", path))?;
        let parent = path.parent().unwrap_or(base);
        match self.files.sync_dir(parent) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(doing("syncing", parent)),
        }
    }

    fn remove_level(&self, path: &Path, depth: usize) -> io::Result<()> {
        let kind = match self.files.lstat(path) {
            Ok(stat) => stat.kind,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
        };
        if kind != Kind::Dir {
            return self.files.unlink_if_there(path).map(|_| ());
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Err(io::Error::other("expected a tree that is less deep"));
        };
        for name in self.files.names(path)? {
            self.remove_level(&path.join(name), depth)?;
        }
        self.files.rmdir(path)
    }
}
