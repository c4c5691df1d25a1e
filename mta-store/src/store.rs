//! The two spools behind one set of calls: qmail's layout and the log (docs/queue.md, docs/spool-log.md).
//!
//! Whoever delivers uses a [`Store`] and does not know which one it is. What differs: in qmail's
//! layout a message's recipients are routed when it is preprocessed, in the log when it is taken in.

use crate::files::Files;
use crate::log::{self, Log};
use crate::queue::{
    self, Info, Message, MessageId, Origin, Params, Pending, Preprocessed, Quarantined, Queue,
    QueueError,
};
use mta_core::rewrite::{Channel, Routed};
use mta_core::{Address, Envelope, Unix};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Says how a recipient leaves the spool.
pub type Route = Arc<dyn Fn(&Address) -> Routed + Send + Sync>;

/// A spool of either kind; clones share it.
///
/// ```
/// # #[cfg(feature = "sim")] {
/// use mta_core::rewrite::{Channel, Routed};
/// use mta_core::{Address, Envelope, Unix};
/// use mta_store::files::SimFiles;
/// use mta_store::log::Log;
/// use mta_store::queue::Origin;
/// use mta_store::store::Store;
/// use std::sync::Arc;
///
/// let (log, _) = Log::open(Arc::new(SimFiles::new()), "/log")?;
/// let route = |to: &Address| Routed { channel: Channel::Local, address: to.clone() };
/// let store = Store::log(log, Arc::new(route));
/// let mut draft = store.begin(Origin { pid: 1, uid: 0 }, Unix(1_000_000_000))?;
/// draft.write(b"Subject: hello\n\nHello.\n")?;
/// let envelope = Envelope {
///     recipients: vec![Address::new(*b"joe@example.org").unwrap().into()],
///     ..Envelope::default()
/// };
/// let id = draft.commit(&envelope)?;
/// let found = store.preprocess(id, Unix(1_000_000_001), &mut |_| {})?;
/// assert_eq!(found.local, 1);
/// # }
/// # Ok::<(), mta_store::queue::QueueError>(())
/// ```
pub struct Store<F: Files> {
    kind: Kind<F>,
    route: Route,
}

#[derive(Debug)]
enum Kind<F: Files> {
    Queue(Queue<F>),
    Log(Log<F>),
}

impl<F: Files> Clone for Store<F> {
    fn clone(&self) -> Self {
        let kind = match &self.kind {
            Kind::Queue(queue) => Kind::Queue(queue.clone()),
            Kind::Log(log) => Kind::Log(log.clone()),
        };
        let route = Arc::clone(&self.route);
        Self { kind, route }
    }
}

impl<F: Files> fmt::Debug for Store<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

/// A message on its way into a spool. Dropping it leaves nothing behind.
pub struct Draft<F: Files>(Writing<F>);

enum Writing<F: Files> {
    Queue(queue::Draft<F>),
    Log(log::Draft<F>, Unix, Route),
}

impl<F: Files> fmt::Debug for Draft<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({})", self.id())
    }
}

impl<F: Files> Store<F> {
    /// Uses a queue in qmail's layout.
    pub fn queue(queue: Queue<F>, route: Route) -> Self {
        let kind = Kind::Queue(queue);
        Self { kind, route }
    }

    /// Uses a log.
    pub fn log(log: Log<F>, route: Route) -> Self {
        let kind = Kind::Log(log);
        Self { kind, route }
    }

    /// Returns the log, where it is one.
    #[must_use]
    pub const fn as_log(&self) -> Option<&Log<F>> {
        match &self.kind {
            Kind::Log(log) => Some(log),
            Kind::Queue(_) => None,
        }
    }

    /// Begins a message.
    ///
    /// # Errors
    /// Fails where no file can be made; nothing is left behind.
    pub fn begin(&self, origin: Origin, now: Unix) -> Result<Draft<F>, QueueError> {
        Ok(Draft(match &self.kind {
            Kind::Queue(queue) => Writing::Queue(queue.begin(origin, now)?),
            Kind::Log(log) => Writing::Log(log.begin(origin), now, Arc::clone(&self.route)),
        }))
    }

