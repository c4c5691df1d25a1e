//! What is known of every message in the log: where it stands and how far it has come (docs/spool-log.md).

use super::envelope::{Entry, Reader};
use super::frame::Kind;
use mta_core::Unix;
use mta_core::ports::spool::MessageId;
use mta_core::queue::PerChannel;
use mta_core::rewrite::Channel;
use std::collections::HashMap;

/// Where a record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// How many neighbours share one piece of memory: numbers grow one by one, so a long queue fills
/// nearly every place, and a message that is left alone costs no more than this many.
const NEIGHBOURS: u64 = 16;

/// Where one message stands. There may be millions.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// 0 where there is no such message.
    segment: u32,
    /// In units of eight bytes.
    offset: u32,
    /// Bytes of its record, in units of eight.
    size: u32,
    /// How many, with [`APART`] where the body lies in a file of its own.
    recipients: u32,
}

/// A message as the index knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    known: Known,
    /// What most messages have not got.
    more: Option<&'a More>,
}

const APART: u32 = 1 << 31;

/// What the index keeps of a message's own record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Bytes in the segment.
    pub(super) bytes: u64,
    pub(super) recipients: u32,
    /// Whether the body lies in a file of its own.
    pub(super) apart: bool,
}

/// How far a message has come.
#[derive(Clone, Debug, Default)]
pub(super) struct More {
    /// Recipients that are done, by their order in the envelope.
    pub(super) done: Vec<u32>,
    /// Paragraphs of failure text.
    pub(super) bounce: Vec<At>,
    pub(super) next: PerChannel<Option<Unix>>,
    /// What was decided last.
    pub(super) orders: Option<At>,
}

impl<'a> Seen<'a> {
    pub(super) fn at(&self) -> At {
        self.known.at()
    }

    pub(super) fn size(&self) -> Size {
        self.known.size()
    }

    /// Tells whether no recipient is left.
    pub(super) fn all_done(&self) -> bool {
        let done = self.more.map_or(0, |more| more.done.len());
        done >= self.size().recipients as usize
    }

    pub(super) const fn more(&self) -> Option<&'a More> {
        self.more
    }

    pub(super) fn is_done(&self, recipient: u32) -> bool {
        let done = self.more.map(|more| more.done.as_slice());
        done.unwrap_or_default().binary_search(&recipient).is_ok()
    }
}

impl Known {
    fn at(self) -> At {
        At {
            segment: u64::from(self.segment),
            offset: u64::from(self.offset) * super::frame::ALIGN,
        }
    }

    fn size(self) -> Size {
        Size {
            bytes: u64::from(self.size) * super::frame::ALIGN,
            recipients: self.recipients & !APART,
            apart: self.recipients & APART != 0,
        }
    }

    const fn is_there(self) -> bool {
        self.segment != 0
    }
}

/// A change that a record makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The message's record stands here.
    Placed(Size),
    /// It was copied to here from an old segment.
    Moved(Size),
    Done(Vec<u32>),
    Bounce,
    BounceCleared,
    Next(Channel, Unix),
    Orders,
    Finished,
}

/// Every message, and how many bytes of each segment still count.
#[derive(Debug, Default)]
pub(super) struct Index {
    messages: HashMap<u64, Box<[Known; NEIGHBOURS as usize]>>,
    more: HashMap<u64, More>,
    count: usize,
    live: HashMap<u64, u64>,
}

