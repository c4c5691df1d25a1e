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

/// One message. What most messages have not got is behind a pointer, because there may be millions.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// 0 while only records about the message were seen, not its own.
    segment: u32,
    /// In units of eight bytes.
    offset: u32,
    /// Bytes of its record, in units of eight.
    size: u32,
    /// How many, with [`APART`] where the body lies in a file of its own.
    recipients: u32,
    more: Option<Box<More>>,
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

impl Known {
    pub(super) fn at(&self) -> Option<At> {
        (self.segment != 0).then(|| At {
            segment: u64::from(self.segment),
            offset: u64::from(self.offset) * super::frame::ALIGN,
        })
    }

    pub(super) fn size(&self) -> Size {
        Size {
            bytes: u64::from(self.size) * super::frame::ALIGN,
            recipients: self.recipients & !APART,
            apart: self.recipients & APART != 0,
        }
    }

    /// Tells whether no recipient is left.
    pub(super) fn all_done(&self) -> bool {
        let done = self.more().map_or(0, |more| more.done.len());
        done >= self.size().recipients as usize
    }

    pub(super) fn more(&self) -> Option<&More> {
        self.more.as_deref()
    }

    pub(super) fn is_done(&self, recipient: u32) -> bool {
        let done = self.more().map(|more| more.done.as_slice());
        done.unwrap_or_default().binary_search(&recipient).is_ok()
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
    messages: HashMap<u64, Known>,
    live: HashMap<u64, u64>,
}

impl Index {
    pub(super) fn get(&self, id: MessageId) -> Option<&Known> {
        self.messages.get(&id.0).filter(|known| known.segment != 0)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = (MessageId, &Known)> + '_ {
        let there = self.messages.iter().filter(|(_, known)| known.segment != 0);
        there.map(|(id, known)| (MessageId(*id), known))
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
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
        let known = self.messages.entry(id.0).or_default();
        let more = known.more.get_or_insert_default();
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
        let known = self.messages.remove(&id.0);
        if let Some((at, size)) = known.and_then(|k| k.at().map(|at| (at, k.size()))) {
            self.forget_bytes(at.segment, size.bytes);
        }
    }

    /// Forgets records about messages whose own record is nowhere.
    pub(super) fn drop_strangers(&mut self) {
        self.messages.retain(|_, known| known.segment != 0);
    }

    fn place(&mut self, id: MessageId, at: At, size: Size) {
        let known = self.messages.entry(id.0).or_default();
        let before = known.at().map(|at| (at.segment, known.size().bytes));
        let units = |bytes: u64| u32::try_from(bytes / super::frame::ALIGN).unwrap_or(u32::MAX);
        known.segment = u32::try_from(at.segment).unwrap_or(u32::MAX);
        known.offset = units(at.offset);
        known.size = units(size.bytes);
        known.recipients = size.recipients.min(APART - 1) | if size.apart { APART } else { 0 };
        *self.live.entry(at.segment).or_default() += size.bytes;
        if let Some((segment, bytes)) = before {
            self.forget_bytes(segment, bytes);
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
