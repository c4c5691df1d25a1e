//! What can be read of a preprocessed message, and the failure text that gathers for its sender (INTERNALS, qmail-send(8)).

use super::error::{At, QueueError};
use super::preprocess::address;
use super::{Queue, limits};
use crate::files::{Access, Files, Kind, OpenFile};
use crate::log::Door;
use mta_core::ports::spool::MessageId;
use mta_core::{Address, Unix};
use std::io;
use std::path::Path;

/// What info/ID says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The reverse-path.
    pub sender: Address,
    /// When the message was preprocessed.
    pub birth: Unix,
}

/// The bytes of a message, open for reading.
#[derive(Debug)]
pub struct Message<F: Files> {
    source: Source<F>,
    len: u64,
}

/// Where a message's bytes are.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a spool has files and logs")]
pub enum Source<F: Files> {
    /// In a file of their own.
    File(F::File),
    /// In memory: they stood in a log.
    Bytes(Vec<u8>),
}

impl<F: Files> Message<F> {
    /// Returns the length in bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Tells whether there are no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads at a position; 0 means the end.
    ///
    /// # Errors
    /// Fails where the disk fails.
    pub fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        match &self.source {
            Source::File(file) => file.read_at(buf, at),
            Source::Bytes(bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                let rest = bytes.get(at..).unwrap_or_default();
                let n = rest.len().min(buf.len());
                let (to, from) = (buf.get_mut(..n), rest.get(..n));
                if let (Some(to), Some(from)) = (to, from) {
                    to.copy_from_slice(from);
                }
                Ok(n)
            }
        }
    }

    /// Returns where the bytes are, for a child process that reads the message by itself.
    #[must_use]
    pub fn into_source(self) -> Source<F> {
        self.source
    }

    pub(crate) const fn held(bytes: Vec<u8>) -> Self {
        Self {
            len: bytes.len() as u64,
            source: Source::Bytes(bytes),
        }
    }

    pub(crate) const fn in_file(file: F::File, len: u64) -> Self {
        let source = Source::File(file);
        Self { source, len }
    }

    /// Reads from the start on.
    #[must_use]
    pub const fn reader(&self) -> MessageReader<'_, F> {
        MessageReader {
            message: self,
            at: 0,
        }
    }
}

/// Reads a message from its start to its end.
#[derive(Debug)]
pub struct MessageReader<'m, F: Files> {
    message: &'m Message<F>,
    at: u64,
}

