//! A stage for the queue manager: a store that always works, and outcomes by the recipient's name.

use mta_core::bounce::{Notice, record};
use mta_core::envelope::{Notify, RcptParams, Recipient};
use mta_core::ports::spool::MessageId;
use mta_core::queue::{
    Action, Delivery, Loaded, Manager, Pending, PerChannel, Preprocessed, Settings,
};
use mta_core::report::{Handover, Report};
use mta_core::rewrite::Channel;
use mta_core::{Address, Unix};

pub(super) fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

/// One message on the stage; recipients at `here` are local.
pub(super) struct Stage {
    pub(super) manager: Manager,
    pub(super) now: Unix,
    pub(super) sender: Address,
    pub(super) local: Vec<(Address, bool)>,
    pub(super) remote: Vec<(Address, bool)>,
    pub(super) bounce: Vec<u8>,
    warned: Vec<(Channel, u64)>,
    /// The log and, in brackets, the other actions.
    pub(super) script: Vec<String>,
}

pub(super) const ID: MessageId = MessageId(7);

impl Stage {
    pub(super) fn new(sender: &str, recipients: &[&str]) -> Self {
        Self::with(Settings::default(), sender, recipients)
    }

    pub(super) fn with(settings: Settings, sender: &str, recipients: &[&str]) -> Self {
        let all = recipients.iter().map(|r| (address(r), false));
        let (local, remote) = all.partition(|(r, _)| r.domain() == Some(b"here"));
        Self {
            manager: Manager::new(settings),
            now: Unix(1_000_000),
            sender: address(sender),
            local,
            remote,
            bounce: Vec::new(),
            warned: Vec::new(),
            script: Vec::new(),
        }
    }

    fn list(&mut self, channel: Channel) -> &mut Vec<(Address, bool)> {
        match channel {
            Channel::Local => &mut self.local,
            Channel::Remote => &mut self.remote,
        }
    }

    /// Plays until the manager has nothing to do now; returns what it said then.
    pub(super) fn play(&mut self) -> Action {
        loop {
            let action = self.manager.poll(self.now);
            if matches!(
                action,
                Action::WaitUntil(_) | Action::Wait | Action::Stopped
            ) {
                return action;
            }
            self.act(action);
        }
    }

    pub(super) fn loaded(&mut self, channel: Channel) -> Loaded {
        let (sender, warned) = (self.sender.clone(), self.warned.clone());
        let list = (0..).zip(self.list(channel).iter());
        let pending = list.filter(|(_, (_, done))| !done);
        let pending = pending.map(|(offset, (address, _))| Pending {
            params: params(address),
            warned: warned.contains(&(channel, offset)),
            ..Pending::new(offset, address.clone())
        });
        Loaded {
            sender,
            pending: pending.collect(),
        }
    }

    fn note(&mut self, what: &str) {
        self.script.push(format!("[{what}]"));
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Log(line) => self.script.push(line),
            Action::Preprocess { step, .. } => {
                let present = PerChannel::new(!self.local.is_empty(), !self.remote.is_empty());
                let found = Preprocessed {
                    birth: self.now,
                    size: 300,
                    sender: self.sender.clone(),
                    pid: 5,
                    uid: 1000,
                    present,
                };
                self.manager.preprocessed(step, found);
            }
            Action::Load { step, channel, .. } => {
                let loaded = self.loaded(channel);
                self.manager.loaded(step, loaded);
            }
            Action::Start(it) => self.deliver(&it),
            Action::MarkDone {
                step,
                channel,
                offsets,
                ..
            } => {
                self.note(&format!("mark {offsets:?}"));
                for at in offsets {
                    self.list(channel)[usize::try_from(at).unwrap()].1 = true;
                }
                self.manager.done(step);
            }
            Action::AppendBounce { step, failures, .. } => {
                self.note("append");
                for one in failures {
                    self.bounce.extend(record(&one.recipient, &one.text));
                }
                self.manager.done(step);
            }
            Action::Notify { step, notices, .. } => {
                self.notify(&notices);
                self.manager.done(step);
            }
            Action::SendBounce { step, .. } => {
                self.note("bounce");
                self.manager.bounce_sent(step, 9);
            }
            Action::ClearBounce { step, .. } => {
                self.note("clear");
                self.manager.done(step);
            }
            Action::Finish { step, .. } => {
                self.note("finish");
                self.manager.done(step);
            }
            Action::SetNextAttempt { step, at, .. } => {
                self.note(&format!("next +{}", at - self.now));
                self.manager.done(step);
            }
            Action::WaitUntil(_) | Action::Wait | Action::Stopped => {}
        }
    }

    fn notify(&mut self, notices: &[Notice]) {
        let told = notices.iter().map(|one| {
            if one.told.is_delay() {
                self.warned.push((one.channel, one.offset));
            }
            format!("{} {}", one.told.word(), shown(&one.recipient))
        });
        let told = told.collect::<Vec<_>>().join(", ");
        self.note(&told);
    }

    /// Names that begin with `no` fail, with `later` are deferred, all others are delivered.
    fn deliver(&mut self, it: &Delivery) {
        let to: Vec<_> = it.recipients.iter().map(|r| shown(&r.address)).collect();
        self.note(&format!("{} -> {}", shown(&it.sender), to.join(" ")));
        let report = |to: &Recipient| match to.address.local() {
            name if name.starts_with(b"dsn") => Report::success("ok\n").with(Handover::PassedOn),
            name if name.starts_with(b"no") => Report::failure("no such box (#5.1.1)\n"),
            name if name.starts_with(b"later") => Report::deferral("busy (#4.2.1)\n"),
            _ => Report::success("ok\n"),
        };
        let reports = it.recipients.iter().map(report).collect();
        self.manager.delivered(it.delivery, reports);
    }

    /// The script without the status lines.
    pub(super) fn plot(&self) -> Vec<&str> {
        let lines = self.script.iter().map(String::as_str);
        lines.filter(|l| !l.starts_with("status:")).collect()
    }
}

/// What RCPT said of a recipient stands behind a plus of its name.
pub(super) fn params(address: &Address) -> RcptParams {
    let plus = address.local().rsplit(|&b| b == b'+').next();
    let notify = match plus {
        Some(b"never") => Some(Notify::default()),
        Some(b"all") => Some(Notify {
            success: true,
            failure: true,
            delay: true,
        }),
        _ => None,
    };
    RcptParams {
        notify,
        orcpt: None,
    }
}

fn shown(address: &Address) -> String {
    String::from_utf8_lossy(address.as_bytes()).into_owned()
}
