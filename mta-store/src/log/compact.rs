//! Freeing old segments, and copying forward what still counts in them (docs/spool-log.md).
//!
//! Segments go oldest first and each removal is durable before the next: a record that ends a
//! message always lies behind the message, and never goes before it.

use super::Log;
use super::frame::{self, Frame, Kind};
use super::index::{self, At, Change};
use super::segment;
use crate::files::Files;
use crate::queue::{At as _, Quarantined, QueueError};
use mta_core::ports::spool::MessageId;
use mta_core::rewrite::Channel;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How much is copied before the next group may be written.
const AT_ONCE: u64 = 1 << 20;
/// How many segments may stand besides twice what counts.
const SPARE: u64 = 4;

/// A message that is to be copied.
struct Candidate {
    id: MessageId,
    at: At,
    frame: Frame,
    bounce: Vec<(At, Vec<u8>)>,
    orders: Option<(At, Vec<u8>)>,
}

impl<F: Files> Log<F> {
    /// Frees what can be freed: removes the oldest segments as long as nothing in them counts, and
    /// where the log is more than twice as large as what counts, copies the rest of the oldest to
    /// the end. Tells whether something was done; then it may be called again.
    ///
    /// # Errors
    /// Fails where the disk does; nothing is lost, and it can be called again.
    pub fn tidy(&self) -> Result<bool, QueueError> {
        let Some((oldest, is_empty)) = self.oldest_to_free() else {
            return Ok(false);
        };
        if is_empty {
            self.free(oldest)?;
            return Ok(true);
        }
        self.copy_forward(oldest)?;
        Ok(true)
    }

    fn oldest_to_free(&self) -> Option<(u64, bool)> {
        let state = self.shared.lock();
        let oldest = state.segments.keys().next().copied()?;
        if state.segments.len() < 2 || !state.may_write() {
            return None;
        }
        if state.index.live_in(oldest) == 0 {
            return Some((oldest, true));
        }
        let size = state.segments.len() as u64 * self.shared.segment_size;
        let most = 2 * state.index.live() + SPARE * self.shared.segment_size;
        let is_stuck = self.shared.stuck.load(Ordering::Relaxed) == oldest;
        (size > most && !is_stuck).then_some((oldest, false))
    }

    /// Removes a segment in which nothing counts, durably.
    fn free(&self, number: u64) -> Result<(), QueueError> {
        // A message may have left by a record that nobody waited for yet.
        self.flush()?;
        let path = segment::path(&self.shared.dir, number);
        self.shared.lock().segments.remove(&number);
        let files = &self.shared.files;
        files.unlink_if_there(&path).at("remove", &path)?;
        let synced = self.shared.syncs.mark(&self.shared.dir).wait();
        synced.at("sync", &self.shared.dir)
    }

    /// Writes what waits, so that it is durable.
    fn flush(&self) -> Result<(), QueueError> {
        let group = self.shared.lock().gathering();
        match group {
            Some(group) => self.shared.wait(&group),
            None => Ok(()),
        }
    }

    /// Copies the messages that are left in the oldest segment.
    fn copy_forward(&self, oldest: u64) -> Result<(), QueueError> {
        let mut ids: Vec<(u64, MessageId)> = {
            let state = self.shared.lock();
            let there = state.index.ids().filter_map(|(id, known)| {
                let at = known.at();
                (at.segment == oldest).then_some((at.offset, id))
            });
            there.collect()
        };
        ids.sort_unstable();
        let mut candidates = Vec::new();
        let mut size = 0;
        for (_, id) in ids {
            let candidate = match self.candidate(id) {
                Err(QueueError::Gone(_)) => continue,
                Err(error) => {
                    // The segment stays until whoever delivers it has put it aside.
                    self.shared.stuck.store(oldest, Ordering::Relaxed);
                    return Err(error);
                }
                Ok(candidate) => candidate,
            };
            size += candidate.frame.len();
            candidates.push(candidate);
            if size > AT_ONCE {
                self.copy(std::mem::take(&mut candidates))?;
                size = 0;
            }
        }
        self.copy(candidates)
    }

    fn candidate(&self, id: MessageId) -> Result<Candidate, QueueError> {
        let record = self.record(id)?;
        let body = self.body(&record.file, record.at, &record.header)?;
        let frame = Frame::with_body(Kind::Message, &record.entry.encode(), &body);
        let (bounce, orders) = {
            let state = self.shared.lock();
            let more = state.index.get(id).and_then(|seen| seen.more());
            let more = more.cloned().unwrap_or_default();
            let file = |at: At| Some((at, Arc::clone(state.segments.get(&at.segment)?)));
            let bounce: Vec<_> = more.bounce.into_iter().filter_map(file).collect();
            (bounce, more.orders.and_then(file))
        };
        let bounce = bounce.into_iter();
        let bounce = bounce.map(|(at, file)| Ok((at, self.paragraph(&*file, at)?)));
        let orders = orders.map(|(at, file)| Ok((at, self.orders(&*file, at)?)));
        Ok(Candidate {
            id,
            at: record.at,
            frame,
            bounce: bounce.collect::<Result<_, QueueError>>()?,
            orders: orders.transpose()?,
        })
    }

