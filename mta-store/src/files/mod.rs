//! The port for file calls: the few that a mail store needs, with one meaning on every system (POSIX.1-2024, INTERNALS).

#[cfg(feature = "real-files")]
mod real;
#[cfg(feature = "sim")]
pub mod sim;

#[cfg(feature = "real-files")]
pub use real::{RealFile, RealFiles, RealLock};
#[cfg(feature = "sim")]
pub use sim::SimFiles;

use mta_core::Unix;
use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::io;
use std::path::Path;

/// The file system as a mail store sees it.
///
/// Nothing is durable before it was synced: a file's bytes by [`OpenFile::sync`], the names in a
/// directory (made by create, link, rename, mkdir, or removed) by [`Files::sync_dir`] on that
/// directory. After a sync that failed, what it covered may be lost although a later sync succeeds;
/// so give up the file and never sync it again.
///
/// ```
/// # #[cfg(feature = "sim")] {
/// use mta_store::files::{Access, Files, OpenFile, SimFiles};
/// use std::path::Path;
///
/// let files = SimFiles::new();
/// files.mkdir(Path::new("/box"), 0o700)?;
/// let file = files.create_new(Path::new("/box/one"), 0o600)?;
/// file.append_all(b"hello\n")?;
/// file.sync()?;
/// files.sync_dir(Path::new("/box"))?;
/// assert_eq!(files.read(Path::new("/box/one"), 100)?, b"hello\n");
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Files: Debug + Send + Sync + 'static {
    /// An open file; dropping it closes it.
    type File: OpenFile;
    /// A lock that is held until it is dropped.
    type Lock: Debug + Send + Sync + 'static;

    /// Creates a file for reading and writing; fails where the name exists.
    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Self::File>;

    /// Opens an existing file. Never waits, not even on a FIFO.
    fn open(&self, path: &Path, access: Access) -> io::Result<Self::File>;

    /// Gives a file a second name; fails where that exists.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Renames, replacing what stands at `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Renames; fails with [`io::ErrorKind::AlreadyExists`] where `to` exists.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a name that is not a directory's.
    fn unlink(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory; fails where the name exists.
    fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()>;

    /// Removes an empty directory.
    fn rmdir(&self, path: &Path) -> io::Result<()>;

    /// Shows every name in a directory but `.` and `..`, in no order.
    fn read_dir(&self, path: &Path, visit: &mut dyn FnMut(&OsStr)) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Describes what a path leads to, following symbolic links.
    fn stat(&self, path: &Path) -> io::Result<Stat>;

    /// Describes the last name itself, even if it is a symbolic link.
    fn lstat(&self, path: &Path) -> io::Result<Stat>;

    /// Sets the permission bits.
    fn chmod(&self, path: &Path, mode: u32) -> io::Result<()>;

    /// Sets owner and group.
    fn chown(&self, path: &Path, uid: u32, gid: u32) -> io::Result<()>;

    /// Takes the exclusive lock of a file (flock(2)), which is made with mode 0600 where it is
    /// missing. `Ok(None)` means that [`Wait::Never`] was said and somebody else holds it.
    fn lock(&self, path: &Path, wait: Wait) -> io::Result<Option<Self::Lock>>;

    /// Makes a FIFO.
    fn mkfifo(&self, path: &Path, mode: u32) -> io::Result<()>;

    /// Writes one NUL into a FIFO without waiting; `Ok(false)` where nobody reads it.
    fn pull(&self, path: &Path) -> io::Result<bool>;

    /// Returns the names in a directory, sorted.
    fn names(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        self.read_dir(path, &mut |name| names.push(name.to_os_string()))?;
        names.sort();
        Ok(names)
    }

    /// Tells whether a path leads to anything.
    fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.stat(path) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Removes a name if it is there; tells whether it was.
    fn unlink_if_there(&self, path: &Path) -> io::Result<bool> {
        match self.unlink(path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Reads a whole regular file of at most `limit` bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] where it is larger, [`io::ErrorKind::InvalidData`] where it
    /// is not a regular file.
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let file = self.open(path, Access::Read)?;
        if file.stat()?.kind != Kind::File {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "expected a regular file",
            ));
        }
        file.read_all(limit)
    }
}

/// An open file.
pub trait OpenFile: Debug + Send + Sync + 'static {
    /// Reads at a position into `buf`; 0 means the end.
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;

    /// Writes at a position; may write less than all.
    fn write_at(&self, buf: &[u8], at: u64) -> io::Result<usize>;

    /// Writes at the end that the file has now; may write less than all. One writer at a time.
    fn append(&self, buf: &[u8]) -> io::Result<usize>;

    /// Cuts the file, or extends it with NULs.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Makes bytes, length and times durable. After a failure give the file up.
    fn sync(&self) -> io::Result<()>;

    /// Makes bytes and length durable; times may stay behind. After a failure give the file up.
    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    /// Describes the file.
    fn stat(&self) -> io::Result<Stat>;

    /// Sets the time of last modification, and of last access with it.
    fn set_mtime(&self, to: Unix) -> io::Result<()>;

    /// Writes all of `buf` at a position.
    fn write_all_at(&self, mut buf: &[u8], mut at: u64) -> io::Result<()> {
        while !buf.is_empty() {
            let n = progress(self.write_at(buf, at))?;
            at = at.saturating_add(n as u64);
            buf = buf.get(n..).unwrap_or_default();
        }
        Ok(())
    }

    /// Writes all of `buf` at the end.
    fn append_all(&self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let n = progress(self.append(buf))?;
            buf = buf.get(n..).unwrap_or_default();
        }
        Ok(())
    }

    /// Reads from the start to the end, at most `limit` bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] where there is more.
    fn read_all(&self, limit: usize) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let n = self.read_at(&mut piece, all.len() as u64)?;
            if n == 0 {
                return Ok(all);
            }
            all.extend_from_slice(piece.get(..n).unwrap_or_default());
            if all.len() > limit {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    format!("expected at most {limit} bytes"),
                ));
            }
        }
    }
}

/// Turns "wrote nothing" into an error, so that no loop spins on it.
fn progress(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(0),
        other => other,
    }
}

/// What an opened file may be used for.
#[expect(
    clippy::exhaustive_enums,
    reason = "a store opens files in these three ways"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and writing.
    ReadWrite,
    /// Reading, and writing at the end only: whoever else appends, no bytes overwrite others.
    /// Truncating works; [`OpenFile::write_at`] is not to be used.
    Append,
}

/// What to do while somebody else holds a lock.
#[expect(clippy::exhaustive_enums, reason = "flock knows these two")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Wait until it is free.
    Forever,
    /// Come back at once.
    Never,
}

/// What a name leads to.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A FIFO.
    Fifo,
    /// A device or a socket.
    Other,
}

/// What stat(2) says of a file.
#[expect(clippy::exhaustive_structs, reason = "tests and other ports build it")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// The inode number, reused as soon as the file is gone.
    pub ino: u64,
    /// Length in bytes.
    pub size: u64,
    /// Permission bits without the type.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// How many names it has.
    pub nlink: u64,
    /// Time of last modification; zero where it lies before 1970.
    pub mtime: Unix,
    /// The nanoseconds of `mtime`.
    pub mtime_nanos: u32,
}
