//! Replacing a file as a whole: under a lock, durable, and never half (rename(2), flock(2)).
//!
//! Readers see the old contents or the new ones, before a power failure and after it. Writers of
//! ours exclude each other by flock on `FILE.lock`. The original vpopmail locks the same names by
//! fcntl, which flock does not see; the two must not edit one file at the same moment.

use crate::files::{Files, OpenFile, Wait};
use std::io;
use std::path::{Path, PathBuf};

/// The largest file that is edited as a whole.
pub const MAX_EDITED: usize = 256 << 20;

/// Mode and owner of a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "POSIX knows these and callers build it"
)]
pub struct Attributes {
    /// The permission bits.
    pub mode: u32,
    /// User and group; `None` leaves what the process makes.
    pub owner: Option<(u32, u32)>,
}

impl Attributes {
    /// The mode, owned by whoever runs the process.
    #[must_use]
    pub const fn mode(mode: u32) -> Self {
        Self { mode, owner: None }
    }

    /// The mode, owned by `owner`.
    #[must_use]
    pub const fn owned(mode: u32, owner: Option<(u32, u32)>) -> Self {
        Self { mode, owner }
    }
}

/// Takes the lock that guards `path`: flock on `path.lock`, waiting for it.
///
/// # Errors
/// Passes on what opening or locking that file says.
pub fn lock<F: Files>(files: &F, path: &Path) -> io::Result<F::Lock> {
    lock_file(files, &lock_path(path))
}

/// Names the lock file that guards `path`.
#[must_use]
pub fn lock_path(path: &Path) -> PathBuf {
    with_suffix(path, ".lock")
}

/// Takes the lock of a lock file that has a name of its own, waiting for it.
///
/// # Errors
/// Passes on what opening or locking that file says.
pub fn lock_file<F: Files>(files: &F, path: &Path) -> io::Result<F::Lock> {
    files
        .lock(path, Wait::Forever)?
        .ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

/// Puts `bytes` at `path`, replacing what is there. The caller holds the lock that guards `path`.
///
/// When it returns, contents and name are on stable storage. When it fails, the old contents are
/// in place, or the new ones whose durability is not sure.
///
/// # Errors
/// Passes on what the file calls say.
///
/// ```
/// # #[cfg(feature = "sim")] {
/// use mta_store::atomic::{Attributes, publish};
/// use mta_store::files::{Files, SimFiles};
/// use std::path::Path;
///
/// let files = SimFiles::new();
/// publish(&files, Path::new("/me"), b"mx.example.org\n", Attributes::mode(0o644))?;
/// assert_eq!(files.read(Path::new("/me"), 100)?, b"mx.example.org\n");
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn publish<F: Files>(
    files: &F,
    path: &Path,
    bytes: &[u8],
    attributes: Attributes,
) -> io::Result<()> {
    let scratch = with_suffix(path, ".tmp");
    // Left by a writer that died; the lock says that it is not at work.
    files.unlink_if_there(&scratch)?;
    let written = write(files, &scratch, bytes, attributes);
    if let Err(error) = written.and_then(|()| files.rename(&scratch, path)) {
        // The failure that is reported is the first one.
        let _ = files.unlink_if_there(&scratch);
        return Err(error);
    }
    files.sync_dir(parent(path))
}

/// Changes a file under its lock: `change` sees the contents, empty where there is no file, and
/// returns new ones, or `None` to leave them.
///
/// Contents that are returned as they were are written all the same: an earlier edit may have failed
/// between its rename and its sync, and a sync that failed is not made good by a later one.
///
/// # Errors
/// Passes on what the file calls say.
pub fn edit<F: Files>(
    files: &F,
    path: &Path,
    attributes: Attributes,
    change: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> io::Result<()> {
    let _held = lock(files, path)?;
    let old = read_if_there(files, path, MAX_EDITED)?;
    match change(old.as_deref().unwrap_or_default()) {
        Some(new) => publish(files, path, &new, attributes),
        None => Ok(()),
    }
}

/// Reads a file of at most `limit` bytes; `None` where there is none.
///
/// # Errors
/// Passes on every failure but the file's absence.
pub fn read_if_there<F: Files>(
    files: &F,
    path: &Path,
    limit: usize,
) -> io::Result<Option<Vec<u8>>> {
    match files.read(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Makes a directory and its name durable; one that is there already keeps mode and owner.
///
/// # Errors
/// Fails where the name is something else than a directory, and passes on what the calls say. A
/// directory whose name could not be made durable is removed again, so that a repetition makes it
/// anew.
pub fn make_dir<F: Files>(files: &F, path: &Path, attributes: Attributes) -> io::Result<()> {
    match files.mkdir(path, attributes.mode) {
        Ok(()) => {
            let owned = match attributes.owner {
                Some((uid, gid)) => files.chown(path, uid, gid),
                None => Ok(()),
            };
            let done = owned.and_then(|()| files.sync_dir(parent(path)));
            if done.is_err() {
                // The failure that is reported is the first one.
                let _ = files.rmdir(path);
            }
            done
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            if files.stat(path)?.kind != crate::files::Kind::Dir {
                return Err(e);
            }
            files.sync_dir(parent(path))
        }
        Err(e) => Err(e),
    }
}

fn write<F: Files>(files: &F, path: &Path, bytes: &[u8], attributes: Attributes) -> io::Result<()> {
    let file = files.create_new(path, attributes.mode)?;
    file.append_all(bytes)?;
    files.chmod(path, attributes.mode)?;
    if let Some((uid, gid)) = attributes.owner {
        files.chown(path, uid, gid)?;
    }
    file.sync()
}

/// The directory that a name stands in; `.` for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}
