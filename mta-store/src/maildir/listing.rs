//! A Maildir as one POP3 session sees it: a snapshot with stable numbers (qmail-pop3d(8), RFC 1939 §5).

use super::name::{in_cur, promised_wire_size, uid};
use super::{Maildir, WireSize};
use crate::files::{Access, Files, Kind, OpenFile, Stat};
use mta_core::Unix;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::OnceLock;

/// How many messages a listing shows; further ones come into view when some are removed.
pub const MAX_LISTED: usize = 1_000_000;

/// How many bytes of a message are in memory while its lines are counted.
const PIECE: usize = 32 * 1024;

/// The half of a Maildir that a message is in.
#[expect(clippy::exhaustive_enums, reason = "maildir(5) has these two")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Folder {
    /// `new`: nobody has seen it.
    New,
    /// `cur`: somebody has.
    Cur,
}

impl Folder {
    const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Cur => "cur",
        }
    }
}

/// One message as it was when the listing was made.
#[derive(Debug)]
#[non_exhaustive]
pub struct Message {
    /// Where it was.
    pub folder: Folder,
    /// Its file name.
    pub name: OsString,
    /// Bytes on disk.
    pub size: u64,
    /// When it was delivered.
    pub time: Unix,
    nanos: u32,
    wire: OnceLock<u64>,
}

impl Message {
    fn new(folder: Folder, name: OsString, stat: Stat) -> Self {
        let wire = promised_wire_size(&name, stat.size).map_or_else(OnceLock::new, OnceLock::from);
        Self {
            folder,
            name,
            size: stat.size,
            time: stat.mtime,
            nanos: stat.mtime_nanos,
            wire,
        }
    }

    /// What the message is called for as long as it exists: its name up to the first `:`.
    #[must_use]
    pub fn uid(&self) -> &[u8] {
        uid(&self.name)
    }
}

/// By what one sees that messages came, went or were renamed: the directories and their times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp([(u64, Unix, u32); 2]);

impl Stamp {
    /// Tells whether a change after this stamp was taken is sure to give another one: both times
    /// are further back than any clock of a file system is coarse.
    #[must_use]
    pub fn is_settled(&self, now: Unix) -> bool {
        self.0.iter().all(|(_, changed, _)| now - *changed > 2)
    }
}

/// A snapshot of a Maildir, ordered by time and then by name.
///
/// Deliveries and other readers go on meanwhile; a message that another reader moved to `cur` is
/// found there again.
#[derive(Debug)]
pub struct Listing<F: Files> {
    maildir: Maildir<F>,
    messages: Vec<Message>,
}

