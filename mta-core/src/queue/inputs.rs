//! What the queue manager is told: news of the queue, answers of the store, reports of deliveries (qmail-send(8)).

use super::action::{
    Action, DeliveryId, Loaded, PerChannel, Preprocessed, Recovered, Step, Trouble,
};
use super::batch::batches;
use super::lines;
use super::manager::{Doing, Entry, Manager, Running};
use super::message::{Bounce, Failed, Loading, Message, Pass, Track, What, Work};
use super::notify::{self, Wish};
use crate::bounce::Failure;
use crate::log::Send;
use crate::ports::spool::MessageId;
use crate::report::{Outcome, Report};
use crate::rewrite::Channel;
use crate::{Unix, schedule};

/// The most bytes of one report that are kept (qmail-send's REPORTMAX).
pub const REPORT_MAX: usize = 10_000;

/// What a deferral's text gains when it becomes a failure.
const TOO_LONG: &[u8] =
    b"I'm not going to try again; this message has been in the queue too long.\n";

/// The log's word for a delivery that a shutdown overtook.
const NOT_BEGUN: &[u8] = b"Not begun: the queue is closing down. (#4.3.2)\n";

/// News.
impl Manager {
    /// Tells of a todo entry; telling twice does no harm.
    pub fn found(&mut self, id: MessageId) {
        if self.stopping {
            return;
        }
        if let Some(message) = self.messages.get_mut(&id) {
            // The id is free as soon as the files are, which is before the store says so.
            if let Some(work) = message.work.as_deref_mut().filter(|w| w.finishing) {
                work.again = true;
            }
            return;
        }
        match self.entries.get_mut(&id) {
            Some(Entry::Running { again }) => *again = true,
            Some(Entry::Queued | Entry::Stalled) => {}
            None => {
                self.entries.insert(id, Entry::Queued);
                self.todo.push_back(id);
            }
        }
    }

    /// Tells of a message that was preprocessed before this manager began.
    pub fn recovered(&mut self, message: Recovered) {
        let id = message.id;
        if self.stopping || self.messages.contains_key(&id) {
            return;
        }
        let bounce = if message.bounced {
            Bounce::Recorded
        } else {
            Bounce::Nothing
        };
        self.insert(id, message.birth, bounce, message.next, message.sender);
    }

    /// Makes every message due now (SIGALRM), unless the shutdown has begun.
    pub fn retry_all(&mut self, now: Unix) {
        if self.stopping {
            return;
        }
        for channel in Channel::ALL {
            let line = self.channels.of_mut(channel);
            for (_, id) in std::mem::take(&mut line.due) {
                line.due.insert((now, id));
                self.unkept.insert((id, channel));
                if let Some(message) = self.messages.get_mut(&id) {
                    *message.tracks.of_mut(channel) = Track::Waiting(now);
                }
            }
        }
        self.timers = self.timers.iter().map(|(_, id)| (now, *id)).collect();
    }

    /// Makes one message due now; false where there is no such message or the shutdown has begun.
    pub fn retry(&mut self, id: MessageId, now: Unix) -> bool {
        if self.stopping {
            return false;
        }
        if let Some(entry) = self.entries.get_mut(&id).filter(|e| **e == Entry::Stalled) {
            *entry = Entry::Queued;
            self.todo.push_back(id);
            return true;
        }
        let Some(message) = self.messages.get_mut(&id) else {
            return false;
        };
        let held = message.held;
        for channel in Channel::ALL {
            if let Track::Waiting(at) = message.tracks.of_mut(channel)
                && !held
            {
                let line = self.channels.of_mut(channel);
                line.due.remove(&(*at, id));
                line.due.insert((now, id));
                self.unkept.insert((id, channel));
                *at = now;
            }
        }
        if let Some(stalled) = message.work.as_deref_mut().and_then(|w| w.stalled.as_mut()) {
            self.timers.remove(&(*stalled, id));
            self.timers.insert((now, id));
            *stalled = now;
        }
        true
    }

