//! The system's errors in qmail's words, and which of them may pass (error_str(3), error_temp(3)).

use nix::errno::Errno;
use std::io;

/// Says why a call failed; what qmail has no words for, the system says.
pub(crate) fn why(error: &io::Error) -> String {
    let Some(errno) = error.raw_os_error().map(Errno::from_raw) else {
        return error.to_string();
    };
    let words = match errno {
        Errno::EINTR => "interrupted system call",
        Errno::ENOMEM => "out of memory",
        Errno::ENOENT => "file does not exist",
        Errno::ETXTBSY => "text busy",
        Errno::EIO => "input/output error",
        Errno::EEXIST => "file already exists",
        Errno::ETIMEDOUT => "timed out",
        Errno::EAGAIN => "temporary failure",
        Errno::EPIPE => "broken pipe",
        Errno::EPERM => "permission denied",
        Errno::EACCES => "access denied",
        Errno::EISDIR => "is a directory",
        Errno::ENOTDIR => "not a directory",
        _ => return errno.desc().to_owned(),
    };
    words.to_owned()
}

/// Tells whether trying again later may help.
pub(crate) fn is_temporary(error: &io::Error) -> bool {
    let Some(errno) = error.raw_os_error().map(Errno::from_raw) else {
        return false;
    };
    matches!(
        errno,
        Errno::EINTR
            | Errno::ENOMEM
            | Errno::ETXTBSY
            | Errno::EIO
            | Errno::ETIMEDOUT
            | Errno::EAGAIN
            | Errno::EPIPE
            | Errno::ENFILE
            | Errno::EMFILE
            | Errno::ENOBUFS
            | Errno::ENOSPC
            | Errno::EDQUOT
            | Errno::ESTALE
    )
}
