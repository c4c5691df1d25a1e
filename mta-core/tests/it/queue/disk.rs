//! The disk of the simulated world: what the queue holds, and what an action does to it.

use super::stage::params;
use super::world::Dice;
use mta_core::ports::spool::MessageId;
use mta_core::queue::{Action, Loaded, Manager, Pending, PerChannel, Preprocessed, Step, Trouble};
use mta_core::rewrite::Channel;
use mta_core::{Address, Unix, verp};
use std::collections::{BTreeMap, BTreeSet};

/// A recipient's address; each is used once.
pub(super) type Token = Vec<u8>;

/// A todo entry.
#[derive(Clone)]
pub(super) struct Queued {
    sender: Address,
    recipients: Vec<Address>,
}

/// A preprocessed message.
pub(super) struct Stored {
    pub(super) birth: Unix,
    pub(super) sender: Address,
    /// Local and remote recipients, and whether they are done.
    lists: [Vec<(Address, bool)>; 2],
    times: [Unix; 2],
    pub(super) failures: Vec<Token>,
    warned: BTreeSet<(Channel, u64)>,
}

impl Stored {
    pub(super) fn next(&self, channel: usize) -> Option<Unix> {
        let open = self.lists[channel].iter().any(|(_, done)| !done);
        open.then_some(self.times[channel])
    }
}

/// Everything durable, and the ledger of what became of whom.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) todo: BTreeMap<u64, Queued>,
    pub(super) messages: BTreeMap<u64, Stored>,
    accepted: BTreeSet<Token>,
    pub(super) delivered: BTreeSet<Token>,
    /// Told about in a bounce, in a discarded triple bounce, or put aside with a broken message.
    told: BTreeSet<Token>,
    bounces: u64,
    /// Those whose success was told of.
    noticed: BTreeSet<Token>,
}

/// What the store says to the manager, later.
pub(super) enum Answer {
    Done(Step),
    Sent(Step),
    Failed(Step, Trouble),
    Preprocessed(Step, Preprocessed),
    Loaded(Step, Loaded),
}

impl Answer {
    pub(super) fn give(self, manager: &mut Manager) {
        match self {
            Self::Done(step) => manager.done(step),
            Self::Sent(step) => manager.bounce_sent(step, 1),
            Self::Failed(step, trouble) => manager.failed(step, trouble),
            Self::Preprocessed(step, found) => manager.preprocessed(step, found),
            Self::Loaded(step, loaded) => manager.loaded(step, loaded),
        }
    }
}

fn index(channel: Channel) -> usize {
    channel.index()
}

impl Disk {
    /// Takes a message in; ids are reused at once, as inodes are.
    fn put(&mut self, queued: Queued) {
        let free = |id: &u64| !self.todo.contains_key(id) && !self.messages.contains_key(id);
        let id = (1..).find(free).unwrap();
        let tokens = queued.recipients.iter().map(|r| r.as_bytes().to_vec());
        self.accepted.extend(tokens);
        self.todo.insert(id, queued);
    }

    pub(super) fn accept(&mut self, dice: &mut Dice, number: usize) {
        let sender = ["s@x", "", "#@[]", "l-@x-@[]"][dice.below(4)];
        let recipient =
            |n: usize, host: &str| Address::new(format!("r{number}.{n}{host}")).unwrap();
        let hosts = [
            "@here",
            "@one",
            "@two",
            "+all@here",
            "+all@one",
            "+never@one",
        ];
        let recipients = (0..dice.below(6))
            .map(|n| recipient(n, hosts[dice.below(6)]))
            .collect();
        let sender = Address::new(sender).unwrap();
        self.put(Queued { sender, recipients });
    }

    /// Who is neither delivered, nor told about, nor in the queue.
    pub(super) fn lost(&self) -> Vec<String> {
        let todo = self.todo.values().flat_map(|q| q.recipients.iter());
        let stored = self
            .messages
            .values()
            .flat_map(|m| m.lists.iter().flatten());
        let open = stored.filter(|(_, done)| !done).map(|(address, _)| address);
        let mut safe: BTreeSet<&[u8]> = todo.chain(open).map(Address::as_bytes).collect();
        let texts = self.messages.values().flat_map(|m| m.failures.iter());
        safe.extend(texts.map(Vec::as_slice));
        safe.extend(self.delivered.iter().map(Vec::as_slice));
        safe.extend(self.told.iter().map(Vec::as_slice));
        let lost = self
            .accepted
            .iter()
            .filter(|t| !safe.contains(t.as_slice()));
        lost.map(|t| t.escape_ascii().to_string()).collect()
    }

    /// Carries an action out, or fails to.
    pub(super) fn carry_out(
        &mut self,
        action: Action,
        now: Unix,
        fails: bool,
        breaks: bool,
    ) -> Answer {
        let (step, id) = names(&action);
        if fails {
            return Answer::Failed(step, Trouble::Temporary("EIO".into()));
        }
        if let Action::Preprocess { .. } = action {
            return self.preprocess(step, id, now);
        }
        if breaks && let Some(message) = self.messages.remove(&id.0) {
            self.set_aside(message);
            return Answer::Failed(step, Trouble::Broken("garbage".into()));
        }
        let Some(message) = self.messages.get_mut(&id.0) else {
            return Answer::Failed(step, Trouble::Gone);
        };
        match action {
            Action::Load { channel, .. } => return Answer::Loaded(step, load(message, channel)),
            Action::MarkDone {
                channel, offsets, ..
            } => {
                mark(message, channel, &offsets, &self.noticed, &mut self.told);
            }
            Action::Notify { notices, .. } => {
                assert!(is_tellable(&message.sender), "there is nobody to be told");
                for one in notices {
                    if one.told.is_delay() {
                        let new = message.warned.insert((one.channel, one.offset));
                        assert!(new, "{:?} is told of twice", one.recipient);
                    } else {
                        self.noticed.insert(one.recipient.as_bytes().to_vec());
                    }
                }
            }
            Action::AppendBounce { failures, .. } => {
                let tokens = failures.iter().map(|f| f.recipient.as_bytes().to_vec());
                message.failures.extend(tokens);
            }
            Action::SendBounce { sender, .. } => return self.bounce(step, id, &sender),
            Action::ClearBounce { .. } => {
                let texts = std::mem::take(&mut message.failures);
                // Of a triple bounce nobody is told, and that is all.
                let triple = message.sender.as_bytes() == verp::DOUBLE_BOUNCE_SENDER;
                if triple {
                    self.told.extend(texts);
                }
            }
            Action::Finish { .. } => {
                self.messages.remove(&id.0);
            }
            Action::SetNextAttempt { channel, at, .. } => message.times[index(channel)] = at,
            other => panic!("{other:?} is not for the disk"),
        }
        Answer::Done(step)
    }

