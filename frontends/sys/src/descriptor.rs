//! Descriptors that whoever started us left open: checkpassword's 3, UCSPI's 6 and 7, a listening socket.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// The lowest number that a copy gets: 0 to 9 are the ones that programs agree on.
const ABOVE: libc::c_int = 10;

/// Copies an inherited descriptor, so that it can be owned; no program that we start inherits the copy.
///
/// The original stays open for whoever owns it, if anybody does. So the reader of a pipe that is
/// adopted for writing sees its end only when this process ends.
///
/// # Errors
/// Fails where nothing is open under that number.
///
/// ```
/// assert!(sys::adopt(1).is_ok());
/// assert!(sys::adopt(4711).is_err());
/// ```
#[expect(
    unsafe_code,
    reason = "std has no safe way to own a descriptor that is known by its number only"
)]
pub fn adopt(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes an integer and touches no memory of ours. Any number may be
    // passed: one that is not open gives EBADF, and the original is neither closed nor changed.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, ABOVE) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made `copy` for this call, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}
