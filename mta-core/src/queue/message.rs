//! One message in the manager: what waits, what runs and which storage step comes next (INTERNALS §2).

use super::action::{Action, Pending, PerChannel, Step};
use crate::bounce::{Failure, Notice};
use crate::ports::spool::MessageId;
use crate::rewrite::Channel;
use crate::{Address, Unix, verp};
use std::collections::VecDeque;

/// A preprocessed message; small while it only waits.
#[derive(Debug)]
pub(super) struct Message {
    /// Tells this message from an earlier one that bore the same id.
    pub(super) serial: u64,
    pub(super) birth: Unix,
    pub(super) tracks: PerChannel<Track>,
    pub(super) bounce: Bounce,
    /// The administrator wants it gone: nobody is delivered to and nobody is told.
    pub(super) removed: bool,
    /// The administrator wants nobody delivered to for now; what waits is in no line.
    pub(super) held: bool,
    /// Exists only while something is under way.
    pub(super) work: Option<Box<Work>>,
}

/// How far one channel of a message is.
///
/// ```text
/// Waiting ── due ──► Loading ──► Running ──► Done
///    ▲                  │           │
///    └── storage fails ─┴─ deferred ┘
/// ```
#[derive(Debug, Default)]
pub(super) enum Track {
    /// No recipients are left.
    #[default]
    Done,
    /// The next attempt is due at this time.
    Waiting(Unix),
    /// The recipients are being read. Boxed, as a million messages wait for each that loads.
    Loading(Box<Loading>),
    /// An attempt is on its way.
    Running(Box<Pass>),
}

/// An attempt whose recipients are not there yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loading {
    /// When it was due.
    pub(super) due: Unix,
    /// When it began.
    pub(super) started: Unix,
}

/// One attempt at all recipients of a channel.
#[derive(Debug)]
pub(super) struct Pass {
    /// Not started yet.
    pub(super) batches: VecDeque<Vec<Pending>>,
    /// Deliveries that were started and have not reported.
    pub(super) running: usize,
    /// When to try those again that are left.
    pub(super) next: Unix,
    /// A deferral is a failure now.
    pub(super) dying: bool,
    /// Seconds since the message's birth.
    pub(super) age: u64,
    /// Somebody was deferred.
    pub(super) deferred: bool,
    /// The shutdown took away deliveries that had not started.
    pub(super) cut: bool,
}

/// How far a message's bounce is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bounce {
    /// There is no bounce text.
    Nothing,
    /// There is bounce text.
    Recorded,
    /// The bounce is in the queue as a message of its own, the text still there.
    Sent,
}

/// What a message under way needs.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) sender: Address,
    /// Failures that are not in the bounce text yet.
    pub(super) failures: Vec<Failed>,
    /// What the sender is to hear and was not told yet.
    pub(super) notices: Vec<Notice>,
    /// Recipients that are to be marked as done.
    pub(super) marks: PerChannel<Vec<u64>>,
    /// One of this message's steps is being carried out.
    pub(super) busy: bool,
    /// When the step that failed is tried again.
    pub(super) stalled: Option<Unix>,
    /// A step failed after the shutdown began: nothing more is tried.
    pub(super) given_up: bool,
    /// The log has its end.
    pub(super) ended: bool,
    /// The message is being removed.
    pub(super) finishing: bool,
    /// A new message with the same id was seen meanwhile.
    pub(super) again: bool,
}

/// A failure and the recipient that is to be marked when it is on record.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) channel: Channel,
    pub(super) offset: u64,
    pub(super) failure: Failure,
}

/// A storage step with what must be put back when it fails.
#[derive(Debug)]
pub(super) enum What {
    Preprocess,
    Load(Channel),
    Append(Vec<Failed>),
    Notify(Vec<Notice>),
    Mark(Channel, Vec<u64>),
    SendBounce,
    ClearBounce,
    Finish,
    SetNext(Channel, Unix),
}

/// What [`Message::next`] found.
#[derive(Debug)]
pub(super) enum Next {
    /// Carry this out.
    Do(What),
    /// A channel has recipients left for later; the time is to be kept unless it was cut short.
    Later {
        channel: Channel,
        at: Unix,
        keep: bool,
    },
    /// A bounce of a double bounce: nobody is told.
    Discard,
    /// All recipients are done and the bounce is gone.
    End,
    /// Nothing now.
    Nothing,
}

impl Message {
    /// Returns what is to be done next for this message, and takes it out of the message.
    ///
    /// The order is what makes a crash harmless: a failure is on record before its recipient is
    /// marked, a success is told of before that, all marks are made before the channel is closed, the bounce is queued before its
    /// text goes, and only then the message goes.
    pub(super) fn next(&mut self, now: Unix) -> Next {
        let Some(work) = self.work.as_deref_mut() else {
            return Next::Nothing;
        };
        if work.busy || work.given_up || work.stalled.is_some() {
            return Next::Nothing;
        }
        if !work.failures.is_empty() {
            return Next::Do(What::Append(std::mem::take(&mut work.failures)));
        }
        if let Some(first) = work.notices.first() {
            let delay = first.told.is_delay();
            let (now, later) = std::mem::take(&mut work.notices)
                .into_iter()
                .partition(|notice| notice.told.is_delay() == delay);
            work.notices = later;
            return Next::Do(What::Notify(now));
        }
        for channel in Channel::ALL {
            let marks = work.marks.of_mut(channel);
            if !marks.is_empty() {
                return Next::Do(What::Mark(channel, std::mem::take(marks)));
            }
        }
        for channel in Channel::ALL {
            if let Some(later) = self.close(channel, now) {
                return later;
            }
        }
        self.end()
    }

