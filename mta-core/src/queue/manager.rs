//! The queue manager: which message is due, how many deliveries run, what is asked for next (qmail-send(8)).

use super::action::{Action, Delivery, DeliveryId, Pending, PerChannel, Step};
use super::message::{Loading, Message, Next, Track, What};
use super::notify;
use crate::envelope::Recipient;
use crate::ports::spool::MessageId;
use crate::report::Report;
use crate::rewrite::Channel;
use crate::{Unix, log, schedule, verp};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// What an administrator may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many deliveries may run at once (control/concurrencylocal, concurrencyremote); 0 holds.
    pub concurrency: PerChannel<usize>,
    /// Seconds after which a deferral becomes a failure (control/queuelifetime).
    pub lifetime: u64,
    /// How many recipients one remote delivery may have (RFC 5321 §4.5.3.1.8 promises 100).
    pub recipients: usize,
    /// How many todo entries may be preprocessed at once. Enough to keep up with intake: with few, a
    /// long burst fills todo/, which is one directory, and slows intake down itself.
    pub preprocessing: usize,
    /// Seconds after which a sender hears of a delay that asked for it (RFC 3461 §4.1).
    pub delay_asked: Option<u64>,
    /// Seconds after which a sender hears of a delay that said nothing about it.
    pub delay_unasked: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: PerChannel::new(10, 20),
            lifetime: schedule::LIFETIME,
            recipients: 100,
            preprocessing: 16,
            delay_asked: Some(notify::DELAY_ASKED),
            delay_unasked: None,
        }
    }
}

/// How many deliveries run and how many messages there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Deliveries that run.
    pub running: PerChannel<usize>,
    /// Messages that are preprocessed.
    pub messages: usize,
    /// Messages that are not preprocessed yet.
    pub todo: usize,
}

/// Decides what happens in a queue, without doing it.
///
/// Call [`poll`](Self::poll) again and again until it says `WaitUntil`, `Wait` or `Stopped`;
/// after every answer and every piece of news call it again.
///
/// ```
/// use mta_core::queue::*;
/// use mta_core::{Address, Unix, ports::spool::MessageId, report::Report};
///
/// let mut manager = Manager::new(Settings::default());
/// manager.found(MessageId(7));
/// let mut log = Vec::new();
/// loop {
///     match manager.poll(Unix(1_000)) {
///         Action::Log(line) => log.push(line),
///         Action::Preprocess { step, .. } => manager.preprocessed(step, Preprocessed {
///             birth: Unix(1_000), size: 300, sender: Address::null(), pid: 5, uid: 0,
///             present: PerChannel::new(true, false),
///         }),
///         Action::Load { step, .. } => manager.loaded(step, Loaded {
///             sender: Address::null(),
///             pending: vec![Pending::new(0, Address::new("joe@h").unwrap())],
///         }),
///         Action::Start(it) => manager.delivered(it.delivery, vec![Report::success("ok\n")]),
///         Action::MarkDone { step, .. } | Action::Finish { step, .. } => manager.done(step),
///         Action::Wait => break,
///         other => unreachable!("{other:?}"),
///     }
/// }
/// assert_eq!(log.first().unwrap(), "status: local 0/10 remote 0/20");
/// assert!(log.contains(&"starting delivery 1: msg 7 to local joe@h".to_owned()));
/// assert_eq!(log.last().unwrap(), "end msg 7");
/// ```
#[derive(Debug)]
pub struct Manager {
    pub(super) settings: Settings,
    /// The time of the last poll.
    pub(super) now: Unix,
    /// Decided, but not handed out yet.
    pub(super) out: VecDeque<Action>,
    /// A tree, since a hash table of many has up to half its room empty.
    pub(super) messages: BTreeMap<MessageId, Message>,
    pub(super) channels: PerChannel<Line>,
    pub(super) todo: VecDeque<MessageId>,
    pub(super) entries: HashMap<MessageId, Entry>,
    pub(super) preprocessing: usize,
    /// Whether what is due goes before what is new; it changes with every turn.
    pub(super) due_first: bool,
    /// Steps that failed, by the time of their next try.
    pub(super) timers: BTreeSet<(Unix, MessageId)>,
    /// Waiting channels whose time is not what the store keeps.
    pub(super) unkept: BTreeSet<(MessageId, Channel)>,
    pub(super) steps: HashMap<Step, Doing>,
    pub(super) running: HashMap<DeliveryId, Running>,
    pub(super) next_step: u64,
    pub(super) next_delivery: u64,
    pub(super) next_serial: u64,
    pub(super) stopping: bool,
    pub(super) stopped: bool,
}

