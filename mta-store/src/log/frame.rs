//! How a record stands in a segment: a header with two check sums, what always must be read, and a body (docs/spool-log.md).
//!
//! ```text
//!  0  magic   u16   0x4d9a
//!  2  kind    u8
//!  3  zero    u8
//!  4  head    u32   bytes of the head
//!  8  body    u32   bytes of the body, which follows the head
//! 12  sum     u32   CRC-32 of bytes 0–12 and of the head, begun with the segment's number
//! 16  bodysum u32   CRC-32 of the body
//! 20  zero    u32
//! 24  head, body, zeros up to a multiple of eight
//! ```
//!
//! All numbers are little-endian. The sum of a record does not match in any other segment, so
//! that what an earlier file left on the disk is never taken for a record.

use crate::files::OpenFile;
use std::io;

/// Bytes of a header.
pub(super) const HEADER: usize = 24;
/// Where records may begin.
pub(super) const ALIGN: u64 = 8;
/// The longest head: an envelope as large as qmail-queue takes.
pub(super) const HEAD_MAX: usize = 256 << 20;
const MAGIC: u16 = 0x4d9a;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first record of a group: everything before it was durable when it was written.
    Mark,
    /// A message with its envelope.
    Message,
    /// Recipients that are done.
    Done,
    /// A paragraph of failure text.
    Bounce,
    /// The failure text was sent.
    BounceCleared,
    /// When a channel is tried next.
    Next,
    /// A message left the spool.
    Finished,
    /// What was decided about a message since it came.
    Orders,
}

const KINDS: [Kind; 8] = [
    Kind::Mark,
    Kind::Message,
    Kind::Done,
    Kind::Bounce,
    Kind::BounceCleared,
    Kind::Next,
    Kind::Finished,
    Kind::Orders,
];

impl Kind {
    const fn number(self) -> u8 {
        self as u8 + 1
    }

    fn from_number(number: u8) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.number() == number)
    }
}

/// A record that waits to be written, without what depends on its segment.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Header, head, body and padding; the sum is filled in by [`Frame::seal`].
    bytes: Vec<u8>,
    head: usize,
}

impl Frame {
    /// Makes a record of a head alone.
    pub(super) fn new(kind: Kind, head: &[u8]) -> Self {
        Self::with_body(kind, head, &[])
    }

    /// Makes a record; head and body together are shorter than 4 GiB, which callers' limits see to.
    pub(super) fn with_body(kind: Kind, head: &[u8], body: &[u8]) -> Self {
        let length = padded((HEADER + head.len() + body.len()) as u64);
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(usize::MAX));
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        bytes.extend_from_slice(&[kind.number(), 0]);
        bytes.extend_from_slice(&count(head.len()).to_le_bytes());
        bytes.extend_from_slice(&count(body.len()).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(head);
        bytes.extend_from_slice(body);
        bytes.resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
        Self {
            bytes,
            head: head.len(),
        }
    }

    /// Returns the bytes that it takes in the segment.
    pub(super) const fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Binds the record to its segment and returns what is to be written.
    pub(super) fn seal(&mut self, segment: u64) -> &[u8] {
        let mut sum = begin(segment);
        sum.update(self.bytes.get(..12).unwrap_or_default());
        let head = self.bytes.get(HEADER..HEADER + self.head);
        sum.update(head.unwrap_or_default());
        if let Some(place) = self.bytes.get_mut(12..16) {
            place.copy_from_slice(&sum.finalize().to_le_bytes());
        }
        &self.bytes
    }
}

/// A record's header as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) head: u32,
    pub(super) body: u32,
    sum: u32,
    pub(super) body_sum: u32,
    front: [u8; 12],
}

impl Header {
    /// Reads a header; `None` where there is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let front: [u8; 12] = bytes.get(..12)?.try_into().ok()?;
        let magic = u16::from_le_bytes(bytes.get(..2)?.try_into().ok()?);
        let header = Self {
            kind: Kind::from_number(*bytes.get(2)?)?,
            head: number(bytes, 4)?,
            body: number(bytes, 8)?,
            sum: number(bytes, 12)?,
            body_sum: number(bytes, 16)?,
            front,
        };
        (magic == MAGIC && header.head as usize <= HEAD_MAX).then_some(header)
    }

    /// Returns the bytes from this record's beginning to the next one's.
    pub(super) const fn len(&self) -> u64 {
        padded(HEADER as u64 + self.head as u64 + self.body as u64)
    }

    /// Tells whether the head is the one that was written with this header, in this segment.
    pub(super) fn fits(&self, head: &[u8], segment: u64) -> bool {
        let mut sum = begin(segment);
        sum.update(&self.front);
        sum.update(head);
        sum.finalize() == self.sum
    }
}

/// Reads header and head at a position; `None` where no record stands there.
pub(super) fn read_at<H: OpenFile>(
    file: &H,
    at: u64,
    end: u64,
    segment: u64,
) -> io::Result<Option<(Header, Vec<u8>)>> {
    let mut bytes = [0; HEADER];
    if !fill(file, &mut bytes, at)? {
        return Ok(None);
    }
    let Some(header) = Header::parse(&bytes).filter(|h| at.saturating_add(h.len()) <= end) else {
        return Ok(None);
    };
    let mut head = vec![0; header.head as usize];
    let whole = fill(file, &mut head, at + HEADER as u64)?;
    Ok((whole && header.fits(&head, segment)).then_some((header, head)))
}

/// Fills `buf` from a position; false where the file ends before.
pub(super) fn fill<H: OpenFile>(file: &H, mut buf: &mut [u8], mut at: u64) -> io::Result<bool> {
    while !buf.is_empty() {
        let n = match file.read_at(buf, at) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if n == 0 {
            return Ok(false);
        }
        at = at.saturating_add(n as u64);
        buf = buf.get_mut(n..).unwrap_or_default();
    }
    Ok(true)
}

/// Rounds up to where the next record may begin.
pub(super) const fn padded(length: u64) -> u64 {
    length.div_ceil(ALIGN) * ALIGN
}

fn begin(segment: u64) -> crc32fast::Hasher {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&segment.to_le_bytes());
    sum
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_and_only_in_its_own_segment() {
        let mut frame = Frame::with_body(Kind::Message, b"head", b"the body");
        let bytes = frame.seal(7).to_vec();
        assert_eq!(bytes.len() % 8, 0);
        let header = Header::parse(&bytes).unwrap();
        assert_eq!(
            (header.kind, header.head, header.body),
            (Kind::Message, 4, 8)
        );
        assert_eq!(header.len(), bytes.len() as u64);
        assert!(header.fits(b"head", 7));
        assert!(!header.fits(b"head", 8));
        assert!(!header.fits(b"heal", 7));
        assert_eq!(header.body_sum, crc32fast::hash(b"the body"));
    }

    #[test]
    fn every_changed_bit_of_header_and_head_is_noticed() {
        let mut frame = Frame::new(Kind::Done, b"0123456789");
        let sound = frame.seal(1).to_vec();
        // The body's sum and the zeros behind it say nothing of the head.
        for bit in (0..16 * 8).chain(24 * 8..34 * 8) {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let taken = Header::parse(&bytes)
                .filter(|h| h.head == 10)
                .is_some_and(|h| h.fits(&bytes[24..34], 1));
            assert!(!taken, "bit {bit}");
        }
    }
}