    /// Closes an attempt all of whose deliveries have reported.
    fn close(&mut self, channel: Channel, now: Unix) -> Option<Next> {
        let track = self.tracks.of_mut(channel);
        let Track::Running(pass) = track else {
            return None;
        };
        if pass.running > 0 || !pass.batches.is_empty() {
            return None;
        }
        if !self.removed && (pass.cut || pass.deferred) {
            let at = if pass.cut { now } else { pass.next };
            let keep = !pass.cut;
            *track = Track::Waiting(at);
            return Some(Next::Later { channel, at, keep });
        }
        *track = Track::Done;
        None
    }

    fn end(&mut self) -> Next {
        let Some(work) = self.work.as_deref_mut() else {
            return Next::Nothing;
        };
        match (&self.tracks.local, &self.tracks.remote) {
            (Track::Done, Track::Done) => {}
            (Track::Running(_), _) | (_, Track::Running(_)) => return Next::Nothing,
            _ => {
                self.work = None;
                return Next::Nothing;
            }
        }
        match self.bounce {
            Bounce::Recorded if self.removed => {
                self.bounce = Bounce::Sent;
                Next::Do(What::ClearBounce)
            }
            Bounce::Recorded => {
                let to = verp::bounce_address(&work.sender);
                if to.as_bytes() == verp::DOUBLE_BOUNCE_SENDER {
                    self.bounce = Bounce::Sent;
                    return Next::Discard;
                }
                Next::Do(What::SendBounce)
            }
            Bounce::Sent => Next::Do(What::ClearBounce),
            Bounce::Nothing if !work.ended => {
                work.ended = true;
                Next::End
            }
            Bounce::Nothing => {
                work.finishing = true;
                Next::Do(What::Finish)
            }
        }
    }

    /// Returns the action that carries a step out.
    pub(super) fn action(&self, step: Step, id: MessageId, what: &What, lifetime: u64) -> Action {
        let sender = || {
            self.work
                .as_ref()
                .map_or_else(Address::null, |w| w.sender.clone())
        };
        match what {
            What::Preprocess => Action::Preprocess { step, id },
            What::Load(channel) => Action::Load {
                step,
                id,
                channel: *channel,
            },
            What::Append(failed) => Action::AppendBounce {
                step,
                id,
                failures: failed.iter().map(|f| f.failure.clone()).collect(),
            },
            What::Mark(channel, offsets) => Action::MarkDone {
                step,
                id,
                channel: *channel,
                offsets: offsets.clone(),
            },
            What::SendBounce => Action::SendBounce {
                step,
                id,
                birth: self.birth,
                sender: sender(),
            },
            What::Notify(notices) => Action::Notify {
                step,
                id,
                birth: self.birth,
                sender: sender(),
                until: self.birth + lifetime,
                notices: notices.clone(),
            },
            What::ClearBounce => Action::ClearBounce { step, id },
            What::Finish => Action::Finish { step, id },
            What::SetNext(channel, at) => Action::SetNextAttempt {
                step,
                id,
                channel: *channel,
                at: *at,
            },
        }
    }

    /// Forgets everybody who is not being delivered to at this moment.
    pub(super) fn remove(&mut self) {
        self.removed = true;
        for channel in Channel::ALL {
            match self.tracks.of_mut(channel) {
                Track::Running(pass) => {
                    pass.batches.clear();
                    pass.deferred = false;
                }
                other => *other = Track::Done,
            }
        }
        let work = self.work.get_or_insert_default();
        work.failures.clear();
        work.notices.clear();
        work.stalled = None;
    }

    /// Puts back what a step that failed had taken.
    pub(super) fn put_back(&mut self, what: What) {
        let Some(work) = self.work.as_deref_mut() else {
            return;
        };
        match what {
            What::Append(mut failures) => {
                failures.append(&mut work.failures);
                work.failures = failures;
            }
            What::Notify(mut notices) => {
                notices.append(&mut work.notices);
                work.notices = notices;
            }
            What::Mark(channel, mut offsets) => work.marks.of_mut(channel).append(&mut offsets),
            _ => {}
        }
    }

    /// Returns the running attempt of a channel.
    pub(super) fn pass(&mut self, channel: Channel) -> Option<&mut Pass> {
        match self.tracks.of_mut(channel) {
            Track::Running(pass) => Some(pass),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million of them wait in memory, see docs/performance.md.
    #[test]
    fn a_message_that_only_waits_is_small() {
        assert!(size_of::<Message>() <= 64, "{}", size_of::<Message>());
    }
}