    /// Says of a new message what the manager is to know, and shows its forward-paths as they were
    /// given; its recipients are on their channels from then on.
    ///
    /// # Errors
    /// [`QueueError::Gone`] where there is none, [`QueueError::Broken`] where it is damaged.
    pub fn preprocess(
        &self,
        id: MessageId,
        now: Unix,
        show: &mut dyn FnMut(&Address),
    ) -> Result<Preprocessed, QueueError> {
        match &self.kind {
            Kind::Queue(queue) => queue.preprocess(id, now, &mut |to| {
                show(to);
                (self.route)(to)
            }),
            Kind::Log(log) => log.preprocessed(id, show),
        }
    }

    /// Lists the recipients on a channel that are not done, with their parameters.
    ///
    /// # Errors
    /// As [`Store::preprocess`].
    pub fn pending(&self, id: MessageId, channel: Channel) -> Result<Vec<Pending>, QueueError> {
        match &self.kind {
            Kind::Queue(queue) => queue.pending(id, channel),
            Kind::Log(log) => log.pending(id, channel),
        }
    }

    /// Marks recipients as done, durably.
    ///
    /// # Errors
    /// After a failure a recipient may be tried again after a restart, and so get the message twice.
    pub fn mark_done(
        &self,
        id: MessageId,
        channel: Channel,
        offsets: &[u64],
    ) -> Result<(), QueueError> {
        match &self.kind {
            Kind::Queue(queue) => queue.mark_done(id, channel, offsets),
            Kind::Log(log) => log.mark_done(id, offsets),
        }
    }

    /// Keeps when a channel is to be tried next; not durably.
    ///
    /// # Errors
    /// Fails where it cannot be written.
    pub fn set_next_attempt(
        &self,
        id: MessageId,
        channel: Channel,
        at: Unix,
    ) -> Result<(), QueueError> {
        match &self.kind {
            Kind::Queue(queue) => queue.set_next_attempt(id, channel, at),
            Kind::Log(log) => log.set_next_attempt(id, channel, at),
        }
    }

    /// Changes what is kept beside a message, durably.
    ///
    /// # Errors
    /// [`QueueError::Gone`] where there is no such message.
    pub fn change_params(
        &self,
        id: MessageId,
        change: impl FnOnce(&mut Params),
    ) -> Result<(), QueueError> {
        match &self.kind {
            Kind::Queue(queue) => queue.change_params(id, change),
            Kind::Log(log) => log.change_params(id, change),
        }
    }

    /// Lists the messages whose recipients are on their channels, in ascending order.
    ///
    /// # Errors
    /// Fails where a directory cannot be read.
    pub fn ids(&self) -> Result<Vec<MessageId>, QueueError> {
        match &self.kind {
            Kind::Queue(queue) => queue.preprocessed(),
            Kind::Log(log) => Ok(log.ids()),
        }
    }