    fn preprocess(&mut self, step: Step, id: MessageId, now: Unix) -> Answer {
        let Some(queued) = self.todo.remove(&id.0) else {
            return Answer::Failed(step, Trouble::Gone);
        };
        assert!(!self.messages.contains_key(&id.0), "preprocessed twice");
        let all = queued.recipients.into_iter().map(|r| (r, false));
        let (local, remote): (Vec<_>, Vec<_>) = all.partition(|(r, _)| r.domain() == Some(b"here"));
        let present = PerChannel::new(!local.is_empty(), !remote.is_empty());
        let sender = queued.sender.clone();
        self.messages.insert(
            id.0,
            Stored {
                birth: now,
                sender: queued.sender,
                lists: [local, remote],
                times: [now; 2],
                failures: Vec::new(),
                warned: BTreeSet::new(),
            },
        );
        let found = Preprocessed {
            birth: now,
            size: 1,
            sender,
            pid: 1,
            uid: 1,
            present,
        };
        Answer::Preprocessed(step, found)
    }

    /// Queues the bounce as a message of its own and enters it into the ledger.
    fn bounce(&mut self, step: Step, id: MessageId, sender: &Address) -> Answer {
        let message = self.messages.get(&id.0).unwrap();
        assert_eq!(&message.sender, sender, "the bounce goes to the sender");
        assert!(!message.failures.is_empty(), "a bounce without a reason");
        self.told.extend(message.failures.iter().cloned());
        self.bounces += 1;
        let sender = if verp::bounce_address(sender).is_null() {
            "#@[]"
        } else {
            ""
        };
        let to = format!("bounce.{}@one", self.bounces);
        self.put(Queued {
            sender: Address::new(sender).unwrap(),
            recipients: vec![Address::new(to).unwrap()],
        });
        Answer::Sent(step)
    }

    /// Enters everybody in a message into the ledger.
    pub(super) fn write_off(&mut self, id: u64) {
        let message = self.messages.get(&id).unwrap();
        let all = message
            .lists
            .iter()
            .flatten()
            .map(|(r, _)| r.as_bytes().to_vec());
        self.told.extend(all);
        self.told.extend(message.failures.iter().cloned());
    }

    fn set_aside(&mut self, message: Stored) {
        let all = message
            .lists
            .into_iter()
            .flatten()
            .map(|(r, _)| r.as_bytes().to_vec());
        self.told.extend(all.chain(message.failures));
    }
}

/// Marks recipients as done; whoever was to be told must have been.
fn mark(
    message: &mut Stored,
    channel: Channel,
    offsets: &[u64],
    noticed: &BTreeSet<Token>,
    silenced: &mut BTreeSet<Token>,
) {
    let tellable = is_tellable(&message.sender);
    for &at in offsets {
        let one = &mut message.lists[index(channel)][usize::try_from(at).unwrap()];
        one.1 = true;
        let token = one.0.as_bytes().to_vec();
        let notify = params(&one.0).notify.filter(|_| tellable);
        let reported = message.failures.contains(&token);
        if notify.is_some_and(|n| n.success) {
            let told = reported || noticed.contains(&token);
            assert!(told, "{:?} is marked and nobody was told", one.0);
        }
        if notify.is_some_and(|n| !n.failure) {
            assert!(!reported, "{:?} is told of against its will", one.0);
            silenced.insert(token);
        }
    }
}

fn is_tellable(sender: &Address) -> bool {
    let sender = verp::bounce_address(sender);
    !sender.is_null() && sender.as_bytes() != verp::DOUBLE_BOUNCE_SENDER
}

fn load(message: &Stored, channel: Channel) -> Loaded {
    let list = (0..).zip(&message.lists[index(channel)]);
    let open = list.filter(|(_, (_, done))| !done);
    let pending = open.map(|(offset, (address, _))| Pending {
        params: params(address),
        warned: message.warned.contains(&(channel, offset)),
        ..Pending::new(offset, address.clone())
    });
    Loaded {
        sender: message.sender.clone(),
        pending: pending.collect(),
    }
}

fn names(action: &Action) -> (Step, MessageId) {
    match action {
        Action::Preprocess { step, id }
        | Action::Load { step, id, .. }
        | Action::MarkDone { step, id, .. }
        | Action::AppendBounce { step, id, .. }
        | Action::Notify { step, id, .. }
        | Action::SendBounce { step, id, .. }
        | Action::ClearBounce { step, id }
        | Action::Finish { step, id }
        | Action::SetNextAttempt { step, id, .. } => (*step, *id),
        other => panic!("{other:?} is not for the disk"),
    }
}