impl Index {
    pub(super) fn get(&self, id: MessageId) -> Option<Seen<'_>> {
        let known = self.known(id.0)?;
        let more = self.more.get(&id.0);
        Some(Seen { known, more })
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = (MessageId, Seen<'_>)> + '_ {
        let all = self.messages.iter().flat_map(|(group, neighbours)| {
            let first = group * NEIGHBOURS;
            (first..).zip(neighbours.iter().copied())
        });
        let there = all.filter(|(_, known)| known.is_there());
        there.map(|(id, known)| {
            let more = self.more.get(&id);
            (MessageId(id), Seen { known, more })
        })
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    fn known(&self, id: u64) -> Option<Known> {
        let neighbours = self.messages.get(&(id / NEIGHBOURS))?;
        let known = neighbours.get(place(id))?;
        known.is_there().then_some(*known)
    }

    /// Returns the bytes of messages in one segment.
    pub(super) fn live_in(&self, segment: u64) -> u64 {
        self.live.get(&segment).copied().unwrap_or(0)
    }

    /// Returns the bytes of messages in all segments.
    pub(super) fn live(&self) -> u64 {
        self.live.values().sum()
    }

    /// Takes in what a record says that was just written. What left meanwhile does not come back.
    pub(super) fn apply(&mut self, id: MessageId, change: Change, at: At) {
        let is_new = matches!(change, Change::Placed(_));
        if is_new || self.get(id).is_some() {
            self.replay(id, change, at);
        }
    }

    /// Takes in what the record at a place says; records about a message may come before its own,
    /// where that was copied forward.
    pub(super) fn replay(&mut self, id: MessageId, change: Change, at: At) {
        let change = match change {
            Change::Finished => return self.remove(id),
            Change::Placed(size) | Change::Moved(size) => return self.place(id, at, size),
            other => other,
        };
        let more = self.more.entry(id.0).or_default();
        match change {
            Change::Done(recipients) => {
                more.done.extend(recipients);
                more.done.sort_unstable();
                more.done.dedup();
            }
            Change::Bounce => more.bounce.push(at),
            Change::BounceCleared => more.bounce.clear(),
            Change::Next(channel, due) => *more.next.of_mut(channel) = Some(due),
            Change::Orders => more.orders = Some(at),
            Change::Finished | Change::Placed(_) | Change::Moved(_) => {}
        }
    }

    /// Forgets a message.
    pub(super) fn remove(&mut self, id: MessageId) {
        self.more.remove(&id.0);
        let group = id.0 / NEIGHBOURS;
        let Some(neighbours) = self.messages.get_mut(&group) else {
            return;
        };
        let Some(known) = neighbours.get_mut(place(id.0)).map(std::mem::take) else {
            return;
        };
        if !neighbours.iter().any(|known| known.is_there()) {
            self.messages.remove(&group);
        }
        if known.is_there() {
            self.count -= 1;
            self.forget_bytes(known.at().segment, known.size().bytes);
        }
    }

    /// Forgets records about messages whose own record is nowhere.
    pub(super) fn drop_strangers(&mut self) {
        let mut more = std::mem::take(&mut self.more);
        more.retain(|id, _| self.known(*id).is_some());
        self.more = more;
    }

    fn place(&mut self, id: MessageId, at: At, size: Size) {
        let before = self.known(id.0);
        let units = |bytes: u64| u32::try_from(bytes / super::frame::ALIGN).unwrap_or(u32::MAX);
        let known = Known {
            segment: u32::try_from(at.segment).unwrap_or(u32::MAX),
            offset: units(at.offset),
            size: units(size.bytes),
            recipients: size.recipients.min(APART - 1) | if size.apart { APART } else { 0 },
        };
        let neighbours = self.messages.entry(id.0 / NEIGHBOURS).or_default();
        if let Some(here) = neighbours.get_mut(place(id.0)) {
            *here = known;
        }
        *self.live.entry(at.segment).or_default() += size.bytes;
        match before {
            Some(before) => self.forget_bytes(before.at().segment, before.size().bytes),
            None => self.count += 1,
        }
    }

    fn forget_bytes(&mut self, segment: u64, size: u64) {
        if let Some(live) = self.live.get_mut(&segment) {
            *live = live.saturating_sub(size);
            if *live == 0 {
                self.live.remove(&segment);
            }
        }
    }
}

/// Returns a message's place among its neighbours.
fn place(id: u64) -> usize {
    usize::try_from(id % NEIGHBOURS).unwrap_or(0)
}

/// Writes the head of a record about a message.
pub(super) fn encode(id: MessageId, change: &Change) -> (Kind, Vec<u8>) {
    let mut head = id.0.to_le_bytes().to_vec();
    let kind = match change {
        Change::Placed(_) | Change::Moved(_) => Kind::Message,
        Change::Done(recipients) => {
            let numbers = recipients.iter().flat_map(|n| n.to_le_bytes());
            head.extend(numbers);
            Kind::Done
        }
        Change::Bounce => Kind::Bounce,
        Change::BounceCleared => Kind::BounceCleared,
        Change::Next(channel, due) => {
            head.extend(due.0.to_le_bytes());
            head.push(u8::try_from(channel.index()).unwrap_or(0));
            Kind::Next
        }
        Change::Orders => Kind::Orders,
        Change::Finished => Kind::Finished,
    };
    (kind, head)
}

/// Reads the head of a record about a message; `None` where it makes no sense.
pub(super) fn decode(kind: Kind, head: &[u8], bytes: u64) -> Option<(MessageId, Change)> {
    let mut rest = Reader(head);
    let id = MessageId(rest.u64()?);
    let change = match kind {
        Kind::Mark => return None,
        Kind::Message => Change::Placed(Entry::decode(head)?.size(bytes)),
        Kind::Done => {
            let mut recipients = Vec::new();
            while !rest.0.is_empty() {
                recipients.push(rest.u32()?);
            }
            Change::Done(recipients)
        }
        Kind::Bounce => Change::Bounce,
        Kind::BounceCleared => Change::BounceCleared,
        Kind::Next => {
            let due = Unix(rest.u64()?);
            let channel = usize::from(*rest.0.first()?);
            Change::Next(*Channel::ALL.get(channel)?, due)
        }
        Kind::Orders => Change::Orders,
        Kind::Finished => Change::Finished,
    };
    Some((id, change))
}
