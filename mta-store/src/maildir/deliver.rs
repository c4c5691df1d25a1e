//! Delivery into a Maildir that a power failure cannot undo (maildir(5), qmail-local(8)).
//!
//! Unlike qmail-local, the directory is synced before success is reported: on ext4, xfs and btrfs
//! a name that was only linked is lost with the power.

use super::name::{UniqueName, finished};
use super::{Maildir, Source, WireSize};
use crate::files::{Files, OpenFile};
use std::ffi::OsString;
use std::io;
use std::path::Path;

/// How many bytes of a message are in memory at a time.
const PIECE: usize = 32 * 1024;

/// A message that is on stable storage.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered {
    /// Its file name in `new`.
    pub name: OsString,
    /// Its size on disk, the prefix included.
    pub size: u64,
}

/// Why a message was not delivered. Each is temporary: the message stays where it came from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliverError {
    /// There is no Maildir, or it cannot be entered: the recipient's account is at fault.
    #[error("expected a Maildir: {0}")]
    NoMaildir(#[source] io::Error),
    /// The message itself cannot be read.
    #[error("expected a readable message: {0}")]
    Source(#[source] io::Error),
    /// Another delivery has the same name: the caller's counter is at fault.
    #[error("expected an unused file name: {0}")]
    NameTaken(#[source] io::Error),
    /// The storage failed.
    #[error("writing into the Maildir failed: {0}")]
    Storage(#[source] io::Error),
}

impl DeliverError {
    /// The sentence that qmail-local reports for it.
    #[must_use]
    pub const fn qmail_text(&self) -> &'static str {
        match self {
            Self::NoMaildir(_) => "Unable to chdir to maildir. (#4.2.1)\n",
            Self::Source(_) => "Unable to read message. (#4.3.0)\n",
            Self::NameTaken(_) | Self::Storage(_) => {
                "Temporary error on maildir delivery. (#4.3.0)\n"
            }
        }
    }

    fn creating(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::PermissionDenied => Self::NoMaildir(error),
            io::ErrorKind::AlreadyExists => Self::NameTaken(error),
            _ => Self::Storage(error),
        }
    }
}

impl<F: Files> Maildir<F> {
    /// Delivers `prefix` (lines with their LF, as Return-Path and Delivered-To) and `source`.
    ///
    /// When it returns, the message and its name are on stable storage. When it fails, nothing of
    /// it is left, or after a crash at worst a file in `tmp`.
    ///
    /// # Errors
    /// Fails as [`DeliverError`] says, always temporarily.
    pub fn deliver(
        &self,
        name: UniqueName<'_>,
        prefix: &[&[u8]],
        source: &(impl Source + ?Sized),
    ) -> Result<Delivered, DeliverError> {
        let tmp = self.path.join("tmp").join(name.to_string());
        let file = self
            .files
            .create_new(&tmp, 0o600)
            .map_err(DeliverError::creating)?;
        let delivered = write(&file, prefix, source).and_then(|(size, wire)| {
            drop(file);
            self.publish(&tmp, finished(name, size, wire), size)
        });
        if delivered.is_err() {
            // The failure that is reported is the first one; stale files are cleaned up anyway.
            let _ = self.files.unlink_if_there(&tmp);
        }
        delivered
    }

    fn publish(&self, tmp: &Path, name: String, size: u64) -> Result<Delivered, DeliverError> {
        let new = self.path.join("new");
        let target = new.join(&name);
        let before = self.syncs.moment(&new);
        let renamed = self.files.rename_new(tmp, &target);
        renamed.map_err(DeliverError::creating)?;
        if let Err(error) = before.wait() {
            // It will be delivered again; what may be left of this attempt would be a duplicate.
            let _ = self.files.unlink_if_there(&target);
            return Err(DeliverError::Storage(error));
        }
        let name = name.into();
        Ok(Delivered { name, size })
    }
}

/// Writes and syncs a message, and returns its size on disk and on the wire.
fn write(
    file: &impl OpenFile,
    prefix: &[&[u8]],
    source: &(impl Source + ?Sized),
) -> Result<(u64, u64), DeliverError> {
    let mut writer = Writer {
        file,
        waiting: Vec::with_capacity(PIECE),
        size: 0,
        wire: WireSize::default(),
    };
    for line in prefix {
        writer.put(line)?;
    }
    let mut piece = vec![0; PIECE];
    let mut at = 0_u64;
    loop {
        let n = source
            .read_at(&mut piece, at)
            .map_err(DeliverError::Source)?;
        if n == 0 {
            break;
        }
        at += n as u64;
        writer.put(piece.get(..n).unwrap_or_default())?;
    }
    writer.flush()?;
    file.sync().map_err(DeliverError::Storage)?;
    Ok((writer.size, writer.wire.total()))
}

/// Gathers small pieces, so that prefix and short message go to the file in one call.
struct Writer<'a, T> {
    file: &'a T,
    waiting: Vec<u8>,
    size: u64,
    wire: WireSize,
}

impl<T: OpenFile> Writer<'_, T> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), DeliverError> {
        if self.waiting.len() + bytes.len() > PIECE {
            self.flush()?;
        }
        self.wire.add(bytes);
        if bytes.len() >= PIECE {
            return self.write(bytes);
        }
        self.waiting.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), DeliverError> {
        let waiting = std::mem::take(&mut self.waiting);
        self.write(&waiting)?;
        self.waiting = waiting;
        self.waiting.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DeliverError> {
        let written = self.file.write_all_at(bytes, self.size);
        written.map_err(DeliverError::Storage)?;
        self.size += bytes.len() as u64;
        Ok(())
    }
}
