//! A port that says it synced and did not: the judge must catch whoever relies on it (fsync(2)).

use mta_core::Unix;
use mta_store::files::{Access, Files, Kind, OpenFile, SimFiles, Stat, Wait};
use std::ffi::OsStr;
use std::io;
use std::path::Path;

/// What is not synced although it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    Directories,
    Files,
}

#[derive(Clone, Debug)]
pub(crate) struct Lying(pub(crate) SimFiles, pub(crate) Lie);

#[derive(Debug)]
pub(crate) struct LyingFile(<SimFiles as Files>::File, bool);

impl Lying {
    fn wrap(&self, file: <SimFiles as Files>::File) -> io::Result<LyingFile> {
        let is_dir = file.stat()?.kind == Kind::Dir;
        Ok(LyingFile(file, is_dir == (self.1 == Lie::Directories)))
    }
}

impl Files for Lying {
    type File = LyingFile;
    type Lock = <SimFiles as Files>::Lock;

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<LyingFile> {
        self.wrap(self.0.create_new(path, mode)?)
    }
    fn open(&self, path: &Path, access: Access) -> io::Result<LyingFile> {
        self.wrap(self.0.open(path, access)?)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.link(from, to)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename_new(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.0.unlink(path)
    }
    fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.0.mkdir(path, mode)
    }
    fn rmdir(&self, path: &Path) -> io::Result<()> {
        self.0.rmdir(path)
    }
    fn read_dir(&self, path: &Path, visit: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
        self.0.read_dir(path, visit)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        match self.1 {
            Lie::Directories => Ok(()),
            Lie::Files => self.0.sync_dir(path),
        }
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.0.stat(path)
    }
    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        self.0.lstat(path)
    }
    fn chmod(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.0.chmod(path, mode)
    }
    fn chown(&self, path: &Path, uid: u32, gid: u32) -> io::Result<()> {
        self.0.chown(path, uid, gid)
    }
    fn lock(&self, path: &Path, wait: Wait) -> io::Result<Option<Self::Lock>> {
        self.0.lock(path, wait)
    }
    fn mkfifo(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.0.mkfifo(path, mode)
    }
    fn pull(&self, path: &Path) -> io::Result<bool> {
        self.0.pull(path)
    }
}

impl OpenFile for LyingFile {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        self.0.read_at(buf, at)
    }
    fn write_at(&self, buf: &[u8], at: u64) -> io::Result<usize> {
        self.0.write_at(buf, at)
    }
    fn append(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.append(buf)
    }
    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.truncate(len)
    }
    fn sync(&self) -> io::Result<()> {
        if self.1 { Ok(()) } else { self.0.sync() }
    }
    fn stat(&self) -> io::Result<Stat> {
        self.0.stat()
    }
    fn set_mtime(&self, to: Unix) -> io::Result<()> {
        self.0.set_mtime(to)
    }
}