    /// Tells whether there is such a message.
    ///
    /// # Errors
    /// Fails where the system does not let us look.
    pub fn contains(&self, id: MessageId) -> Result<bool, QueueError> {
        match self.open_message(id) {
            Ok(_) => Ok(true),
            Err(error) if error.is_broken() => Ok(true),
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns when the recipients of a channel are tried next, where that is known.
    ///
    /// # Errors
    /// Fails where the system does not let us look.
    pub fn next_attempt(
        &self,
        id: MessageId,
        channel: Channel,
    ) -> Result<Option<Unix>, QueueError> {
        match &self.kind {
            Kind::Queue(queue) => queue.next_attempt(id, channel),
            Kind::Log(log) => Ok(log.next_attempt(id, channel)),
        }
    }

    /// Returns the file or directory that a message lies in, for messages about failures.
    #[must_use]
    pub fn place(&self, id: MessageId) -> PathBuf {
        match &self.kind {
            Kind::Queue(queue) => queue.layout().mess(id),
            Kind::Log(log) => log.dir().join(id.to_string()),
        }
    }
}

/// Passes a call on to whichever spool it is.
macro_rules! either {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        impl<F: Files> Store<F> {
            $($(#[$doc])*
            pub fn $name(&self, id: MessageId $(, $arg: $type)*) -> Result<$result, QueueError> {
                match &self.kind {
                    Kind::Queue(queue) => queue.$name(id $(, $arg)*),
                    Kind::Log(log) => log.$name(id $(, $arg)*),
                }
            })*
        }
    };
}

either! {
    /// Returns sender and birth.
    ///
    /// # Errors
    /// As [`Store::preprocess`].
    info() -> Info;
    /// Returns what SMTP extensions added to the envelope, and what was decided since.
    ///
    /// # Errors
    /// As [`Store::preprocess`].
    params() -> Params;
    /// Returns a message's length in bytes.
    ///
    /// # Errors
    /// As [`Store::preprocess`].
    size() -> u64;
    /// Opens a message's bytes.
    ///
    /// # Errors
    /// As [`Store::preprocess`].
    open_message() -> Message<F>;
    /// Adds a paragraph to the failure text, durably. Mark the recipient as done only afterwards.
    ///
    /// # Errors
    /// After a failure the text is as it was, as far as the disk allows.
    append_bounce(record: &[u8]) -> ();
    /// Returns the failure text, `None` where nobody failed.
    ///
    /// # Errors
    /// Fails where it cannot be read.
    bounce() -> Option<Vec<u8>>;
    /// Forgets the failure text, durably: the bounce is queued.
    ///
    /// # Errors
    /// After a failure the bounce may be sent again.
    clear_bounce() -> ();
    /// Ends a message whose recipients are all done and whose bounce was sent.
    ///
    /// # Errors
    /// [`QueueError::Unfinished`] where something is left: nothing changes.
    finish() -> ();
    /// Takes a message out, whoever still waits for it.
    ///
    /// # Errors
    /// After a failure it can be called again.
    remove() -> ();
    /// Puts a damaged message out of everybody's way, with nothing lost.
    ///
    /// # Errors
    /// After a failure it can be called again.
    quarantine(reason: &str) -> Quarantined;
}

impl<F: Files> Draft<F> {
    /// The number that the message has, and will have once it is committed.
    #[must_use]
    pub const fn id(&self) -> MessageId {
        match &self.0 {
            Writing::Queue(draft) => draft.id(),
            Writing::Log(draft, ..) => draft.id(),
        }
    }

    /// Adds bytes, with LF line ends.
    ///
    /// # Errors
    /// After a failure the draft can only be dropped: committing fails as well.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), QueueError> {
        match &mut self.0 {
            Writing::Queue(draft) => draft.write(bytes),
            Writing::Log(draft, ..) => draft.write(bytes),
        }
    }

    /// Adds bytes that were collected; where they are the first, they need not be copied.
    ///
    /// # Errors
    /// As [`Draft::write`].
    pub fn write_owned(&mut self, bytes: Vec<u8>) -> Result<(), QueueError> {
        match &mut self.0 {
            Writing::Queue(draft) => draft.write(&bytes),
            Writing::Log(draft, ..) => draft.write_owned(bytes),
        }
    }

    /// Queues the message: returns once it would survive a power failure.
    ///
    /// # Errors
    /// The message is not queued, and nothing of it is left.
    pub fn commit(self, envelope: &Envelope) -> Result<MessageId, QueueError> {
        match self.0 {
            Writing::Queue(draft) => draft.commit(envelope),
            Writing::Log(draft, now, route) => draft.commit(envelope, now, &mut |to| route(to)),
        }
    }

    /// Queues the message and calls `tell` once that is durable, or has failed. In a log that
    /// happens on the thread that is in [`Log::write_groups`], and this call does not block; in
    /// qmail's layout it is this one.
    pub fn submit(
        self,
        envelope: &Envelope,
        tell: impl FnOnce(Result<MessageId, QueueError>) + Send + 'static,
    ) {
        match self.0 {
            Writing::Queue(draft) => tell(draft.commit(envelope)),
            Writing::Log(draft, now, route) => {
                draft.submit(envelope, now, &mut |to| route(to), tell);
            }
        }
    }
}
