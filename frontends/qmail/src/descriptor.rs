//! Descriptors that a caller may have forgotten to open (qmail-queue(8)).

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;

/// Takes a copy of a descriptor.
///
/// Rust's runtime puts `/dev/null`, open for reading and writing, where one of the first three
/// descriptors is closed. That is told apart here, so that a caller's mistake is not taken for an
/// empty message.
///
/// # Errors
/// Fails where the caller left it closed.
pub(crate) fn open(number: i32) -> io::Result<File> {
    let file = sys::adopt(number)?;
    if stands_for_closed(&file) {
        return Err(ErrorKind::NotFound.into());
    }
    Ok(File::from(file))
}

fn stands_for_closed(file: &OwnedFd) -> bool {
    let null = nix::sys::stat::stat("/dev/null");
    let (Ok(null), Ok(this)) = (null, nix::sys::stat::fstat(file)) else {
        return false;
    };
    let both_ways = fcntl(file, FcntlArg::F_GETFL)
        .is_ok_and(|flags| flags & OFlag::O_ACCMODE.bits() == OFlag::O_RDWR.bits());
    let character = this.st_mode & nix::sys::stat::SFlag::S_IFMT.bits()
        == nix::sys::stat::SFlag::S_IFCHR.bits();
    both_ways && character && this.st_rdev == null.st_rdev
}
