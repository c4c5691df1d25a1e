//! Descriptors that whoever started us left open: checkpassword's 3, UCSPI's 6 and 7, a listening socket.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

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

/// Takes an inherited descriptor over: `/dev/null` stands in its place afterwards, and no program
/// that we start has either. The number stays occupied, so that nothing else opens there.
///
/// Unlike with [`adopt`], the end of a pipe is seen as soon as what is returned is dropped.
///
/// # Errors
/// Fails where nothing is open under that number, or where there is no `/dev/null`.
#[expect(
    unsafe_code,
    reason = "std has no safe way to replace a descriptor that is known by its number only"
)]
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    let taken = adopt(number)?;
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    // The first three are what programs expect to be open; the others are nobody's business.
    let flags = if number < 3 { 0 } else { libc::O_CLOEXEC };
    // SAFETY: dup3 takes integers and touches no memory of ours. `number` was open when we were
    // started, and whoever uses it by its number finds /dev/null from now on, not a foreign file.
    match unsafe { libc::dup3(null.as_raw_fd(), number, flags) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(taken),
    }
}

/// Gives a child a descriptor under a number of its own, 3 to 9: checkpassword's 3, a queue program's 6.
/// What this process has under that number stays as it is.
///
/// # Errors
/// Fails where the number is not 3 to 9, or where no more descriptors are to be had.
///
/// ```
/// use std::io::{Read, Write};
/// let (mut reader, writer) = std::io::pipe()?;
/// let mut shell = std::process::Command::new("/bin/sh");
/// sys::pass(shell.args(["-c", "echo told >&6"]), writer.into(), 6)?;
/// shell.status()?;
/// drop(shell);
/// let mut heard = String::new();
/// reader.read_to_string(&mut heard)?;
/// assert_eq!(heard, "told\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[expect(
    unsafe_code,
    reason = "std has no way to give a child descriptors beyond the first three"
)]
pub fn pass(command: &mut Command, descriptor: OwnedFd, number: RawFd) -> io::Result<()> {
    if !(3..ABOVE).contains(&number) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let source = adopt(descriptor.as_raw_fd())?;
    drop(descriptor);
    let taken = occupy(&source, number)?;
    let place = move || {
        // Kept so that no descriptor of std's own gets the number before the child has it.
        let _ = &taken;
        // SAFETY: dup2 takes two integers and touches no memory of ours. In the child, between fork
        // and exec, nothing else uses `number`: std's own descriptors got others, see `occupy`.
        match unsafe { libc::dup2(source.as_raw_fd(), number) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: the closure only calls dup2 and reads errno, both allowed between fork and exec.
    unsafe { command.pre_exec(place) };
    Ok(())
}

/// Makes sure that something is open under `number`, and keeps it.
#[expect(unsafe_code, reason = "see `adopt`")]
fn occupy(source: &OwnedFd, number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: as in `adopt`; the lowest free number from `number` on is given, so that `number`
    // itself is in use afterwards.
    let copy = unsafe { libc::fcntl(source.as_raw_fd(), libc::F_DUPFD_CLOEXEC, number) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made `copy` for this call, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}