/// One channel's waiting line and slots.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) due: BTreeSet<(Unix, MessageId)>,
    /// Messages with deliveries that have not started.
    pub(super) ready: VecDeque<MessageId>,
    pub(super) loading: usize,
    pub(super) running: usize,
}

/// How far a todo entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Queued,
    /// `again`: seen once more meanwhile, perhaps as another message with the same id.
    Running {
        again: bool,
    },
    Stalled,
}

/// A step that was asked for.
#[derive(Debug)]
pub(super) struct Doing {
    pub(super) id: MessageId,
    /// The message's serial; none where there is no message yet.
    pub(super) serial: Option<u64>,
    pub(super) what: What,
}

/// A delivery that was started.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: MessageId,
    pub(super) serial: u64,
    pub(super) channel: Channel,
    pub(super) dying: bool,
    /// The message is so old.
    pub(super) age: u64,
    pub(super) recipients: Vec<Pending>,
}

impl Manager {
    /// Makes a manager of an empty queue.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut manager = Self {
            settings,
            now: Unix(0),
            out: VecDeque::new(),
            messages: BTreeMap::new(),
            channels: PerChannel::default(),
            todo: VecDeque::new(),
            entries: HashMap::new(),
            preprocessing: 0,
            due_first: false,
            timers: BTreeSet::new(),
            unkept: BTreeSet::new(),
            steps: HashMap::new(),
            running: HashMap::new(),
            next_step: 1,
            next_delivery: 1,
            next_serial: 1,
            stopping: false,
            stopped: false,
        };
        manager.say_status();
        manager
    }

    /// Puts other settings in force; what runs beyond a smaller concurrency ends in its time.
    pub fn set(&mut self, settings: Settings) {
        if self.settings != settings {
            self.settings = settings;
            self.say_status();
        }
    }

    /// Returns one thing to do.
    pub fn poll(&mut self, now: Unix) -> Action {
        self.now = now;
        loop {
            if let Some(action) = self.out.pop_front() {
                return action;
            }
            if !self.turn() {
                return self.rest();
            }
        }
    }

    /// Returns how many deliveries run and how many messages there are.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            running: PerChannel::new(self.channels.local.running, self.channels.remote.running),
            messages: self.messages.len(),
            todo: self.entries.len(),
        }
    }

    /// Returns when a message's recipients on a channel are due; `None` where none of them waits.
    #[must_use]
    pub fn next_attempt(&self, id: MessageId, channel: Channel) -> Option<Unix> {
        match self.messages.get(&id)?.tracks.of(channel) {
            Track::Waiting(at) => Some(*at),
            Track::Loading(loading) => Some(loading.due),
            Track::Done | Track::Running(_) => None,
        }
    }

    /// Begins one thing that may begin now; false where nothing may.
    fn turn(&mut self) -> bool {
        if self.fire() {
            return true;
        }
        if self.stopping {
            return self.keep_one();
        }
        if Channel::ALL.into_iter().any(|c| self.start(c)) {
            return true;
        }
        // By turns: neither many new messages nor many old ones hold up the others.
        self.due_first = !self.due_first;
        let load = |this: &mut Self| Channel::ALL.into_iter().any(|c| this.load(c));
        match self.due_first {
            true => load(self) || self.preprocess(),
            false => self.preprocess() || load(self),
        }
    }

    /// Takes up one step whose second try is due.
    fn fire(&mut self) -> bool {
        let Some(&(at, id)) = self.timers.first() else {
            return false;
        };
        if at > self.now {
            return false;
        }
        self.timers.remove(&(at, id));
        if self.entries.get(&id) == Some(&Entry::Stalled) {
            self.entries.insert(id, Entry::Queued);
            self.todo.push_back(id);
        }
        let message = self.messages.get_mut(&id);
        if let Some(work) = message.and_then(|m| m.work.as_deref_mut()) {
            work.stalled = None;
            self.advance(id);
        }
        true
    }

    fn preprocess(&mut self) -> bool {
        if self.preprocessing >= self.settings.preprocessing.max(1) {
            return false;
        }
        let Some(id) = self.todo.pop_front() else {
            return false;
        };
        self.preprocessing += 1;
        self.entries.insert(id, Entry::Running { again: false });
        let step = self.new_step();
        let (serial, what) = (None, What::Preprocess);
        self.steps.insert(step, Doing { id, serial, what });
        self.out.push_back(Action::Preprocess { step, id });
        true
    }

    /// Reads the recipients of the message that is due first, if a delivery slot waits for them.
    fn load(&mut self, channel: Channel) -> bool {
        let limit = *self.settings.concurrency.of(channel);
        let line = self.channels.of_mut(channel);
        if !line.ready.is_empty() || line.running + line.loading >= limit {
            return false;
        }
        let Some(&(due, id)) = line.due.first() else {
            return false;
        };
        if due > self.now {
            return false;
        }
        line.due.remove(&(due, id));
        let Some(message) = self.messages.get_mut(&id) else {
            return true;
        };
        let started = self.now;
        *message.tracks.of_mut(channel) = Track::Loading(Box::new(Loading { due, started }));
        line.loading += 1;
        let serial = Some(message.serial);
        let step = self.new_step();
        let what = What::Load(channel);
        self.steps.insert(step, Doing { id, serial, what });
        self.out.push_back(Action::Load { step, id, channel });
        true
    }

    /// Starts one delivery that is ready, if a slot is free.
    fn start(&mut self, channel: Channel) -> bool {
        let line = self.channels.of_mut(channel);
        if line.running >= *self.settings.concurrency.of(channel) {
            return false;
        }
        let Some(&id) = line.ready.front() else {
            return false;
        };
        let Some(message) = self.messages.get_mut(&id) else {
            line.ready.pop_front();
            return true;
        };
        let serial = message.serial;
        let sender = message.work.as_ref().map(|w| w.sender.clone());
        let Some(pass) = message.pass(channel) else {
            line.ready.pop_front();
            return true;
        };
        let Some(recipients) = pass.batches.pop_front() else {
            line.ready.pop_front();
            return true;
        };
        pass.running += 1;
        let (dying, age) = (pass.dying, pass.age);
        line.running += 1;
        let running = Running {
            id,
            serial,
            channel,
            dying,
            age,
            recipients,
        };
        self.begin(running, sender.unwrap_or_default());
        true
    }

    fn begin(&mut self, running: Running, sender: crate::Address) {
        let (id, channel) = (running.id, running.channel);
        let delivery = DeliveryId(self.next_delivery);
        let count = u64::try_from(running.recipients.len()).unwrap_or(u64::MAX);
        self.next_delivery = self.next_delivery.saturating_add(count);
        let recipients: Vec<_> = running
            .recipients
            .iter()
            .map(|p| Recipient {
                address: p.address.clone(),
                params: p.params.clone(),
            })
            .collect();
        for (number, recipient) in (delivery.0..).zip(&recipients) {
            self.say(log::Send::Starting {
                delivery: number,
                id,
                channel,
                recipient: recipient.address.as_bytes(),
            });
        }
        self.running.insert(delivery, running);
        self.say_status();
        // An empty local part is qmail's trash address: qmail-lspawn reports success at once.
        let first = recipients.first();
        if channel == Channel::Local && first.is_some_and(|r| r.address.local().is_empty()) {
            return self.delivered(delivery, vec![Report::success("")]);
        }
        let sender = first.map_or_else(|| sender.clone(), |r| verp::expand(&sender, &r.address));
        self.out.push_back(Action::Start(Delivery {
            delivery,
            id,
            channel,
            sender,
            recipients,
        }));
    }

    /// Asks for everything that a message can do now.
    pub(super) fn advance(&mut self, id: MessageId) {
        loop {
            let now = self.now;
            let Some(message) = self.messages.get_mut(&id) else {
                return;
            };
            match message.next(now) {
                Next::Do(what) => return self.ask(id, what),
                Next::Later { channel, at, keep } => {
                    if !message.held {
                        self.channels.of_mut(channel).due.insert((at, id));
                    }
                    if keep {
                        return self.ask(id, What::SetNext(channel, at));
                    }
                    self.unkept.insert((id, channel));
                }
                Next::Discard => self.say(log::Send::TripleBounce { id }),
                Next::End => self.say(log::Send::EndMsg { id }),
                Next::Nothing => return,
            }
        }
    }

    /// Hands a message's step out.
    fn ask(&mut self, id: MessageId, what: What) {
        let step = self.new_step();
        let Some(message) = self.messages.get_mut(&id) else {
            return;
        };
        let action = message.action(step, id, &what, self.settings.lifetime);
        message.work.get_or_insert_default().busy = true;
        let serial = Some(message.serial);
        self.steps.insert(step, Doing { id, serial, what });
        self.out.push_back(action);
    }

    fn new_step(&mut self) -> Step {
        let step = Step(self.next_step);
        self.next_step = self.next_step.saturating_add(1);
        step
    }

    pub(super) fn say(&mut self, line: log::Send<'_>) {
        self.out.push_back(Action::Log(line.to_string()));
    }

    pub(super) fn say_status(&mut self) {
        let shown = |line: &Line, limit: &usize| {
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            (number(line.running), number(*limit))
        };
        let limits = &self.settings.concurrency;
        let line = log::Send::Status {
            local: shown(&self.channels.local, &limits.local),
            remote: shown(&self.channels.remote, &limits.remote),
            exit_as_soon_as_possible: self.stopping,
        };
        let line = line.to_string();
        self.out.push_back(Action::Log(line));
    }

    /// During the shutdown: asks to keep one time that the store does not know.
    fn keep_one(&mut self) -> bool {
        let Some((id, channel)) = self.unkept.pop_first() else {
            return false;
        };
        let message = self.messages.get(&id);
        if let Some(Track::Waiting(at)) = message.map(|m| m.tracks.of(channel)) {
            let what = What::SetNext(channel, *at);
            self.ask(id, what);
        }
        true
    }

    /// Says what ends the pause when nothing may begin now.
    fn rest(&mut self) -> Action {
        if self.stopped {
            return Action::Stopped;
        }
        if self.stopping && self.steps.is_empty() && self.running.is_empty() {
            self.stopped = true;
            return Action::Log(log::Send::Exiting.to_string());
        }
        let due = |channel| {
            let line = self.channels.of(channel);
            let full = line.running + line.loading >= *self.settings.concurrency.of(channel);
            let may = !full && !self.stopping && line.ready.is_empty();
            let first = line.due.first().filter(|_| may);
            first.map(|(at, _)| *at)
        };
        let timer = self.timers.first().map(|(at, _)| *at);
        let times = [due(Channel::Local), due(Channel::Remote), timer];
        match times.into_iter().flatten().min() {
            Some(at) => Action::WaitUntil(at),
            None => Action::Wait,
        }
    }
}