    /// Takes one message out of the queue; false where there is no such message or the manager has
    /// stopped.
    ///
    /// What is being delivered at this moment ends first, whatever its report. Nobody else is
    /// delivered to, no bounce is sent, and the message ends as any other does.
    ///
    /// ```
    /// use mta_core::queue::*;
    /// use mta_core::{Address, Unix, ports::spool::MessageId};
    ///
    /// let mut manager = Manager::new(Settings::default());
    /// manager.recovered(Recovered {
    ///     id: MessageId(7), birth: Unix(0), sender: Address::null(),
    ///     next: PerChannel::new(None, Some(Unix(9_999))), bounced: false,
    /// });
    /// assert!(manager.remove(MessageId(7)));
    /// let mut finished = false;
    /// loop {
    ///     match manager.poll(Unix(1)) {
    ///         Action::Finish { step, .. } => { finished = true; manager.done(step) }
    ///         Action::Log(_) => {}
    ///         Action::Wait => break,
    ///         other => unreachable!("{other:?}"),
    ///     }
    /// }
    /// assert!(finished);
    /// ```
    pub fn remove(&mut self, id: MessageId) -> bool {
        let message = self.messages.get_mut(&id);
        let Some(message) = message.filter(|_| !self.stopped) else {
            return false;
        };
        for channel in Channel::ALL {
            if let Track::Waiting(at) = message.tracks.of(channel) {
                self.channels.of_mut(channel).due.remove(&(*at, id));
            }
            self.unkept.remove(&(id, channel));
        }
        if let Some(stalled) = message.work.as_ref().and_then(|work| work.stalled) {
            self.timers.remove(&(stalled, id));
        }
        message.remove();
        self.advance(id);
        true
    }

    /// Begins no more deliveries (SIGTERM). What runs may end; then comes [`Action::Stopped`].
    pub fn shutdown(&mut self) {
        if std::mem::replace(&mut self.stopping, true) {
            return;
        }
        self.todo.clear();
        self.entries
            .retain(|_, entry| matches!(entry, Entry::Running { .. }));
        for channel in Channel::ALL {
            let ready = std::mem::take(&mut self.channels.of_mut(channel).ready);
            for id in ready {
                let message = self.messages.get_mut(&id);
                if let Some(pass) = message.and_then(|m| m.pass(channel)) {
                    pass.cut |= !pass.batches.is_empty();
                    pass.batches.clear();
                }
                self.advance(id);
            }
        }
        self.take_back_starts();
        // Every step that failed gets one more try, now.
        self.timers = self.timers.iter().map(|(_, id)| (Unix(0), *id)).collect();
    }
}

impl Manager {
    /// Takes back the deliveries that nobody was told to start yet; the log may know of them.
    fn take_back_starts(&mut self) {
        let waiting = std::mem::take(&mut self.out).into_iter();
        let (starts, rest): (Vec<_>, Vec<_>) = waiting.partition(|a| matches!(a, Action::Start(_)));
        self.out = rest.into();
        for action in starts {
            let Action::Start(delivery) = action else {
                continue;
            };
            let (id, channel) = (delivery.id, delivery.channel);
            self.running.remove(&delivery.delivery);
            let line = self.channels.of_mut(channel);
            line.running = line.running.saturating_sub(1);
            let message = self.messages.get_mut(&id);
            if let Some(pass) = message.and_then(|m| m.pass(channel)) {
                pass.running = pass.running.saturating_sub(1);
                pass.cut = true;
            }
            for (number, _) in (delivery.delivery.0..).zip(&delivery.recipients) {
                self.say(Send::Delivery {
                    delivery: number,
                    outcome: Outcome::Deferral,
                    text: NOT_BEGUN,
                });
            }
            self.say_status();
            self.advance(id);
        }
    }
}

