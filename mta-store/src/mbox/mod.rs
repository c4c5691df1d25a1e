//! Appending to an mbox: locked, quoted, durable, and taken back where it fails (mbox(5), qmail-local(8), spec §6.6).
//!
//! ```text
//! lock ─► sync the directory ─► From_ line, Return-Path, Delivered-To, quoted message, blank line
//!              ─► sync the file ─► reported        (a failure: cut to the old length)
//! ```
//!
//! Unlike qmail-local, the file's name is made durable as well, an mbox that was replaced while we
//! waited for its lock is opened anew, and a message that a crash cut off cannot swallow the next
//! one: what the file ends with is completed first. Messages are told apart by `From ` at the start
//! of a line; inside messages it is quoted.

mod quote;

pub use quote::Quote;

use crate::atomic::parent;
use crate::files::{Access, Files, Kind, OpenFile, Wait};
use crate::maildir::Source;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// For so many seconds a delivery waits for the lock of an mbox.
pub const LOCK_SECONDS: u64 = 30;
/// How many bytes of a message are in memory at a time.
const PIECE: usize = 32 * 1024;
/// How often an mbox may be replaced under our hands before we come back later.
const REPLACED_MAX: usize = 10;

/// What stands before a message. Each is one line with its LF.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Head<'a> {
    /// The From_ line, see `mta_core::delivered::from_line`.
    pub from_line: &'a [u8],
    /// Return-Path and Delivered-To, and whatever else is to stand there.
    pub fields: &'a [&'a [u8]],
}

/// One mbox.
///
/// ```
/// # #[cfg(feature = "sim")] {
/// use mta_store::files::{Files, SimFiles};
/// use mta_store::mbox::{Head, Mbox};
/// use std::path::Path;
/// use std::sync::Arc;
///
/// let files = Arc::new(SimFiles::new());
/// let head = Head { from_line: b"From joe@a.b Thu Jan 01 00:00:00 1970\n", fields: &[] };
/// Mbox::new(Arc::clone(&files), "/Mailbox").append(head, b"x\n\nFrom here", || false).unwrap();
/// let bytes = files.read(Path::new("/Mailbox"), 100)?;
/// assert_eq!(bytes, b"From joe@a.b Thu Jan 01 00:00:00 1970\nx\n\n>From here\n\n");
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Mbox<F> {
    files: Arc<F>,
    path: PathBuf,
}

