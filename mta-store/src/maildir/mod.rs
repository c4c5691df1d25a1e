//! Maildirs: crash-safe delivery, and reading as a POP3 server does (maildir(5), qmail-local(8), qmail-pop3d(8)).
//!
//! ```text
//! tmp/NAME ──write, sync──► tmp/NAME ──rename──► new/NAME,S=…,W=… ──sync new/──► reported
//!                                                     │
//!                                      cur/NAME,S=…,W=…:2,   once a reader has seen it
//! ```

mod deliver;
mod listing;
mod name;
mod source;
mod wire_size;

pub use deliver::{DeliverError, Delivered};
pub use listing::{Folder, Listing, MAX_LISTED, Message, Stamp};
pub use name::{MAX_HOST, UniqueName, uid};
pub use source::{FromFn, Source, from_fn};
pub use wire_size::WireSize;

use crate::atomic::{Attributes, make_dir};
use crate::dir_syncs::DirSyncs;
use crate::files::Files;
use mta_core::Unix;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files in `tmp` that nobody has changed for so many seconds belong to a delivery that died.
pub const STALE_TMP: u64 = 36 * 60 * 60;

/// One Maildir.
///
/// ```
/// # #[cfg(feature = "sim")] {
/// use mta_core::Unix;
/// use mta_store::files::SimFiles;
/// use mta_store::maildir::{Maildir, UniqueName};
/// use std::sync::Arc;
///
/// let maildir = Maildir::new(Arc::new(SimFiles::new()), "/Maildir");
/// maildir.create(None)?;
/// let name = UniqueName { time: Unix(1_700_000_000), pid: 77, counter: 0, host: "mx" };
/// let prefix: [&[u8]; 1] = [b"Return-Path: <joe@example.org>\n"];
/// maildir.deliver(name, &prefix, b"Subject: hello\n\nhello\n").unwrap();
/// let listing = maildir.list()?;
/// assert_eq!(listing.messages().len(), 1);
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Maildir<F: Files> {
    files: Arc<F>,
    path: PathBuf,
    syncs: Arc<DirSyncs<F>>,
}

impl<F: Files> Clone for Maildir<F> {
    fn clone(&self) -> Self {
        Self {
            files: Arc::clone(&self.files),
            path: self.path.clone(),
            syncs: Arc::clone(&self.syncs),
        }
    }
}

impl<F: Files> Maildir<F> {
    /// Names a Maildir; nothing is opened or made.
    pub fn new(files: Arc<F>, path: impl Into<PathBuf>) -> Self {
        Self {
            syncs: Arc::new(DirSyncs::new(Arc::clone(&files))),
            files,
            path: path.into(),
        }
    }

    /// Shares directory syncs with everybody else who uses `syncs`.
    #[must_use]
    pub fn sharing(mut self, syncs: Arc<DirSyncs<F>>) -> Self {
        self.syncs = syncs;
        self
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the four directories with mode 0700, durably. What is there already stays, so that a
    /// creation that was cut short can be repeated.
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn create(&self, owner: Option<(u32, u32)>) -> io::Result<()> {
        let attributes = Attributes::owned(0o700, owner);
        make_dir(&*self.files, &self.path, attributes)?;
        for folder in ["tmp", "new", "cur"] {
            make_dir(&*self.files, &self.path.join(folder), attributes)?;
        }
        Ok(())
    }

    /// Removes what deliveries that died have left in `tmp`, and tells how many files that were.
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn clean_tmp(&self, now: Unix) -> io::Result<usize> {
        let tmp = self.path.join("tmp");
        let mut removed = 0;
        for name in self.files.names(&tmp)? {
            let path = tmp.join(name);
            match self.files.lstat(&path) {
                Ok(stat) if now - stat.mtime > STALE_TMP => {
                    removed += usize::from(self.files.unlink_if_there(&path)?);
                }
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(removed)
    }
}