impl<F: Files> Maildir<F> {
    /// Lists what is in `new` and `cur`.
    ///
    /// Unlike qmail-pop3d, messages of this very second are shown: their names are unique without
    /// the clock's help.
    ///
    /// # Errors
    /// Fails where a directory is missing or cannot be read; that is never an empty mailbox.
    pub fn list(&self) -> io::Result<Listing<F>> {
        let mut messages = Vec::new();
        for folder in [Folder::New, Folder::Cur] {
            self.scan(folder, &mut messages)?;
        }
        messages.sort_by(|a, b| {
            let key = |m: &Message| (m.time, m.nanos);
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        // A message that was moved between the two scans was met twice; so was one whose move a
        // crash cut short.
        messages.dedup_by(|a, b| a.uid() == b.uid());
        Ok(Listing {
            maildir: self.clone(),
            messages,
        })
    }

    /// Tells what the directories look like now; the same later means that a listing made after
    /// the first look still holds, where that was settled ([`Stamp::is_settled`]).
    ///
    /// # Errors
    /// Fails where a directory is missing or cannot be looked at.
    pub fn stamp(&self) -> io::Result<Stamp> {
        let look = |folder: Folder| {
            let stat = self.files.stat(&self.path.join(folder.name()))?;
            Ok::<_, io::Error>((stat.ino, stat.mtime, stat.mtime_nanos))
        };
        Ok(Stamp([look(Folder::New)?, look(Folder::Cur)?]))
    }

    fn scan(&self, folder: Folder, messages: &mut Vec<Message>) -> io::Result<()> {
        let dir = self.path.join(folder.name());
        let mut names = Vec::new();
        let room = MAX_LISTED.saturating_sub(messages.len());
        self.files.read_dir(&dir, &mut |name| {
            if !name.as_bytes().starts_with(b".") && names.len() < room {
                names.push(name.to_os_string());
            }
        })?;
        for name in names {
            match self.files.lstat(&dir.join(&name)) {
                Ok(stat) if stat.kind == Kind::File => {
                    messages.push(Message::new(folder, name, stat));
                }
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

impl<F: Files> Listing<F> {
    /// The messages; their places do not change while the listing lives.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The octets of a message with CRLF line ends, which is what POP3 counts.
    ///
    /// It is in the names that [`Maildir::deliver`] gives; a file of anybody else is read once, in
    /// small pieces, and its count is remembered.
    ///
    /// # Errors
    /// Fails where there is no such message or it cannot be read.
    pub fn wire_size(&self, index: usize) -> io::Result<u64> {
        let message = self.message(index)?;
        if let Some(&known) = message.wire.get() {
            return Ok(known);
        }
        let file = self.open(index)?;
        let mut size = WireSize::default();
        let mut piece = vec![0; PIECE];
        let mut at = 0_u64;
        loop {
            let n = file.read_at(&mut piece, at)?;
            if n == 0 {
                break;
            }
            size.add(piece.get(..n).unwrap_or_default());
            at += n as u64;
        }
        Ok(*message.wire.get_or_init(|| size.total()))
    }

    /// Opens a message for streaming.
    ///
    /// # Errors
    /// Fails where there is no such message (any more) or it cannot be opened.
    pub fn open(&self, index: usize) -> io::Result<F::File> {
        self.at_its_place(index, |path| self.maildir.files.open(path, Access::Read))
    }

    /// Removes a message; one that is gone already is no error. [`Listing::sync`] makes it
    /// durable.
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn remove(&self, index: usize) -> io::Result<()> {
        let message = self.message(index)?;
        let removed = self.at_its_place(index, |path| self.maildir.files.unlink(path));
        gone_is_fine(removed)?;
        if message.folder == Folder::New {
            // A move that a crash cut short left a second name.
            let twin = self.path(Folder::Cur, &in_cur(&message.name));
            self.maildir.files.unlink_if_there(&twin)?;
        }
        Ok(())
    }

    /// Moves messages from `new` to `cur`, with the empty set of flags, durably; one that is not in
    /// `new` any more stays where it is.
    ///
    /// Unlike qmail-pop3d, which renames, the second name is made and synced before the first is
    /// removed: a rename whose two directories reach the disk in the wrong order loses the message.
    ///
    /// # Errors
    /// Passes on what the file calls say; messages that could not be moved stay in `new`.
    pub fn mark_seen(&self, indices: &[usize]) -> io::Result<()> {
        let cur = self.maildir.path.join("cur");
        let before = self.maildir.syncs.moment(&cur);
        let mut firsts = Vec::new();
        for &index in indices {
            let message = self.message(index)?;
            if message.folder == Folder::Cur {
                continue;
            }
            let first = self.path(Folder::New, &message.name);
            let second = self.path(Folder::Cur, &in_cur(&message.name));
            match self.maildir.files.link(&first, &second) {
                Ok(()) => firsts.push(first),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => firsts.push(first),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        if firsts.is_empty() {
            return Ok(());
        }
        before.wait()?;
        for first in firsts {
            self.maildir.files.unlink_if_there(&first)?;
        }
        self.sync_folder(Folder::New)
    }

    /// Does what POP3's UPDATE state asks: removes the messages of `removed` and moves all others
    /// from `new` to `cur`, durably (RFC 1939 §6).
    ///
    /// # Errors
    /// Tries everything and passes on the first failure.
    pub fn update(&self, removed: &[usize]) -> io::Result<()> {
        let gone: BTreeSet<usize> = removed.iter().copied().collect();
        let mut outcome = Ok(());
        let mut keep_first = |done: io::Result<()>| {
            if outcome.is_ok() {
                outcome = done;
            }
        };
        for &index in &gone {
            keep_first(self.remove(index));
        }
        let kept: Vec<usize> = (0..self.messages.len())
            .filter(|index| !gone.contains(index))
            .collect();
        keep_first(self.mark_seen(&kept));
        if !gone.is_empty() {
            keep_first(self.sync());
        }
        outcome
    }

    /// Makes removals durable. Without it, messages may come back after a crash; none is lost.
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn sync(&self) -> io::Result<()> {
        self.sync_folder(Folder::Cur)?;
        self.sync_folder(Folder::New)
    }

    fn sync_folder(&self, folder: Folder) -> io::Result<()> {
        let dir = self.maildir.path.join(folder.name());
        self.maildir.syncs.mark(&dir).wait()
    }

    fn message(&self, index: usize) -> io::Result<&Message> {
        self.messages.get(index).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "expected the number of a listed message",
            )
        })
    }

    /// Does something where the message was listed, and where it is not there any more, at the
    /// place in `cur` that another reader gave it.
    fn at_its_place<T>(
        &self,
        index: usize,
        act: impl Fn(&std::path::Path) -> io::Result<T>,
    ) -> io::Result<T> {
        let message = self.message(index)?;
        let missing = match act(&self.path(message.folder, &message.name)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => e,
            other => return other,
        };
        let mut found = None;
        let cur = self.maildir.path.join("cur");
        self.maildir.files.read_dir(&cur, &mut |name| {
            if uid(name) == message.uid() {
                found = Some(name.to_os_string());
            }
        })?;
        match found {
            Some(name) => act(&self.path(Folder::Cur, &name)),
            None => Err(missing),
        }
    }

    fn path(&self, folder: Folder, name: &OsStr) -> PathBuf {
        self.maildir.path.join(folder.name()).join(name)
    }
}

fn gone_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