    /// Appends copies with the state of each message, unless that is just changing.
    fn copy(&self, candidates: Vec<Candidate>) -> Result<(), QueueError> {
        let mut state = self.shared.lock();
        let mut last = None;
        for candidate in candidates {
            let Candidate {
                id,
                at,
                frame,
                bounce,
                orders,
            } = candidate;
            let Some(known) = state.index.get(id).filter(|known| known.at() == at) else {
                continue;
            };
            let more = known.more().cloned().unwrap_or_default();
            let same = more.bounce.iter().eq(bounce.iter().map(|(at, _)| at))
                && more.orders == orders.as_ref().map(|(at, _)| *at);
            if state.is_changing(id) || !same {
                continue;
            }
            let size = index::Size {
                bytes: frame.len(),
                ..known.size()
            };
            let _ = state.append(id, Change::Moved(size), frame);
            let mut note = |change: Change, body: &[u8]| {
                let (kind, head) = index::encode(id, &change);
                state.append(id, change, Frame::with_body(kind, &head, body))
            };
            let mut group = note(Change::BounceCleared, &[]);
            for (_, paragraph) in &bounce {
                group = note(Change::Bounce, paragraph);
            }
            if let Some((_, orders)) = &orders {
                group = note(Change::Orders, orders);
            }
            if !more.done.is_empty() {
                group = note(Change::Done(more.done), &[]);
            }
            for channel in Channel::ALL {
                if let Some(due) = more.next.of(channel) {
                    group = note(Change::Next(channel, *due), &[]);
                }
            }
            last = Some(group);
        }
        drop(state);
        match last {
            Some(group) => self.shared.wait(&group),
            None => Ok(()),
        }
    }
}

/// Copies bytes that make no sense to a file of their own; nothing of the segment changes.
pub(super) fn set_aside<F: Files>(
    files: &F,
    dir: &std::path::Path,
    damaged: super::replay::Damaged,
    file: &F::File,
) -> Result<std::path::PathBuf, QueueError> {
    use crate::files::OpenFile;
    let name = format!("damaged.{}.{}", damaged.segment, damaged.from);
    let path = dir.join(name);
    if files.exists(&path).at("find", &path)? {
        return Ok(path);
    }
    let out = files.create_new(&path, 0o600).at("create", &path)?;
    let mut at = damaged.from;
    let mut piece = vec![0; 64 * 1024];
    while at < damaged.to {
        let room = usize::try_from(damaged.to - at).unwrap_or(piece.len());
        let room = room.min(piece.len());
        let buf = piece.get_mut(..room).unwrap_or_default();
        if !frame::fill(file, buf, at).at("read", &path)? {
            break;
        }
        out.write_all_at(buf, at - damaged.from)
            .at("write", &path)?;
        at += room as u64;
    }
    out.sync().at("sync", &path)?;
    Ok(path)
}

impl<F: Files> Log<F> {
    /// Takes a damaged message out of the log; its bytes are kept in a file of their own first.
    ///
    /// # Errors
    /// After a failure it can be called again.
    pub fn quarantine(&self, id: MessageId, reason: &str) -> Result<Quarantined, QueueError> {
        let (at, size, file) = {
            let state = self.shared.lock();
            let known = state.index.get(id).ok_or(QueueError::Gone(id))?;
            let at = known.at();
            let file = state.segments.get(&at.segment).map(Arc::clone);
            (at, known.size(), file.ok_or(QueueError::Gone(id))?)
        };
        let damaged = super::replay::Damaged {
            segment: at.segment,
            from: at.offset,
            to: at.offset + size.bytes,
        };
        let shared = &self.shared;
        let mut files = vec![set_aside(&*shared.files, &shared.dir, damaged, &file)?];
        let body = self.bodies().join(id.to_string());
        let there = size.apart && shared.files.exists(&body).at("find", &body)?;
        if there {
            let kept = shared.dir.join(format!("damaged.body.{id}"));
            shared.files.rename(&body, &kept).at("put aside", &body)?;
            files.push(kept);
        }
        shared
            .syncs
            .mark(&shared.dir)
            .wait()
            .at("sync", &shared.dir)?;
        self.remove(id)?;
        shared.stuck.store(0, Ordering::Relaxed);
        let reason = reason.to_owned();
        Ok(Quarantined { files, reason })
    }
}