impl<F: Files> io::Read for MessageReader<'_, F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.message.read_at(buf, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl<F: Files> Queue<F> {
    /// Opens a message's bytes.
    ///
    /// # Errors
    /// [`QueueError::Gone`] where there is none, [`QueueError::Broken`] where it is no file.
    pub fn open_message(&self, id: MessageId) -> Result<Message<F>, QueueError> {
        let path = self.paths().mess(id);
        let file = match self.open_regular(&path) {
            Err(e) if e.is_missing() => return Err(QueueError::Gone(id)),
            other => other?,
        };
        let len = file.stat().at("describe", &path)?.size;
        Ok(Message::in_file(file, len))
    }

    /// Returns how many bytes a message has, without opening it.
    ///
    /// # Errors
    /// [`QueueError::Gone`] where there is none, [`QueueError::Broken`] where it is no file.
    pub fn size(&self, id: MessageId) -> Result<u64, QueueError> {
        let path = self.paths().mess(id);
        match self.files().stat(&path) {
            Ok(stat) if stat.kind == Kind::File => Ok(stat.size),
            Ok(_) => Err(QueueError::broken(path, "expected a regular file")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(QueueError::Gone(id)),
            Err(error) => Err(error).at("describe", &path),
        }
    }

    /// Returns what tells a message from every other that has or had its number.
    ///
    /// # Errors
    /// Fails where there is no such message.
    pub fn door(&self, id: MessageId) -> Result<Door, QueueError> {
        let path = self.paths().mess(id);
        let stat = self.files().stat(&path).at("describe", &path)?;
        let seconds = u128::from(stat.mtime.0) * 1_000_000_000;
        Ok(Door {
            id,
            size: stat.size,
            written: seconds + u128::from(stat.mtime_nanos),
        })
    }

    /// Reads the sender and birth of a preprocessed message.
    ///
    /// # Errors
    /// [`QueueError::Gone`] where there is none, [`QueueError::Broken`] where the file makes no sense.
    pub fn info(&self, id: MessageId) -> Result<Info, QueueError> {
        let path = self.paths().info(id);
        let bytes = match self.read_small(&path, limits::INFO) {
            Err(e) if e.is_missing() => return Err(QueueError::Gone(id)),
            other => other?,
        };
        let birth = self.files().stat(&path).at("describe", &path)?.mtime;
        match bytes.split_last() {
            Some((0, [b'F', sender @ ..])) if !sender.contains(&0) => Ok(Info {
                sender: address(sender),
                birth,
            }),
            _ => Err(QueueError::broken(path, "expected one F record")),
        }
    }

    /// Adds a paragraph to the failure text, durably. Mark the recipient as done only afterwards.
    ///
    /// # Errors
    /// After a failure the text is as it was, as far as the disk allows.
    pub fn append_bounce(&self, id: MessageId, record: &[u8]) -> Result<(), QueueError> {
        let path = self.paths().bounce(id);
        let file = match self.files().open(&path, Access::ReadWrite) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.begin_bounce(id, &path, record)?;
                return self.syncs().wait(&self.syncs().mark(&path));
            }
            other => other.at("open", &path)?,
        };
        let before = file.stat().at("describe", &path)?.size;
        let written = file.write_all_at(record, before).and_then(|()| file.sync());
        if written.is_err() {
            let _ = file.truncate(before);
        }
        written.at("append to", &path)?;
        // The call that made the name may have failed at this very sync.
        self.syncs().wait(&self.syncs().mark(&path))
    }

    /// Gives the failure text its name only when it is durable: before that, the name could show
    /// what its inode held earlier, which is somebody else's.
    fn begin_bounce(&self, id: MessageId, path: &Path, record: &[u8]) -> Result<(), QueueError> {
        let unnamed = self.paths().unnamed_bounce(id);
        self.files()
            .unlink_if_there(&unnamed)
            .at("remove", &unnamed)?;
        let file = self.files().create_new(&unnamed, 0o600);
        let file = file.at("create", &unnamed)?;
        self.hand_over(&unnamed, &file)?;
        let written = file.write_all_at(record, 0).and_then(|()| file.sync());
        let named = written.and_then(|()| self.files().rename_new(&unnamed, path));
        if named.is_err() {
            let _ = self.files().unlink_if_there(&unnamed);
        }
        named.at("write", path)
    }

    /// Returns the failure text, `None` where nobody failed. It ends with a whole paragraph and
    /// has at most [`limits::BOUNCE`] bytes.
    ///
    /// # Errors
    /// Fails where the file cannot be read.
    pub fn bounce(&self, id: MessageId) -> Result<Option<Vec<u8>>, QueueError> {
        let path = self.paths().bounce(id);
        let file = match self.open_regular(&path) {
            Err(e) if e.is_missing() => return Ok(None),
            other => other?,
        };
        let mut text = vec![0; limits::BOUNCE];
        let mut filled = 0;
        while let Some(room) = text.get_mut(filled..).filter(|r| !r.is_empty()) {
            let n = file.read_at(room, filled as u64).at("read", &path)?;
            filled += n;
            if n == 0 {
                break;
            }
        }
        text.truncate(filled);
        text.truncate(whole_paragraphs(&text));
        Ok(Some(text))
    }

    /// Removes the failure text, durably: the bounce is queued.
    ///
    /// # Errors
    /// After a failure the bounce may be sent again.
    pub fn clear_bounce(&self, id: MessageId) -> Result<(), QueueError> {
        let held = self.unlink_held(&self.paths().bounce(id))?;
        self.settle(held)
    }

    /// Cuts what a crash tore from the failure text; tells whether there was something to cut.
    pub(super) fn repair_bounce(&self, path: &Path) -> Result<bool, QueueError> {
        let file = self
            .files()
            .open(path, Access::ReadWrite)
            .at("open", path)?;
        let len = file.stat().at("describe", path)?.size;
        let mut keep = 0;
        let mut at = 0;
        let mut last = 0;
        let mut piece = [0; 4096];
        'read: loop {
            let n = file.read_at(&mut piece, at).at("read", path)?;
            for &b in piece.get(..n).unwrap_or_default() {
                at += 1;
                if b == 0 {
                    break 'read;
                }
                if b == b'\n' && last == b'\n' {
                    keep = at;
                }
                last = b;
            }
            if n == 0 {
                break;
            }
        }
        if keep < len {
            file.truncate(keep).at("cut", path)?;
            file.sync().at("sync", path)?;
        }
        Ok(keep < len)
    }
}

/// Returns how many bytes of failure text are whole paragraphs without NUL.
fn whole_paragraphs(text: &[u8]) -> usize {
    let sound = text.iter().position(|&b| b == 0).unwrap_or(text.len());
    let text = text.get(..sound).unwrap_or(text);
    let end = text.windows(2).rposition(|pair| pair == b"\n\n");
    end.map_or(0, |at| at + 2)
}