/// Why a message was not appended. Each is temporary: the message stays where it came from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The file cannot be opened or made: the recipient's account is at fault.
    #[error("expected an mbox that can be opened: {0}")]
    Open(#[source] io::Error),
    /// Somebody else keeps it locked.
    #[error("expected an mbox that nobody keeps locked")]
    Locked,
    /// The message itself cannot be read.
    #[error("expected a readable message: {0}")]
    Source(#[source] io::Error),
    /// The storage failed.
    #[error("writing into the mbox failed: {0}")]
    Storage(#[source] io::Error),
}

impl AppendError {
    /// The sentence that qmail-local reports for it; `name` is the file's name in the .qmail line.
    #[must_use]
    pub fn qmail_text(&self, name: &str) -> String {
        let name = name.replace(|c: char| c.is_control(), "_");
        match self {
            Self::Open(error) => format!("Unable to open {name}: {error}. (#4.2.1)\n"),
            Self::Locked => {
                format!("File has been locked for {LOCK_SECONDS} seconds straight. (#4.3.0)\n")
            }
            Self::Source(_) => "Unable to read message. (#4.3.0)\n".to_owned(),
            Self::Storage(error) => format!("Unable to write {name}: {error}. (#4.3.0)\n"),
        }
    }
}

/// An mbox that is open, and locked where locks work.
struct Held<F: Files> {
    file: F::File,
    _lock: Option<F::Lock>,
    locked: bool,
}

impl<F: Files> Mbox<F> {
    /// Names an mbox; nothing is opened or made.
    pub fn new(files: Arc<F>, path: impl Into<PathBuf>) -> Self {
        Self {
            files,
            path: path.into(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a message. The file is made with mode 0600 where it is missing.
    ///
    /// While somebody else holds the lock, `wait_on` is called again and again: it waits for a
    /// moment and returns true, or returns false when it has waited long enough.
    ///
    /// When it returns, the message and the file's name are on stable storage. When it fails, the
    /// file is as long as it was.
    ///
    /// # Errors
    /// Fails as [`AppendError`] says, always temporarily.
    pub fn append(
        &self,
        head: Head<'_>,
        source: &(impl Source + ?Sized),
        wait_on: impl FnMut() -> bool,
    ) -> Result<(), AppendError> {
        let held = self.hold(wait_on)?;
        let stat = held.file.stat().map_err(AppendError::Open)?;
        if stat.kind != Kind::File {
            let error = io::Error::new(ErrorKind::InvalidInput, "expected a regular file");
            return Err(AppendError::Open(error));
        }
        self.sync_name(&held, stat.size)?;
        let written = write(&held.file, stat.size, head, source);
        if written.is_err() && held.locked {
            // The failure that is reported is the first one. Without a lock the end may be
            // somebody else's message by now.
            let _ = held.file.truncate(stat.size);
        }
        written
    }

    /// Opens and locks what stands at the path once it is ours.
    fn hold(&self, mut wait_on: impl FnMut() -> bool) -> Result<Held<F>, AppendError> {
        for _ in 0..REPLACED_MAX {
            let file = self.open().map_err(AppendError::Open)?;
            let lock = loop {
                match self.files.lock(&self.path, Wait::Never) {
                    Ok(Some(lock)) => break Some(lock),
                    Ok(None) if wait_on() => {}
                    Ok(None) => return Err(AppendError::Locked),
                    // As in the original: on file systems without locks mail is delivered as well.
                    Err(_) => break None,
                }
            };
            let ours = file.stat().map_err(AppendError::Open)?.ino;
            match self.files.stat(&self.path) {
                Ok(there) if there.ino == ours => {
                    let locked = lock.is_some();
                    return Ok(Held {
                        file,
                        _lock: lock,
                        locked,
                    });
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(AppendError::Open(error)),
            }
        }
        Err(AppendError::Locked)
    }

    fn open(&self) -> io::Result<F::File> {
        match self.files.create_new(&self.path, 0o600) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        self.files.open(&self.path, Access::Append)
    }

    /// Makes the name durable before anything is in the file.
    fn sync_name(&self, held: &Held<F>, size: u64) -> Result<(), AppendError> {
        let synced = self.files.sync_dir(parent(&self.path));
        if synced.is_err() && size == 0 && held.locked {
            // A later sync would succeed without making this name durable; a new name can be synced.
            let _ = self.files.unlink_if_there(&self.path);
        }
        synced.map_err(AppendError::Storage)
    }
}

/// Writes and syncs one message at the end.
fn write(
    file: &impl OpenFile,
    size: u64,
    head: Head<'_>,
    source: &(impl Source + ?Sized),
) -> Result<(), AppendError> {
    let mut waiting = end_of_last(file, size).map_err(AppendError::Storage)?;
    waiting.extend_from_slice(head.from_line);
    for field in head.fields {
        waiting.extend_from_slice(field);
    }
    let mut quote = Quote::new();
    let mut piece = vec![0; PIECE];
    let mut at = 0_u64;
    loop {
        let n = source
            .read_at(&mut piece, at)
            .map_err(AppendError::Source)?;
        if n == 0 {
            break;
        }
        at += n as u64;
        quote.feed(piece.get(..n).unwrap_or_default(), &mut waiting);
        if waiting.len() >= PIECE {
            file.append_all(&waiting).map_err(AppendError::Storage)?;
            waiting.clear();
        }
    }
    quote.finish(&mut waiting);
    file.append_all(&waiting).map_err(AppendError::Storage)?;
    file.sync().map_err(AppendError::Storage)
}

/// The bytes that are missing behind the last message: none, unless a crash cut it off.
fn end_of_last(file: &impl OpenFile, size: u64) -> io::Result<Vec<u8>> {
    let mut last = [b'\n'; 2];
    let from = size.saturating_sub(2);
    let tail = usize::try_from(size - from).unwrap_or(2);
    let mut filled = 0;
    // A file of one byte fills only the end; before its start it is as good as an empty line.
    while filled < tail {
        let room = last.get_mut(2 - tail + filled..).unwrap_or_default();
        match file.read_at(room, from + filled as u64)? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(match last {
        [b'\n', b'\n'] => Vec::new(),
        [_, b'\n'] => b"\n".to_vec(),
        _ => b"\n\n".to_vec(),
    })
}
