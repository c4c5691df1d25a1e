//! What root makes in somebody's home belongs to that somebody, for the server runs as the owner of the home.

use crate::Failure;
use crate::home::Home;
use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

/// Gives everything in these places to the owner of the home, where root runs it and is not the
/// owner. The places hold no files of mail, so this is short.
///
/// # Errors
/// Names what could not be given away.
pub fn give(home: &Home, places: &[&Path]) -> Result<(), Failure> {
    let root = home.root();
    let owner = fs::metadata(root).map_err(|error| Failure::file("stat", root, &error))?;
    let owner = (owner.uid(), owner.gid());
    if owner.0 == 0 || !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    places.iter().try_for_each(|place| give_below(place, owner))
}

/// Follows no symbolic link, so nothing outside is given away.
fn give_below(path: &Path, owner: (u32, u32)) -> Result<(), Failure> {
    let trouble = |error: &std::io::Error| Failure::file("give away", path, error);
    let stat = fs::symlink_metadata(path).map_err(|error| trouble(&error))?;
    if (stat.uid(), stat.gid()) != owner {
        lchown(path, Some(owner.0), Some(owner.1)).map_err(|error| trouble(&error))?;
    }
    if stat.is_dir() {
        for entry in fs::read_dir(path).map_err(|error| trouble(&error))? {
            give_below(&entry.map_err(|error| trouble(&error))?.path(), owner)?;
        }
    }
    Ok(())
}
