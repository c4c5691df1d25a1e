//! Becomes another program, as every link of a UCSPI or checkpassword chain does at its end.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Replaces this process by `program`, looked up in PATH, with its environment and descriptors.
/// Signals are as at the start of a process: none blocked, SIGPIPE not ignored.
///
/// # Errors
/// Returns only where it fails, and says why.
#[must_use = "when this returns, the other program was not started"]
pub fn exec(program: &OsStr, arguments: &[OsString]) -> io::Error {
    Command::new(program).args(arguments).exec()
}
