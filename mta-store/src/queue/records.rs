//! NUL-ended records as all envelope files have them, read in bounded memory (envelopes(5)).

use super::error::{At, QueueError};
use super::limits;
use crate::files::OpenFile;
use std::path::Path;

const FIRST_PIECE: usize = 1024;
const PIECE: usize = 16 * 1024;

/// Reads one record after the other.
#[derive(Debug)]
pub(super) struct Records<'f, H> {
    file: &'f H,
    path: &'f Path,
    buf: Vec<u8>,
    /// Where the next record begins in `buf`.
    start: usize,
    /// Where `buf` begins in the file.
    base: u64,
    ended: bool,
    /// Whether the last read filled its room.
    full: bool,
}

/// A letter and what follows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'b> {
    /// Where its letter stands in the file.
    pub(super) offset: u64,
    pub(super) letter: u8,
    pub(super) value: &'b [u8],
}

impl<'f, H: OpenFile> Records<'f, H> {
    pub(super) const fn new(file: &'f H, path: &'f Path) -> Self {
        Self {
            file,
            path,
            buf: Vec::new(),
            start: 0,
            base: 0,
            ended: false,
            full: false,
        }
    }

    /// Returns the next record, `None` at the end.
    ///
    /// # Errors
    /// A record that is empty, too long or has no NUL is broken; so is a file that is too long.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, QueueError> {
        let len = loop {
            let rest = self.buf.get(self.start..).unwrap_or_default();
            if let Some(len) = rest.iter().position(|&b| b == 0) {
                break len;
            }
            let left = rest.len();
            if left > limits::RECORD {
                return Err(self.broken("expected a record of bounded length"));
            }
            if self.ended && left == 0 {
                return Ok(None);
            }
            if self.ended {
                return Err(self.broken("expected a NUL at the end of the last record"));
            }
            self.fill()?;
        };
        if len == 0 || len > limits::RECORD {
            return Err(self.broken("expected a record of bounded length"));
        }
        let offset = self.offset();
        let begin = self.start;
        self.start += len + 1;
        let record = self.buf.get(begin..begin + len).unwrap_or_default();
        let (letter, value) = record.split_first().unwrap_or((&0, &[]));
        Ok(Some(Record {
            offset,
            letter: *letter,
            value,
        }))
    }

    /// Says that the record at the present place makes no sense.
    pub(super) fn broken(&self, why: &str) -> QueueError {
        QueueError::broken(self.path, format!("{why}, at byte {}", self.offset()))
    }

    const fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    fn fill(&mut self) -> Result<(), QueueError> {
        self.buf.drain(..self.start);
        self.base += self.start as u64;
        self.start = 0;
        let old = self.buf.len();
        let at = self.base + old as u64;
        if at > limits::ENVELOPE {
            return Err(self.broken("expected a file of bounded length"));
        }
        // Most envelopes are short; only long ones are worth long reads.
        let piece = if self.full { PIECE } else { FIRST_PIECE };
        self.buf.resize(old + piece, 0);
        let room = self.buf.get_mut(old..).unwrap_or_default();
        let read = self.file.read_at(room, at).at("read", self.path);
        let n = *read.as_ref().unwrap_or(&0);
        self.buf.truncate(old + n);
        self.ended = n == 0;
        self.full = n == piece;
        read.map(|_| ())
    }
}

/// Collects records and writes them in large pieces.
#[derive(Debug)]
pub(super) struct Writer<'f, H> {
    file: &'f H,
    path: &'f Path,
    buf: Vec<u8>,
    at: u64,
}

impl<'f, H: OpenFile> Writer<'f, H> {
    pub(super) const fn new(file: &'f H, path: &'f Path) -> Self {
        Self {
            file,
            path,
            buf: Vec::new(),
            at: 0,
        }
    }

    pub(super) fn record(&mut self, letter: u8, value: &[u8]) -> Result<(), QueueError> {
        self.buf.push(letter);
        self.buf.extend_from_slice(value);
        self.buf.push(0);
        if self.buf.len() >= PIECE {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), QueueError> {
        self.file
            .write_all_at(&self.buf, self.at)
            .at("write", self.path)?;
        self.at += self.buf.len() as u64;
        self.buf.clear();
        Ok(())
    }

    /// Writes what is left and makes the file durable.
    pub(super) fn finish(mut self) -> Result<(), QueueError> {
        self.flush()?;
        self.file.sync().at("sync", self.path)
    }
}
