//! Carries out what the manager asks of the queue, one step at a time (qmail-send(8), INTERNALS §2).

use super::engine::{Engine, now};
use super::notice::{About, Writer};
use mta_core::Unix;
use mta_core::bounce::{Failure, Notice, record};
use mta_core::ports::spool::MessageId;
use mta_core::queue::{Action, Loaded, Manager, PerChannel, Preprocessed, Step, Trouble, attach};
use mta_core::rewrite::Channel;
use mta_store::files::RealFiles;
use mta_store::queue::{Params, Queue, QueueError};
use std::io::ErrorKind;

impl Engine<'_> {
    /// Does one step and answers it.
    pub(super) fn step(&mut self, action: Action) {
        match action {
            Action::Preprocess { step, id } => {
                let found = self.preprocess(id);
                self.answer(step, id, found, Manager::preprocessed);
            }
            Action::Load { step, id, channel } => {
                let loaded = self.load(id, channel);
                self.answer(step, id, loaded, Manager::loaded);
            }
            Action::SendBounce {
                step,
                id,
                birth,
                sender,
            } => match self.writer().bounce(&About { id, birth, sender }) {
                Ok(qp) => self.manager.bounce_sent(step, u64::from(qp)),
                Err(why) => self.manager.failed(step, Trouble::Temporary(why)),
            },
            Action::Notify {
                step,
                id,
                birth,
                sender,
                until,
                notices,
            } => match self.notify(&About { id, birth, sender }, until, &notices) {
                Ok(()) => self.manager.done(step),
                Err(why) => self.manager.failed(step, Trouble::Temporary(why)),
            },
            other => self.change(other),
        }
    }

    /// Does a step whose answer says nothing more.
    fn change(&mut self, action: Action) {
        let (step, id, done) = match action {
            Action::MarkDone {
                step,
                id,
                channel,
                offsets,
            } => (step, id, self.queue.mark_done(id, channel, &offsets)),
            Action::AppendBounce { step, id, failures } => (step, id, self.append(id, &failures)),
            Action::ClearBounce { step, id } => (step, id, self.queue.clear_bounce(id)),
            Action::Finish { step, id } => (step, id, self.queue.finish(id)),
            Action::SetNextAttempt {
                step,
                id,
                channel,
                at,
            } => (step, id, self.queue.set_next_attempt(id, channel, at)),
            _ => return,
        };
        self.answer(step, id, done, |manager, step, ()| manager.done(step));
    }

    /// Tells the manager what came of a step. A damaged message is put aside where that is allowed;
    /// else it stays and is tried again.
    fn answer<T>(
        &mut self,
        step: Step,
        id: MessageId,
        done: Result<T, QueueError>,
        tell: impl FnOnce(&mut Manager, Step, T),
    ) {
        let error = match done {
            Ok(done) => return tell(&mut self.manager, step, done),
            Err(error) => error,
        };
        let reason = error.to_string();
        let trouble = match error {
            QueueError::Gone(_) => Trouble::Gone,
            error if error.is_broken() && self.queue.quarantine(id, &reason).is_ok() => {
                Trouble::Broken(reason)
            }
            _ => Trouble::Temporary(reason),
        };
        self.manager.failed(step, trouble);
    }

    fn preprocess(&self, id: MessageId) -> Result<Preprocessed, QueueError> {
        let routing = &self.controls.routing;
        let found = self
            .queue
            .preprocess(id, now(), &mut |to| routing.route(to))?;
        Ok(Preprocessed {
            birth: found.birth,
            size: found.size,
            sender: found.sender,
            pid: found.pid.unwrap_or(0),
            uid: found.uid.unwrap_or(0),
            present: PerChannel::new(found.local > 0, found.remote > 0),
        })
    }

    fn load(&self, id: MessageId, channel: Channel) -> Result<Loaded, QueueError> {
        let sender = self.queue.info(id)?.sender;
        let mut pending = self.queue.pending(id, channel)?;
        let params = params(&self.queue, id)?;
        attach(&mut pending, &params.recipients, &self.controls.routing);
        for one in &mut pending {
            one.warned = params.warned.contains(&(channel, one.offset));
        }
        Ok(Loaded { sender, pending })
    }

    fn append(&self, id: MessageId, failures: &[Failure]) -> Result<(), QueueError> {
        let routing = &self.controls.routing;
        failures.iter().try_for_each(|failure| {
            // The sender knows the recipient without a virtual domain's prepend.
            let shown = routing.strip_prepend(&failure.recipient);
            self.queue.append_bounce(id, &record(&shown, &failure.text))
        })
    }

    /// Keeps whom a delay was told of before telling it: nobody is to hear of it twice.
    fn notify(&self, about: &About, until: Unix, notices: &[Notice]) -> Result<(), String> {
        let delayed = notices.iter().filter(|one| one.told.is_delay());
        let delayed: Vec<_> = delayed.map(|one| (one.channel, one.offset)).collect();
        if !delayed.is_empty() {
            let kept = self
                .queue
                .change_params(about.id, |params| params.warned.extend(delayed));
            kept.map_err(|error| error.to_string())?;
        }
        self.writer().notify(about, notices, until).map(drop)
    }

    fn writer(&self) -> Writer<'_> {
        Writer {
            io: self.io,
            queue: &self.queue,
            controls: &self.controls,
            now: now(),
        }
    }
}

/// What came with a message besides its envelope. Where another account keeps that for itself, the
/// message counts as one that came without.
pub(super) fn params(queue: &Queue<RealFiles>, id: MessageId) -> Result<Params, QueueError> {
    match queue.params(id) {
        Err(QueueError::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => {
            Ok(Params::default())
        }
        read => read,
    }
}
