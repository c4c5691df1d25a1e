//! The operating system's files behind the port (POSIX.1-2024, open(2), fsync(2), flock(2)).

use super::{Access, Files, Kind, OpenFile, Stat, Wait};
use mta_core::Unix;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The files of the operating system.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RealFiles;

impl RealFiles {
    /// Makes the port; it has no state.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

/// A file of the operating system.
#[derive(Debug)]
pub struct RealFile(File);

/// A held flock(2); closing the descriptor gives it back.
#[derive(Debug)]
pub struct RealLock {
    _held: File,
}

impl RealFile {
    /// Gives out the file itself, for frontends that hand its descriptor to a child.
    #[must_use]
    pub fn into_inner(self) -> File {
        self.0
    }
}

/// Opening never waits: a FIFO that somebody put into a queue directory must not hold us up.
const NONBLOCK: i32 = OFlags::NONBLOCK.bits().cast_signed();

impl Files for RealFiles {
    type File = RealFile;
    type Lock = RealLock;

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<RealFile> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)
            .map(RealFile)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<RealFile> {
        OpenOptions::new()
            .read(true)
            .write(access == Access::ReadWrite)
            .append(access == Access::Append)
            .custom_flags(NONBLOCK)
            .open(path)
            .map(RealFile)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS) => {}
            done => return done.map_err(io::Error::from),
        }
        fs::hard_link(from, to)?;
        fs::remove_file(from)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        rustix::fs::unlinkat(CWD, path, AtFlags::empty()).map_err(io::Error::from)
    }

    fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()> {
        fs::DirBuilder::new().mode(mode).create(path)
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn read_dir(&self, path: &Path, visit: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
        for entry in fs::read_dir(path)? {
            visit(&entry?.file_name());
        }
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        fs::metadata(path).map(|m| describe(&m))
    }

    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        fs::symlink_metadata(path).map(|m| describe(&m))
    }

    fn chmod(&self, path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    }

    fn chown(&self, path: &Path, uid: u32, gid: u32) -> io::Result<()> {
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
    }

    fn lock(&self, path: &Path, wait: Wait) -> io::Result<Option<RealLock>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(NONBLOCK)
            .open(path)?;
        match wait {
            Wait::Forever => file.lock()?,
            Wait::Never => match file.try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => return Ok(None),
                Err(fs::TryLockError::Error(e)) => return Err(e),
            },
        }
        Ok(Some(RealLock { _held: file }))
    }

    fn mkfifo(&self, path: &Path, mode: u32) -> io::Result<()> {
        rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(mode), 0)?;
        Ok(())
    }

    fn pull(&self, path: &Path) -> io::Result<bool> {
        let opened = OpenOptions::new()
            .write(true)
            .custom_flags(NONBLOCK)
            .open(path);
        let fifo = match opened {
            Err(e) if e.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => return Ok(false),
            other => other?,
        };
        if !std::os::unix::fs::FileTypeExt::is_fifo(&fifo.metadata()?.file_type()) {
            return Ok(false);
        }
        match io::Write::write(&mut &fifo, &[0]) {
            // A full FIFO wakes its reader as well as one byte more would.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(true),
            other => other.map(|_| true),
        }
    }
}

impl OpenFile for RealFile {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        loop {
            match self.0.read_at(buf, at) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn write_at(&self, buf: &[u8], at: u64) -> io::Result<usize> {
        self.0.write_at(buf, at)
    }

    fn append(&self, buf: &[u8]) -> io::Result<usize> {
        // Most files are not opened with O_APPEND, with which Linux ignores this position.
        self.0.write_at(buf, self.0.metadata()?.len())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn stat(&self) -> io::Result<Stat> {
        self.0.metadata().map(|m| describe(&m))
    }

    fn set_mtime(&self, to: Unix) -> io::Result<()> {
        let at = SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(to.0))
            .ok_or(io::ErrorKind::InvalidInput)?;
        self.0
            .set_times(fs::FileTimes::new().set_modified(at).set_accessed(at))
    }
}

fn describe(m: &fs::Metadata) -> Stat {
    use std::os::unix::fs::FileTypeExt;
    let kind = match m.file_type() {
        t if t.is_file() => Kind::File,
        t if t.is_dir() => Kind::Dir,
        t if t.is_symlink() => Kind::Symlink,
        t if t.is_fifo() => Kind::Fifo,
        _ => Kind::Other,
    };
    Stat {
        kind,
        ino: m.ino(),
        size: m.size(),
        mode: m.mode() & 0o7777,
        uid: m.uid(),
        gid: m.gid(),
        nlink: m.nlink(),
        mtime: Unix(u64::try_from(m.mtime()).unwrap_or(0)),
        mtime_nanos: u32::try_from(m.mtime_nsec()).unwrap_or(0),
    }
}