/// Answers.
impl Manager {
    /// Answers [`Action::Preprocess`]: the message is in state S5, durably.
    pub fn preprocessed(&mut self, step: Step, found: Preprocessed) {
        let Some(Doing { id, .. }) = self.take(step, |what| matches!(what, What::Preprocess))
        else {
            return;
        };
        self.preprocessing = self.preprocessing.saturating_sub(1);
        self.entries.remove(&id);
        self.say(Send::NewMsg { id });
        self.say(Send::Info {
            id,
            bytes: found.size,
            sender: found.sender.as_bytes(),
            qp: found.pid,
            uid: found.uid,
        });
        let due = |present: bool| present.then_some(self.now);
        let next = PerChannel::new(due(found.present.local), due(found.present.remote));
        self.insert(id, found.birth, Bounce::Nothing, next, found.sender);
    }

    /// Answers [`Action::Load`].
    pub fn loaded(&mut self, step: Step, loaded: Loaded) {
        let Some(doing) = self.take(step, |what| matches!(what, What::Load(_))) else {
            return;
        };
        let (What::Load(channel), id) = (doing.what, doing.id) else {
            return;
        };
        let line = self.channels.of_mut(channel);
        line.loading = line.loading.saturating_sub(1);
        let Some(message) = self.messages.get_mut(&id) else {
            return;
        };
        let Track::Loading(loading) = message.tracks.of(channel) else {
            return;
        };
        let Loading { due, started } = **loading;
        if self.stopping || message.held {
            *message.tracks.of_mut(channel) = Track::Waiting(due);
            if !message.held {
                line.due.insert((due, id));
            }
            return;
        }
        self.unkept.remove(&(id, channel));
        let most = self.settings.recipients.max(1);
        let pass = Pass {
            batches: batches(channel, &loaded.sender, loaded.pending, most),
            running: 0,
            next: schedule::next_attempt(message.birth, started, channel),
            age: started - message.birth,
            dying: schedule::is_dying(message.birth, started, self.settings.lifetime),
            deferred: false,
            cut: false,
        };
        *message.tracks.of_mut(channel) = Track::Running(Box::new(pass));
        message.work.get_or_insert_default().sender = loaded.sender;
        line.ready.push_back(id);
        self.advance(id);
    }

    /// Answers [`Action::MarkDone`], [`Action::AppendBounce`], [`Action::ClearBounce`],
    /// [`Action::Finish`], [`Action::Notify`] and [`Action::SetNextAttempt`]: it is on stable storage.
    pub fn done(&mut self, step: Step) {
        let plain =
            |what: &What| !matches!(what, What::Preprocess | What::Load(_) | What::SendBounce);
        let Some(Doing { id, what, .. }) = self.take(step, plain) else {
            return;
        };
        let Some(message) = self.messages.get_mut(&id) else {
            return;
        };
        let work = message.work.get_or_insert_default();
        work.busy = false;
        match what {
            What::Append(failed) => {
                message.bounce = Bounce::Recorded;
                for one in failed {
                    work.marks.of_mut(one.channel).push(one.offset);
                }
            }
            What::Notify(notices) => {
                for one in notices.iter().filter(|one| !one.told.is_delay()) {
                    work.marks.of_mut(one.channel).push(one.offset);
                }
                self.out
                    .push_back(Action::Log(lines::noticed(id, &notices)));
            }
            What::ClearBounce => message.bounce = Bounce::Nothing,
            What::SetNext(channel, _) => {
                self.unkept.remove(&(id, channel));
            }
            What::Finish => return self.finished(id),
            _ => {}
        }
        self.advance(id);
    }

    /// Answers [`Action::SendBounce`]: the bounce is queued, by the process `qp`.
    pub fn bounce_sent(&mut self, step: Step, qp: u64) {
        let Some(Doing { id, .. }) = self.take(step, |what| matches!(what, What::SendBounce))
        else {
            return;
        };
        let Some(message) = self.messages.get_mut(&id) else {
            return;
        };
        message.bounce = Bounce::Sent;
        message.work.get_or_insert_default().busy = false;
        self.say(Send::Bounce { id, qp });
        self.advance(id);
    }

