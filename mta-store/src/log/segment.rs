//! One file of the log: its name, its header, and writing groups of records at its end (docs/spool-log.md).
//!
//! ```text
//!  0  magic      8 bytes  "mtalog1\n"
//!  8  number     u64      the segment's own
//! 16  previous   u64      the segment that was written before it, 0 for none
//! 24  end        u64      where that one ends: nothing behind it counts
//! 32  next id    u64      no message with this number or a higher one was begun before
//! 40  zero       u32
//! 44  sum        u32      CRC-32 of bytes 0–44
//! 48  records
//! ```

use super::frame::{self, Frame, Kind};
use crate::files::{Access, Files, OpenFile};
use std::io;
use std::io::ErrorKind::{QuotaExceeded, StorageFull};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a segment's header.
pub(super) const HEADER: u64 = 48;
const MAGIC: &[u8; 8] = b"mtalog1\n";
/// How far ahead zeros are written at most, so that most groups change no length: their sync is
/// cheaper.
pub(super) const AHEAD: u64 = 1 << 20;
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
/// Records are collected up to this before they are written.
const COLLECT: usize = 256 * 1024;

/// What a segment's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) number: u64,
    pub(super) previous: u64,
    pub(super) end: u64,
    pub(super) next_id: u64,
}

impl Head {
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for value in [self.number, self.previous, self.end, self.next_id] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes.extend_from_slice(&[0; 4]);
        let sum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads a header; `None` where the bytes are none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (front, sum) = bytes.get(..48)?.split_at_checked(44)?;
        let sum = u32::from_le_bytes(sum.try_into().ok()?);
        if front.get(..8)? != MAGIC || crc32fast::hash(front) != sum {
            return None;
        }
        let value = |at: usize| Some(u64::from_le_bytes(front.get(at..at + 8)?.try_into().ok()?));
        Some(Self {
            number: value(8)?,
            previous: value(16)?,
            end: value(24)?,
            next_id: value(32)?,
        })
    }
}

/// Returns where a segment lies.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.seg"))
}

/// Reads a segment's number from its name.
pub(super) fn number(name: &std::ffi::OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_suffix(".seg")?;
    let number = digits.parse().ok().filter(|n| *n > 0)?;
    (format!("{number:010}") == digits).then_some(number)
}

/// The segment that is written, held by whoever writes.
#[derive(Debug)]
pub(super) struct Writer<F: Files> {
    pub(super) file: Arc<F::File>,
    pub(super) number: u64,
    /// Where the next group goes; everything before is durable.
    pub(super) tail: u64,
    zeroed: u64,
    pub(super) ahead: u64,
    /// A write or sync failed: what lies behind the tail is unknown, and the file is given up.
    pub(super) failed: bool,
    collected: Vec<u8>,
}

impl<F: Files> Writer<F> {
    /// Makes a segment, durably.
    pub(super) fn create(files: &F, dir: &Path, head: Head, ahead: u64) -> io::Result<Self> {
        let path = path(dir, head.number);
        let file = files.create_new(&path, 0o600)?;
        let made = begin(files, dir, &file, head, ahead);
        if made.is_err() {
            // Left behind it would be an empty segment, which does no harm.
            let _ = files.unlink(&path);
        }
        made.map(|zeroed| Self {
            file: Arc::new(file),
            number: head.number,
            tail: HEADER,
            zeroed,
            ahead,
            failed: false,
            collected: Vec::new(),
        })
    }

    /// Writes a group and makes it durable; returns where each record begins.
    pub(super) fn write(&mut self, frames: &mut [Frame]) -> io::Result<Vec<u64>> {
        let written = self.try_write(frames);
        self.failed |= written.is_err();
        written
    }

    fn try_write(&mut self, frames: &mut [Frame]) -> io::Result<Vec<u64>> {
        let mut places = Vec::with_capacity(frames.len());
        let mut at = self.tail;
        let mut next = self.tail;
        let mut mark = Frame::new(Kind::Mark, &self.tail.to_le_bytes());
        self.collected.clear();
        self.collected.extend_from_slice(mark.seal(self.number));
        next += mark.len();
        for frame in frames {
            places.push(next);
            next += frame.len();
            if self.collected.len() as u64 + frame.len() > COLLECT as u64 {
                self.file.write_all_at(&self.collected, at)?;
                at += self.collected.len() as u64;
                self.collected.clear();
            }
            let bytes = frame.seal(self.number);
            if bytes.len() > COLLECT {
                self.file.write_all_at(bytes, at)?;
                at += bytes.len() as u64;
            } else {
                self.collected.extend_from_slice(bytes);
            }
        }
        self.file.write_all_at(&self.collected, at)?;
        if next > self.zeroed {
            self.zeroed = write_ahead(&*self.file, next, self.ahead)?;
        }
        self.file.sync_data()?;
        self.tail = next;
        Ok(places)
    }
}

fn begin<F: Files>(
    files: &F,
    dir: &Path,
    file: &F::File,
    head: Head,
    ahead: u64,
) -> io::Result<u64> {
    file.write_all_at(&head.to_bytes(), 0)?;
    let zeroed = write_ahead(file, HEADER, ahead)?;
    file.sync()?;
    files.sync_dir(dir)?;
    Ok(zeroed)
}

/// Writes zeros and returns how far; where the disk is full there are none, which costs only time.
fn write_ahead<H: OpenFile>(file: &H, from: u64, ahead: u64) -> io::Result<u64> {
    match write_zeros(file, from, from + ahead) {
        Ok(()) => Ok(from + ahead),
        Err(e) if matches!(e.kind(), StorageFull | QuotaExceeded) => Ok(from),
        Err(e) => Err(e),
    }
}

fn write_zeros<H: OpenFile>(file: &H, mut from: u64, to: u64) -> io::Result<()> {
    while from < to {
        let n = usize::try_from(to - from)
            .unwrap_or(ZEROS.len())
            .min(ZEROS.len());
        file.write_all_at(ZEROS.get(..n).unwrap_or_default(), from)?;
        from += n as u64;
    }
    Ok(())
}

/// A segment that is only read.
#[derive(Debug)]
pub(super) struct Opened<F: Files> {
    pub(super) file: Arc<F::File>,
    pub(super) head: Head,
    pub(super) size: u64,
}

/// Opens a segment; `None` where it has no header of its own number.
pub(super) fn open<F: Files>(files: &F, dir: &Path, number: u64) -> io::Result<Option<Opened<F>>> {
    let file = files.open(&path(dir, number), Access::ReadWrite)?;
    let size = file.stat()?.size;
    let mut bytes = [0; HEADER as usize];
    if !frame::fill(&file, &mut bytes, 0)? {
        return Ok(None);
    }
    let head = Head::parse(&bytes).filter(|head| head.number == number);
    Ok(head.map(|head| Opened {
        file: Arc::new(file),
        head,
        size,
    }))
}
