//! What a log says of itself when it is opened: who stands in it, what was damaged, what a crash left.

use super::compact::set_aside;
use super::envelope::{Door, Entry};
use super::replay::Replay;
use super::{Log, segment};
use crate::files::Files;
use crate::queue::{At as _, QueueError, Standing};
use mta_core::Unix;
use mta_core::ports::spool::MessageId;
use mta_core::rewrite::Channel;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The log as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// The messages in it, oldest record first.
    pub standing: Vec<Standing>,
    /// The messages that an administrator wants not to be delivered for now.
    pub held: Vec<MessageId>,
    /// Messages that were taken from the qmail layout and may still be there.
    pub doors: Vec<(MessageId, Door)>,
    /// What was damaged and where a copy of it is; each belongs into the log.
    pub damaged: Vec<String>,
    /// What a crash had left over and was removed.
    pub removed: Vec<PathBuf>,
    /// What could not be examined or put aside; it stays, and belongs into the log.
    pub failed: Vec<String>,
}

impl<F: Files> Log<F> {
    /// Takes over what was replayed.
    pub(super) fn recovered(&self, replay: Replay<F>) -> Result<Recovered, QueueError> {
        let mut found = Recovered::default();
        self.shared.next_id.store(replay.next_id, Ordering::Relaxed);
        for damaged in &replay.damaged {
            let opened = replay.segments.get(&damaged.segment);
            let kept = opened.filter(|_| self.lock.is_some()).map(|opened| {
                set_aside(
                    &*self.shared.files,
                    &self.shared.dir,
                    *damaged,
                    &opened.file,
                )
            });
            let place = segment::path(&self.shared.dir, damaged.segment);
            let what = format!(
                "{}: bytes {} to {} make no sense",
                place.display(),
                damaged.from,
                damaged.to
            );
            match kept.transpose() {
                Ok(Some(copy)) => found
                    .damaged
                    .push(format!("{what}; kept in {}", copy.display())),
                Ok(None) => found.damaged.push(what),
                Err(error) => found.failed.push(format!("{what}: {error}")),
            }
        }
        for number in &replay.foreign {
            let place = segment::path(&self.shared.dir, *number);
            found
                .failed
                .push(format!("{}: it is no segment", place.display()));
        }
        let mut order: Vec<_> = replay
            .index
            .ids()
            .map(|(id, known)| (known.at(), id))
            .collect();
        order.sort_unstable_by_key(|(at, _)| (at.segment, at.offset));
        {
            let mut state = self.shared.lock();
            for (number, opened) in replay.segments {
                state.segments.entry(number).or_insert(opened.file);
            }
            state.index = replay.index;
        }
        for (_, id) in order {
            self.take_stock(id, &mut found);
        }
        if self.lock.is_some() {
            self.remove_stray_bodies(&mut found)?;
        }
        Ok(found)
    }

    fn take_stock(&self, id: MessageId, found: &mut Recovered) {
        let record = match self.record(id) {
            Ok(record) => record,
            Err(error) => return found.failed.push(error.to_string()),
        };
        if let Some(door) = record.entry.door {
            found.doors.push((id, door));
        }
        match self.is_held(id) {
            Ok(held) => found.held.extend(held.then_some(id)),
            Err(error) => found.failed.push(error.to_string()),
        }
        if let Some(standing) = self.standing(&record.entry) {
            found.standing.push(standing);
        }
    }

    fn is_held(&self, id: MessageId) -> Result<bool, QueueError> {
        let ordered = {
            let state = self.shared.lock();
            let more = state.index.get(id).and_then(|known| known.more());
            more.is_some_and(|more| more.orders.is_some())
        };
        Ok(ordered && self.params(id)?.held)
    }

    fn standing(&self, entry: &Entry) -> Option<Standing> {
        let state = self.shared.lock();
        let known = state.index.get(entry.id)?;
        let next = |channel| {
            let mut all = (0_u32..).zip(&entry.recipients);
            let left = all.any(|(n, to)| to.routed.channel == channel && !known.is_done(n));
            let kept = known.more().and_then(|more| *more.next.of(channel));
            left.then(|| kept.unwrap_or(Unix(0)))
        };
        Some(Standing {
            id: entry.id,
            birth: entry.birth,
            sender: entry.sender.clone(),
            local: next(Channel::Local),
            remote: next(Channel::Remote),
            bounce: known.more().is_some_and(|more| !more.bounce.is_empty()),
        })
    }

    /// Removes bodies that no message claims: their writers died.
    fn remove_stray_bodies(&self, found: &mut Recovered) -> Result<(), QueueError> {
        let dir = self.bodies();
        let files = Arc::clone(&self.shared.files);
        let claimed: HashSet<String> = {
            let state = self.shared.lock();
            let apart = state.index.ids().filter(|(_, known)| known.size().apart);
            apart.map(|(id, _)| id.to_string()).collect()
        };
        for name in files.names(&dir).at("list", &dir)? {
            if name.to_str().is_none_or(|name| !claimed.contains(name)) {
                let path = dir.join(&name);
                match files.unlink_if_there(&path) {
                    Ok(_) => found.removed.push(path),
                    Err(error) => found.failed.push(format!("{}: {error}", path.display())),
                }
            }
        }
        Ok(())
    }
}