    /// Answers any action that bears a [`Step`]: it did not come about.
    pub fn failed(&mut self, step: Step, trouble: Trouble) {
        let Some(Doing { id, what, .. }) = self.take(step, |_| true) else {
            return;
        };
        let again = match self.entries.get(&id) {
            Some(Entry::Running { again }) if matches!(what, What::Preprocess) => *again,
            _ => false,
        };
        match &what {
            What::Preprocess => {
                self.preprocessing = self.preprocessing.saturating_sub(1);
                self.entries.remove(&id);
            }
            What::Load(channel) => {
                let line = self.channels.of_mut(*channel);
                line.loading = line.loading.saturating_sub(1);
            }
            _ => {}
        }
        match trouble {
            Trouble::Temporary(reason) => return self.stall(id, what, &reason),
            Trouble::Broken(reason) => self.out.push_back(Action::Log(lines::broken(id, &reason))),
            // A todo scan may be older than the message's end.
            Trouble::Gone if matches!(what, What::Preprocess | What::Finish) => {}
            Trouble::Gone => self.out.push_back(Action::Log(lines::gone(id))),
        }
        match what {
            What::Finish => self.finished(id),
            _ => self.forget(id),
        }
        if again {
            self.found(id);
        }
    }

    /// Answers [`Action::Start`] with one report for each recipient, in their order. A recipient
    /// without a report is deferred.
    pub fn delivered(&mut self, delivery: DeliveryId, reports: Vec<Report>) {
        let Some(running) = self.running.remove(&delivery) else {
            return;
        };
        let (id, channel) = (running.id, running.channel);
        let line = self.channels.of_mut(channel);
        line.running = line.running.saturating_sub(1);
        self.judge(running, delivery, reports);
        self.say_status();
        self.advance(id);
    }

    fn judge(&mut self, running: Running, delivery: DeliveryId, reports: Vec<Report>) {
        let mut reports = reports.into_iter();
        let mut deferred = false;
        let mut marks = Vec::new();
        let mut failures = Vec::new();
        let mut notices = Vec::new();
        let wish = self.wish(&running);
        for (number, one) in (delivery.0..).zip(running.recipients) {
            let Some(report) = reports.next() else {
                self.say(Send::Mangled { delivery: number });
                deferred = true;
                continue;
            };
            let handover = report.handover;
            let Report { outcome, text, .. } = final_word(report, running.dying);
            self.say(Send::Delivery {
                delivery: number,
                outcome,
                text: &text,
            });
            deferred |= outcome == Outcome::Deferral;
            if let Some(told) = wish.told(&one, outcome, handover) {
                notices.push(wish.notice(told, one, text));
                continue;
            }
            match outcome {
                Outcome::Deferral => {}
                Outcome::Success => marks.push(one.offset),
                Outcome::Failure if !wish.failure(&one) => marks.push(one.offset),
                Outcome::Failure => failures.push(Failed {
                    channel: running.channel,
                    offset: one.offset,
                    failure: Failure {
                        recipient: one.address,
                        text,
                    },
                }),
            }
        }
        let message = self.messages.get_mut(&running.id);
        let Some(message) = message.filter(|m| m.serial == running.serial) else {
            return;
        };
        if message.removed {
            deferred = false;
            failures.clear();
            notices.clear();
        }
        if let Some(pass) = message.pass(running.channel) {
            pass.running = pass.running.saturating_sub(1);
            pass.deferred |= deferred;
        }
        let work = message.work.get_or_insert_default();
        work.marks.of_mut(running.channel).append(&mut marks);
        work.failures.append(&mut failures);
        work.notices.append(&mut notices);
    }

    /// What the sender of a delivery's message can be told.
    fn wish(&self, running: &Running) -> Wish {
        let work = self
            .messages
            .get(&running.id)
            .and_then(|m| m.work.as_deref());
        Wish {
            channel: running.channel,
            told: work.is_some_and(|work| notify::is_told(&work.sender)),
            age: running.age,
            asked: self.settings.delay_asked,
            unasked: self.settings.delay_unasked,
        }
    }
}

