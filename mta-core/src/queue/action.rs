//! What the queue manager asks for, and what it is told in return (qmail-send(8)).

use crate::bounce::{Failure, Notice};
use crate::envelope::{RcptParams, Recipient};
use crate::ports::spool::MessageId;
use crate::rewrite::Channel;
use crate::{Address, Unix};

/// Names one storage step that was asked for, so that an answer that comes late cannot be taken
/// for the answer to another one. A step is answered once; a second answer is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(pub(super) u64);

/// Names one delivery: the number of its first recipient in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub(super) u64);

impl std::fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One thing to do. Everything may be done at once and side by side: whatever must come after
/// something else is asked for only when that was answered.
#[must_use]
#[expect(
    clippy::exhaustive_enums,
    reason = "who drains a queue must carry out every kind of action"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Route a todo entry's recipients. Answer: [`preprocessed`](super::Manager::preprocessed).
    Preprocess {
        /// To be given back with the answer.
        step: Step,
        /// The message.
        id: MessageId,
    },
    /// Read the sender and the recipients that are not done. Answer: [`loaded`](super::Manager::loaded).
    Load {
        /// To be given back with the answer.
        step: Step,
        /// The message.
        id: MessageId,
        /// Which recipients.
        channel: Channel,
    },
    /// Deliver. Answer: [`delivered`](super::Manager::delivered).
    Start(Delivery),
    /// Mark recipients as done. Answer: [`done`](super::Manager::done).
    MarkDone {
        /// To be given back with the answer.
        step: Step,
        /// The message.
        id: MessageId,
        /// Where the recipients stand.
        channel: Channel,
        /// The recipients, as [`Pending::offset`] named them.
        offsets: Vec<u64>,
    },
    /// Add records to the bounce text: [`bounce::record`](crate::bounce::record) of each failure,
    /// with the recipient as its sender knows it
    /// ([`Routing::strip_prepend`](crate::rewrite::Routing::strip_prepend)). Answer: [`done`](super::Manager::done).
    AppendBounce {
        /// To be given back with the answer.
        step: Step,
        /// The message.
        id: MessageId,
        /// Who failed and why, in the order of the reports.
        failures: Vec<Failure>,
    },
    /// Tell the sender, by a message that [`bounce::compose_notice`](crate::bounce::compose_notice)
    /// builds, what it asked to hear. All notices are of delays or none is; recipients of delays
    /// are first kept as warned, durably, so that nobody hears of a delay twice. Answer, once the
    /// message is durable: [`done`](super::Manager::done).
    Notify {
        /// To be given back with the answer.
        step: Step,
        /// The message.
        id: MessageId,
        /// When the message was queued.
        birth: Unix,
        /// Who sent the message, as it stands in the queue.
        sender: Address,
        /// Until when delayed recipients are tried.
        until: Unix,
        /// What is to be told.
        notices: Vec<Notice>,
    },
    /// Queue the bounce that [`bounce::Bounce`](crate::bounce::Bounce) builds from the bounce
    /// text. Answer, once it is durable: [`bounce_sent`](super::Manager::bounce_sent).
    SendBounce {
        /// To be given back with the answer.
        step: Step,
        /// The message.
        id: MessageId,
        /// When the message was queued.
        birth: Unix,
        /// Who sent the message, as it stands in the queue.
        sender: Address,
    },
    /// Remove the bounce text. Answer: [`done`](super::Manager::done).
    ClearBounce {
        /// To be given back with the answer.
        step: Step,
        /// The message.
        id: MessageId,
    },
    /// Remove the message. Answer: [`done`](super::Manager::done).
    Finish {
        /// To be given back with the answer.
        step: Step,
        /// The message.
        id: MessageId,
    },
    /// Keep the time of the next attempt for after a restart. Answer: [`done`](super::Manager::done).
    SetNextAttempt {
        /// To be given back with the answer.
        step: Step,
        /// The message.
        id: MessageId,
        /// For which recipients.
        channel: Channel,
        /// The time.
        at: Unix,
    },
    /// Write one line to the log; it has no line end.
    Log(String),
    /// Nothing to do before this time, unless an answer or news come.
    WaitUntil(Unix),
    /// Nothing to do before an answer or news come.
    Wait,
    /// The manager has shut down: nothing is outstanding, and nothing will be asked for.
    Stopped,
}

/// One delivery: on the remote channel one SMTP transaction, on the local one a single recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// To be given back with the reports.
    pub delivery: DeliveryId,
    /// The message.
    pub id: MessageId,
    /// The way it leaves.
    pub channel: Channel,
    /// The reverse-path, VERP expanded.
    pub sender: Address,
    /// The forward-paths, at least one; on the remote channel all of one host.
    pub recipients: Vec<Recipient>,
}

impl Delivery {
    /// Returns the domain that all recipients share.
    #[must_use]
    pub fn host(&self) -> Option<&[u8]> {
        self.recipients.first()?.address.domain()
    }
}

/// A recipient that is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Names the recipient within its channel, for [`Action::MarkDone`].
    pub offset: u64,
    /// The address as it was routed.
    pub address: Address,
    /// What RCPT said of it.
    pub params: RcptParams,
    /// Its sender knows already that it is delayed.
    pub warned: bool,
}

impl Pending {
    /// Makes a recipient of which nothing more is known.
    #[must_use]
    pub fn new(offset: u64, address: Address) -> Self {
        Self {
            offset,
            address,
            params: RcptParams::default(),
            warned: false,
        }
    }
}

/// What preprocessing a todo entry found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preprocessed {
    /// When the message was queued.
    pub birth: Unix,
    /// The message's bytes, its first Received line included.
    pub size: u64,
    /// The reverse-path.
    pub sender: Address,
    /// The process that queued it.
    pub pid: u64,
    /// The user who queued it.
    pub uid: u64,
    /// Whether it has recipients on a channel.
    pub present: PerChannel<bool>,
}

/// A preprocessed message that was found at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The message.
    pub id: MessageId,
    /// When it was queued.
    pub birth: Unix,
    /// The reverse-path.
    pub sender: Address,
    /// When the recipients of a channel are due; `None` where it has none left.
    pub next: PerChannel<Option<Unix>>,
    /// Whether there is bounce text.
    pub bounced: bool,
}

/// What [`Action::Load`] read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The reverse-path.
    pub sender: Address,
    /// The recipients that are not done, in file order.
    pub pending: Vec<Pending>,
}

/// Why a storage step did not come about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// Trying later may help; the text is for the log.
    Temporary(String),
    /// The message's files are damaged and the store has put them into quarantine.
    Broken(String),
    /// The message is not in the queue any more.
    Gone,
}

/// One value for each channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerChannel<T> {
    /// The local channel's.
    pub local: T,
    /// The remote channel's.
    pub remote: T,
}

impl<T> PerChannel<T> {
    /// Makes the pair.
    pub const fn new(local: T, remote: T) -> Self {
        Self { local, remote }
    }

    /// Returns a channel's value.
    pub const fn of(&self, channel: Channel) -> &T {
        match channel {
            Channel::Local => &self.local,
            Channel::Remote => &self.remote,
        }
    }

    /// Returns a channel's value for changing it.
    pub const fn of_mut(&mut self, channel: Channel) -> &mut T {
        match channel {
            Channel::Local => &mut self.local,
            Channel::Remote => &mut self.remote,
        }
    }
}
