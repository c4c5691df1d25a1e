//! Lines that name files: Maildirs and mboxes (dot-qmail(5), spec §6.6).

use super::Tools;
use super::work::Work;
use mta_core::delivered::from_line;
use mta_core::report::Report;
use mta_store::files::RealFiles;
use mta_store::maildir::{Maildir, Source, UniqueName, from_fn};
use mta_store::mbox::{Head, LOCK_SECONDS, Mbox};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long to wait before a lock is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

impl Tools {
    pub(crate) fn maildir_at(&self, path: PathBuf) -> Maildir<RealFiles> {
        Maildir::new(Arc::clone(&self.files), path).sharing(Arc::clone(&self.syncs))
    }
}

impl Work<'_> {
    /// Delivers into one Maildir.
    pub(crate) fn maildir(&self, path: PathBuf, head: &[Vec<u8>]) -> Result<(), Report> {
        let head: Vec<&[u8]> = head.iter().map(Vec::as_slice).collect();
        let name = self.unique();
        let maildir = self.tools.maildir_at(path);
        let delivered = maildir.deliver(name, &head, &self.source());
        delivered.map(drop).map_err(|error| {
            let path = maildir.path().display();
            tracing::warn!(
                "unable to deliver message {} into {path}: {error}",
                self.job.id
            );
            Report::deferral(error.qmail_text())
        })
    }

    /// A name that no other delivery has.
    pub(super) fn unique(&self) -> UniqueName<'_> {
        UniqueName {
            time: self.job.now,
            pid: self.tools.pid,
            counter: self.tools.counter.fetch_add(1, Ordering::Relaxed),
            host: &self.job.host,
        }
    }

    /// Appends to one mbox; `name` is the line.
    pub(crate) fn mbox(&self, home: &Path, name: &[u8], head: &[Vec<u8>]) -> Result<(), Report> {
        let mbox = Mbox::new(
            Arc::clone(&self.tools.files),
            home.join(OsStr::from_bytes(name)),
        );
        let fields: Vec<&[u8]> = head.iter().map(Vec::as_slice).collect();
        let head = Head {
            from_line: &from_line(&self.job.sender, self.job.now),
            fields: &fields,
        };
        let begun = Instant::now();
        let wait_on = || {
            std::thread::sleep(LOCK_PAUSE);
            begun.elapsed() < Duration::from_secs(LOCK_SECONDS)
        };
        mbox.append(head, &self.source(), wait_on).map_err(|error| {
            let path = mbox.path().display();
            tracing::warn!(
                "unable to append message {} to {path}: {error}",
                self.job.id
            );
            Report::deferral(error.qmail_text(&String::from_utf8_lossy(name)))
        })
    }

    fn source(&self) -> impl Source {
        from_fn(|buf: &mut [u8], at| self.message.read_at(buf, at))
    }
}