/// Makes the report final where the message is too old, and no longer than is kept.
fn final_word(report: Report, dying: bool) -> Report {
    let Report {
        outcome, mut text, ..
    } = report;
    text.truncate(REPORT_MAX);
    if !dying || outcome != Outcome::Deferral {
        return Report::new(outcome, text);
    }
    if text.last().is_some_and(|&b| b != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(TOO_LONG);
    Report::failure(text)
}

impl Manager {
    fn insert(
        &mut self,
        id: MessageId,
        birth: Unix,
        bounce: Bounce,
        next: PerChannel<Option<Unix>>,
        sender: crate::Address,
    ) {
        let mut tracks = PerChannel::default();
        for channel in Channel::ALL {
            if let Some(at) = *next.of(channel) {
                *tracks.of_mut(channel) = Track::Waiting(at);
                self.channels.of_mut(channel).due.insert((at, id));
            }
        }
        let idle = next == PerChannel::default();
        let work = idle.then(|| {
            Box::new(Work {
                sender,
                ..Work::default()
            })
        });
        let serial = self.next_serial;
        self.next_serial = self.next_serial.saturating_add(1);
        let message = Message {
            serial,
            birth,
            tracks,
            bounce,
            removed: false,
            held: false,
            work,
        };
        self.messages.insert(id, message);
        self.advance(id);
    }

    /// Takes a step that is answered, unless the answer is of the wrong kind or to nobody.
    fn take(&mut self, step: Step, fits: impl Fn(&What) -> bool) -> Option<Doing> {
        if !fits(&self.steps.get(&step)?.what) {
            return None;
        }
        let doing = self.steps.remove(&step)?;
        let known = doing.serial.is_none()
            || self.messages.get(&doing.id).map(|m| m.serial) == doing.serial;
        if let (What::Load(channel), false) = (&doing.what, known) {
            let line = self.channels.of_mut(*channel);
            line.loading = line.loading.saturating_sub(1);
        }
        known.then_some(doing)
    }

    /// Puts a step that failed off.
    fn stall(&mut self, id: MessageId, what: What, reason: &str) {
        for line in lines::trouble(id, &what, self.stopping, reason) {
            self.out.push_back(Action::Log(line));
        }
        let at = self.now + schedule::SYSTEM_RETRY;
        match what {
            What::Preprocess if self.stopping => {}
            What::Preprocess => {
                self.entries.insert(id, Entry::Stalled);
                self.timers.insert((at, id));
            }
            What::Load(channel) => {
                let message = self.messages.get_mut(&id);
                if let Some(message) = message.filter(|m| !m.removed) {
                    *message.tracks.of_mut(channel) = Track::Waiting(at);
                    if !message.held {
                        self.channels.of_mut(channel).due.insert((at, id));
                    }
                }
            }
            what => self.stall_message(id, what, at),
        }
    }

    fn stall_message(&mut self, id: MessageId, what: What, at: Unix) {
        let Some(message) = self.messages.get_mut(&id) else {
            return;
        };
        let keeping = if let What::SetNext(channel, _) = &what {
            Some(*channel)
        } else {
            None
        };
        message.put_back(what);
        let work = message.work.get_or_insert_default();
        work.busy = false;
        if let Some(channel) = keeping {
            // Nothing hangs on it but the time after a restart.
            if !self.stopping {
                self.unkept.insert((id, channel));
            }
            return self.advance(id);
        }
        work.finishing = false;
        if self.stopping {
            work.given_up = true;
        } else {
            work.stalled = Some(at);
            self.timers.insert((at, id));
        }
    }

    fn finished(&mut self, id: MessageId) {
        let message = self.messages.get(&id);
        let again = message
            .and_then(|m| m.work.as_ref())
            .is_some_and(|w| w.again);
        self.forget(id);
        if again {
            self.found(id);
        }
    }

    /// Drops a message from every line; deliveries that run report into the void.
    fn forget(&mut self, id: MessageId) {
        let Some(message) = self.messages.remove(&id) else {
            return;
        };
        for channel in Channel::ALL {
            self.unkept.remove(&(id, channel));
            if let Track::Waiting(at) = message.tracks.of(channel) {
                self.channels.of_mut(channel).due.remove(&(*at, id));
            }
        }
        if let Some(at) = message.work.as_ref().and_then(|w| w.stalled) {
            self.timers.remove(&(at, id));
        }
    }
}
