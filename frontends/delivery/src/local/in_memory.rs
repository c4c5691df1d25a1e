//! A message that lies in a log, as the file that programs read (qmail-local(8), memfd_create(2)).

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Puts a message into a nameless file that nobody can change any more.
///
/// ```
/// use std::io::Read;
/// let mut text = String::new();
/// delivery::local::in_memory(b"Subject: hello\n\n")?.read_to_string(&mut text)?;
/// assert_eq!(text, "Subject: hello\n\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Fails where the system has no memory or no descriptor for it.
pub fn in_memory(bytes: &[u8]) -> io::Result<File> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let file = File::from(memfd_create(c"message", flags)?);
    // At a position, so that whoever reads it begins at the start.
    file.write_all_at(bytes, 0)?;
    let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_can_change_it() {
        let file = in_memory(b"hello").unwrap();
        assert!(file.write_all_at(b"j", 0).is_err());
        assert!(file.set_len(0).is_err());
    }
}
