//! Where each file of the queue lies and which modes its directories have (INTERNALS, install.c's table).

use super::error::{At, QueueError};
use crate::files::Files;
use mta_core::ports::spool::MessageId;
use mta_core::rewrite::Channel;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// Over how many directories qmail spreads the files of one kind.
pub const SPLIT: u64 = 23;

/// The paths of a queue.
///
/// ```
/// use mta_store::queue::{Layout, MessageId};
/// let layout = Layout::new("/var/qmail/queue");
/// let path = layout.mess(MessageId(24));
/// assert_eq!(path, std::path::Path::new("/var/qmail/queue/mess/1/24"));
/// ```
#[derive(Clone, Debug)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// Describes the queue in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The queue directory itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The message: Received line, header, body.
    #[must_use]
    pub fn mess(&self, id: MessageId) -> PathBuf {
        self.spread("mess", id)
    }

    /// The envelope while it is written.
    #[must_use]
    pub fn intd(&self, id: MessageId) -> PathBuf {
        self.flat("intd", id)
    }

    /// The envelope of a queued message.
    #[must_use]
    pub fn todo(&self, id: MessageId) -> PathBuf {
        self.flat("todo", id)
    }

    /// The sender of a preprocessed message.
    #[must_use]
    pub fn info(&self, id: MessageId) -> PathBuf {
        self.spread("info", id)
    }

    /// The recipients of a preprocessed message on one channel.
    #[must_use]
    pub fn channel(&self, id: MessageId, channel: Channel) -> PathBuf {
        self.spread(channel.name(), id)
    }

    /// The failure text collected for the sender.
    #[must_use]
    pub fn bounce(&self, id: MessageId) -> PathBuf {
        self.flat("bounce", id)
    }

    /// The envelope parameters that qmail's files have no room for.
    #[must_use]
    pub fn params(&self, id: MessageId) -> PathBuf {
        self.flat("params", id)
    }

    /// The directory of queued envelopes.
    #[must_use]
    pub fn todo_dir(&self) -> PathBuf {
        self.dir.join("todo")
    }

    /// Where broken files go.
    #[must_use]
    pub fn quarantine_dir(&self) -> PathBuf {
        self.dir.join("quarantine")
    }

    /// The FIFO that wakes whoever drains the queue.
    #[must_use]
    pub fn trigger(&self) -> PathBuf {
        self.dir.join("lock/trigger")
    }

    /// The file whose lock the draining process holds.
    #[must_use]
    pub fn sendmutex(&self) -> PathBuf {
        self.dir.join("lock/sendmutex")
    }

    /// A message under construction, before its number is known.
    pub(super) fn pid(&self, name: &str) -> PathBuf {
        self.dir.join("pid").join(name)
    }

    /// Failure text that is not whole yet; in the directory that the drainer surely may write to.
    pub(super) fn unnamed_bounce(&self, id: MessageId) -> PathBuf {
        self.dir.join(format!("bounce/{id}{UNNAMED}"))
    }

    pub(super) fn sub(&self, kind: &str) -> PathBuf {
        self.dir.join(kind)
    }

    fn flat(&self, kind: &str, id: MessageId) -> PathBuf {
        self.dir.join(format!("{kind}/{id}"))
    }

    fn spread(&self, kind: &str, id: MessageId) -> PathBuf {
        self.dir.join(format!("{kind}/{}/{id}", id.0 % SPLIT))
    }

    /// The directories whose files are spread, and those where they are not, of one kind.
    pub(super) fn dirs_of(&self, kind: &str) -> Vec<PathBuf> {
        if SPREAD.contains(&kind) {
            let base = self.dir.join(kind);
            (0..SPLIT).map(|n| base.join(n.to_string())).collect()
        } else {
            vec![self.dir.join(kind)]
        }
    }

    /// The directories that a queue of qmail's has.
    pub(super) fn original_dirs(&self) -> impl Iterator<Item = PathBuf> + '_ {
        ORIGINAL.iter().map(|(kind, _)| self.dir.join(kind))
    }

    /// Makes what qmail does not have.
    pub(super) fn make_own(&self, files: &impl Files) -> Result<(), QueueError> {
        let mut made = false;
        for (kind, mode) in OWN {
            made |= make_dir(files, &self.dir.join(kind), *mode)?;
        }
        if made {
            files.sync_dir(&self.dir).at("sync", &self.dir)?;
        }
        Ok(())
    }

    /// Makes the named pipe at which injectors pull.
    pub(super) fn make_trigger(&self, files: &impl Files) -> Result<(), QueueError> {
        let trigger = self.trigger();
        unless_there(files.mkfifo(&trigger, 0o622)).at("make", &trigger)?;
        // The process's umask took the write bits for others, by which injectors pull it.
        files.chmod(&trigger, 0o622).at("set the mode of", &trigger)
    }

    /// Makes everything, durably.
    pub(super) fn make_all(&self, files: &impl Files) -> Result<(), QueueError> {
        make_dir(files, &self.dir, 0o750)?;
        for (kind, mode) in ORIGINAL.iter().chain(OWN) {
            let dir = self.dir.join(kind);
            make_dir(files, &dir, *mode)?;
            if SPREAD.contains(kind) {
                for n in 0..SPLIT {
                    make_dir(files, &dir.join(n.to_string()), *mode)?;
                }
                files.sync_dir(&dir).at("sync", &dir)?;
            }
        }
        let lock = self.dir.join("lock");
        make_file(files, &self.sendmutex(), 0o600, &[])?;
        make_file(files, &lock.join("tcpto"), 0o644, &[0; 1024])?;
        self.make_trigger(files)?;
        files.sync_dir(&lock).at("sync", &lock)?;
        files.sync_dir(&self.dir).at("sync", &self.dir)?;
        if let Some(above) = self.dir.parent().filter(|p| !p.as_os_str().is_empty()) {
            files.sync_dir(above).at("sync", above)?;
        }
        Ok(())
    }
}

/// What ends the names of files that nobody waits for.
pub(super) const UNNAMED: &str = ".new";

const ORIGINAL: &[(&str, u32)] = &[
    ("pid", 0o700),
    ("mess", 0o750),
    ("intd", 0o700),
    ("todo", 0o750),
    ("info", 0o700),
    ("local", 0o700),
    ("remote", 0o700),
    ("bounce", 0o700),
    ("lock", 0o750),
];

const OWN: &[(&str, u32)] = &[("params", 0o700), ("quarantine", 0o700)];

/// The kinds whose files are spread over [`SPLIT`] directories.
const SPREAD: &[&str] = &["mess", "info", "local", "remote"];

fn make_dir(files: &impl Files, path: &Path, mode: u32) -> Result<bool, QueueError> {
    match files.mkdir(path, mode) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e).at("make", path),
    }
}

fn make_file(files: &impl Files, path: &Path, mode: u32, bytes: &[u8]) -> Result<(), QueueError> {
    use crate::files::OpenFile;
    match files.create_new(path, mode) {
        Ok(file) => file
            .write_all_at(bytes, 0)
            .and_then(|()| file.sync())
            .at("write", path),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e).at("make", path),
    }
}

fn unless_there(made: io::Result<()>) -> io::Result<()> {
    match made {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Reads a file name as a message number: decimal digits as `Display` writes them.
pub(super) fn parse_id(name: &OsStr) -> Option<MessageId> {
    let text = name.to_str()?;
    let id = text.parse().ok()?;
    (id > 0 && format!("{id}") == text).then_some(MessageId(id))
}
