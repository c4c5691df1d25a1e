//! Makes one line of the installation's table below a directory, without following links (open(2), hier.c).

use mta_core::hierarchy::{Entry, Kind};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, mkdirat};
use nix::unistd::{Gid, Uid, fchown, mkfifoat};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Makes or mends an entry: its owner first, then its mode, because a change of owner takes setuid
/// and setgid away.
///
/// Only the first part of its path may be a symbolic link, such as a queue on another disk: it lies in
/// a directory of root's. The queue's users cannot lead root elsewhere.
pub(super) fn make(home: &OwnedFd, entry: &Entry, uid: Uid, gid: Gid) -> Result<(), Errno> {
    let (parent, name) = match entry.path.rsplit_once('/') {
        Some((parent, name)) => (Some(parent), name),
        None => (None, entry.path.as_str()),
    };
    let parent = match parent {
        Some(path) => descend(home, path)?,
        None => home.try_clone().map_err(|_| Errno::last())?,
    };
    let link = match entry.path.contains('/') {
        true => OFlag::O_NOFOLLOW,
        false => OFlag::empty(),
    };
    let opened = match entry.kind {
        _ if name.is_empty() => parent,
        Kind::Directory => {
            allow_existing(mkdirat(&parent, name, Mode::S_IRWXU))?;
            openat(&parent, name, link | DIRECTORY, Mode::empty())?
        }
        Kind::Fifo => {
            allow_existing(mkfifoat(&parent, name, Mode::S_IRUSR | Mode::S_IWUSR))?;
            let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
            let fifo = openat(&parent, name, link | flags, Mode::empty())?;
            expect_type(&fifo, SFlag::S_IFIFO)?;
            fifo
        }
        Kind::File { len } => file(&parent, name, len)?,
        Kind::Program => return Err(Errno::EINVAL),
    };
    fchown(&opened, Some(uid), Some(gid))?;
    fchmod(&opened, Mode::from_bits_truncate(entry.mode))
}

const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);

/// Opens the directory that holds an entry.
fn descend(home: &OwnedFd, path: &str) -> Result<OwnedFd, Errno> {
    let mut at = home.try_clone().map_err(|_| Errno::last())?;
    for (depth, part) in path.split('/').enumerate() {
        let link = match depth {
            0 => OFlag::empty(),
            _ => OFlag::O_NOFOLLOW,
        };
        at = openat(&at, part, link | DIRECTORY, Mode::empty())?;
    }
    Ok(at)
}

fn allow_existing(made: Result<(), Errno>) -> Result<(), Errno> {
    match made {
        Err(Errno::EEXIST) => Ok(()),
        other => other,
    }
}

/// A file is never cut: what is in it may be in use.
fn file(parent: &OwnedFd, name: &str, len: u64) -> Result<OwnedFd, Errno> {
    let flags =
        OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let opened = openat(parent, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let stat = expect_type(&opened, SFlag::S_IFREG)?;
    // Another name may be one that is not ours to change.
    if stat.st_nlink != 1 {
        return Err(Errno::EMLINK);
    }
    let is = u64::try_from(stat.st_size).unwrap_or(0);
    if is < len {
        let length = libc_len(len)?;
        nix::unistd::ftruncate(&opened, length)?;
    }
    Ok(opened)
}

fn libc_len(len: u64) -> Result<nix::libc::off_t, Errno> {
    nix::libc::off_t::try_from(len).map_err(|_| Errno::EFBIG)
}

fn expect_type(file: &OwnedFd, wanted: SFlag) -> Result<FileStat, Errno> {
    let stat = fstat(file)?;
    if stat.st_mode & SFlag::S_IFMT.bits() == wanted.bits() {
        return Ok(stat);
    }
    Err(Errno::EEXIST)
}

/// Copies a program under a name in one step, complete and with owner and mode before it can be run.
pub(super) fn program(
    from: &Path,
    to: &Path,
    (uid, gid): (Uid, Gid),
    mode: u32,
) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let fresh = to.with_extension(format!("new.{}", std::process::id()));
    let copy = || -> std::io::Result<()> {
        let mut source = File::open(from)?;
        let mut copy = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)?;
        std::io::copy(&mut source, &mut copy)?;
        fchown(&copy, Some(uid), Some(gid))?;
        fchmod(&copy, Mode::from_bits_truncate(mode))?;
        copy.sync_all()?;
        std::fs::rename(&fresh, to)
    };
    copy().inspect_err(|_| {
        // The first failure is what matters.
        let _ = std::fs::remove_file(&fresh);
    })
}

/// Gives a program that is in its place already owner and mode.
pub(super) fn mend(path: &Path, (uid, gid): (Uid, Gid), mode: u32) -> std::io::Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = nix::fcntl::open(path, flags, Mode::empty())?;
    expect_type(&file, SFlag::S_IFREG)?;
    fchown(&file, Some(uid), Some(gid))?;
    fchmod(&file, Mode::from_bits_truncate(mode))?;
    Ok(())
}
