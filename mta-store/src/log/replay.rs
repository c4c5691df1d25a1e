//! Reading the log at the start: what stands in it, what a crash tore, what the disk damaged (docs/spool-log.md).
//!
//! A group begins with a mark, which says that everything before it was durable. So what cannot be
//! read is damage where a sound mark follows, and otherwise the end that a crash tore off.

use super::frame::{self, ALIGN, HEADER, Header, Kind};
use super::index::{self, At, Index};
use super::segment::{self, Opened};
use crate::files::{Files, OpenFile};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Bytes that are searched at a time for the next sound record.
const PIECE: usize = 64 * 1024;

/// The log as it was found.
#[derive(Debug)]
pub(super) struct Replay<F: Files> {
    pub(super) index: Index,
    pub(super) segments: BTreeMap<u64, Opened<F>>,
    /// Files with the name of a segment that are none.
    pub(super) foreign: Vec<u64>,
    pub(super) damaged: Vec<Damaged>,
    /// Where the last segment ends.
    pub(super) end: u64,
    pub(super) next_id: u64,
}

/// Bytes of a segment that make no sense although sound ones follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged {
    pub(super) segment: u64,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// Reads all segments. Nothing is changed.
pub(super) fn replay<F: Files>(files: &F, dir: &Path) -> io::Result<Replay<F>> {
    let mut replay = Replay {
        index: Index::default(),
        segments: BTreeMap::new(),
        foreign: Vec::new(),
        damaged: Vec::new(),
        end: segment::HEADER,
        next_id: 1,
    };
    let mut numbers = Vec::new();
    files.read_dir(dir, &mut |name| numbers.extend(segment::number(name)))?;
    numbers.sort_unstable();
    for number in numbers {
        match segment::open(files, dir, number) {
            Ok(Some(opened)) => drop(replay.segments.insert(number, opened)),
            Ok(None) => replay.foreign.push(number),
            // Removed by the process that drains, while a tool looks.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    replay.read_segments()?;
    replay.index.drop_strangers();
    Ok(replay)
}

impl<F: Files> Replay<F> {
    fn read_segments(&mut self) -> io::Result<()> {
        let heads: Vec<_> = self.segments.values().map(|s| s.head).collect();
        let ends: BTreeMap<u64, u64> = heads.iter().map(|h| (h.previous, h.end)).collect();
        for head in heads {
            self.next_id = self.next_id.max(head.next_id);
            // One that nobody continued is the last, or was made in vain and is empty.
            let end = ends.get(&head.number).copied();
            let Some(opened) = self.segments.get(&head.number) else {
                continue;
            };
            let file = std::sync::Arc::clone(&opened.file);
            let limit = end.unwrap_or(opened.size).min(opened.size);
            let reached = self.read_segment(&*file, head.number, limit, end.is_some())?;
            self.end = end.unwrap_or(reached);
        }
        Ok(())
    }

    /// Takes in the records of one segment and returns where the last sound one ends. Where `whole`
    /// is said everything up to `limit` was durable.
    fn read_segment(
        &mut self,
        file: &F::File,
        number: u64,
        limit: u64,
        whole: bool,
    ) -> io::Result<u64> {
        let mut at = segment::HEADER;
        // Records of the last group, of which some may not have reached the disk.
        let mut group: Vec<(u64, Header, Vec<u8>)> = Vec::new();
        while at < limit {
            match frame::read_at(file, at, limit, number)? {
                Some((header, head)) => {
                    if header.kind == Kind::Mark {
                        self.take_all(number, &mut group);
                    }
                    group.push((at, header, head));
                    at += header.len();
                    if whole {
                        self.take_all(number, &mut group);
                    }
                }
                None => match next_sound(file, at, limit, number, whole)? {
                    Some(to) => {
                        let from = at;
                        self.damaged.push(Damaged {
                            segment: number,
                            from,
                            to,
                        });
                        // A mark follows, so these were durable.
                        self.take_all(number, &mut group);
                        at = to;
                    }
                    None => break,
                },
            }
        }
        self.take_torn(file, number, group)
            .map(|torn| torn.unwrap_or(at))
    }

    fn take_all(&mut self, segment: u64, group: &mut Vec<(u64, Header, Vec<u8>)>) {
        for (offset, header, head) in group.drain(..) {
            self.take(At { segment, offset }, header, &head);
        }
    }

    /// Takes in the last group as far as it is whole; returns where it breaks off.
    fn take_torn(
        &mut self,
        file: &F::File,
        segment: u64,
        group: Vec<(u64, Header, Vec<u8>)>,
    ) -> io::Result<Option<u64>> {
        for (offset, header, head) in group {
            if !body_is_sound(file, offset, &header)? {
                return Ok(Some(offset));
            }
            self.take(At { segment, offset }, header, &head);
        }
        Ok(None)
    }

    fn take(&mut self, at: At, header: Header, head: &[u8]) {
        if let Some((id, change)) = index::decode(header.kind, head, header.len()) {
            self.next_id = self.next_id.max(id.0.saturating_add(1));
            self.index.replay(id, change, at);
        }
    }
}

/// Tells whether the body of a record is what was written.
pub(super) fn body_is_sound<H: OpenFile>(file: &H, at: u64, header: &Header) -> io::Result<bool> {
    let mut left = header.body as usize;
    let mut at = at + HEADER as u64 + u64::from(header.head);
    let mut sum = crc32fast::Hasher::new();
    let mut piece = vec![0; left.min(PIECE)];
    while left > 0 {
        let room = left.min(PIECE);
        let buf = piece.get_mut(..room).unwrap_or_default();
        if !frame::fill(file, buf, at)? {
            return Ok(false);
        }
        sum.update(buf);
        left -= room;
        at += room as u64;
    }
    Ok(sum.finalize() == header.body_sum)
}

/// Searches from a position where no record stands for the first record behind which, or with
/// which, a sound mark follows: all before it was durable once. `None` where there is none; then
/// everything from `at` on was never promised to anybody. In a segment that is `whole`, every
/// record was durable.
fn next_sound<H: OpenFile>(
    file: &H,
    at: u64,
    limit: u64,
    number: u64,
    whole: bool,
) -> io::Result<Option<u64>> {
    let mut first = None;
    let mut at = at + ALIGN;
    let mut piece = vec![0; PIECE];
    while at < limit {
        let room = usize::try_from(limit - at).unwrap_or(PIECE).min(PIECE);
        let buf = piece.get_mut(..room).unwrap_or_default();
        if !frame::fill(file, buf, at)? {
            break;
        }
        let mut passed = room as u64;
        for (offset, eight) in (0..)
            .step_by(ALIGN as usize)
            .zip(buf.chunks(ALIGN as usize))
        {
            // Cheap first: nearly everything that is searched is zeros or text.
            if !eight.starts_with(&[0x9a, 0x4d]) {
                continue;
            }
            let found = frame::read_at(file, at + offset, limit, number)?;
            if let Some((header, _)) = found {
                if whole || header.kind == Kind::Mark {
                    return Ok(first.or(Some(at + offset)));
                }
                first = first.or(Some(at + offset));
                passed = offset + header.len();
                break;
            }
        }
        at += passed;
    }
    // What is damaged up to the very end of a whole segment is damage too.
    Ok((whole && first.is_none()).then_some(limit))
}
