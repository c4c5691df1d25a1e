//! Why an applet ends before its work is done, in the words and with the codes of ucspi-tcp (spec §9.1, §9.3).

use crate::Io;
use applet::Exit;
use std::io;
use std::path::Path;

/// Why an applet gives up.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called in a wrong way.
    Usage(&'static str),
    /// What it was given is wrong; trying again does not help.
    Permanent(Vec<u8>),
    /// The system failed, and later it may not.
    Temporary(Vec<u8>),
}

impl Failure {
    pub(crate) const fn usage(text: &'static str) -> Self {
        Self::Usage(text)
    }

    /// `unable to WHAT PATH: why`.
    pub(crate) fn file(what: &str, path: &Path, error: &io::Error) -> Self {
        let text = format!("unable to {what} {}: {}", path.display(), reason(error));
        Self::Temporary(text.into_bytes())
    }

    /// What is said, without the program's name.
    pub(crate) fn text(&self) -> &[u8] {
        match self {
            Self::Usage(text) => text.as_bytes(),
            Self::Permanent(text) | Self::Temporary(text) => text,
        }
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Permanent(_) => Exit::PERMANENT,
            Self::Temporary(_) => Exit::TEMPORARY,
        }
    }
}

/// Tells a failure on standard error.
pub(crate) fn say(io: &mut Io<'_>, applet: &str, failure: &Failure) {
    let kind = match failure {
        Failure::Usage(_) => "usage",
        Failure::Permanent(_) | Failure::Temporary(_) => "fatal",
    };
    io.complain(&[format!("{applet}: {kind}: ").as_bytes(), failure.text()].concat());
}

/// Tells an error of the system in the family's words, which log readers know.
pub(crate) fn reason(error: &io::Error) -> String {
    // Both are one kind to std, and the family tells them apart.
    if error.raw_os_error() == Some(nix::Error::EPERM as i32) {
        return "permission denied".to_owned();
    }
    let known = match error.kind() {
        io::ErrorKind::NotFound => "file does not exist",
        io::ErrorKind::PermissionDenied => "access denied",
        io::ErrorKind::AlreadyExists => "file already exists",
        io::ErrorKind::NotADirectory => "not a directory",
        io::ErrorKind::IsADirectory => "is a directory",
        io::ErrorKind::InvalidInput => "invalid argument",
        // What is read is no cdb.
        io::ErrorKind::InvalidData => "protocol error",
        io::ErrorKind::AddrInUse => "address already used",
        io::ErrorKind::AddrNotAvailable => "address not available",
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset => "connection reset",
        io::ErrorKind::TimedOut => "timed out",
        io::ErrorKind::HostUnreachable => "host unreachable",
        io::ErrorKind::NetworkUnreachable => "network unreachable",
        io::ErrorKind::BrokenPipe => "broken pipe",
        io::ErrorKind::StorageFull => "out of disk space",
        io::ErrorKind::ReadOnlyFilesystem => "read-only file system",
        _ => return error.to_string(),
    };
    known.to_owned()
}
