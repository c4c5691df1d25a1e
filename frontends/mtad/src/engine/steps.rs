//! Carries the manager's storage steps out on store threads (INTERNALS §2).

use super::{Answer, Engine, News};
use crate::bounce::{self, Bounced};
use crate::journal::{Journal, Word};
use crate::log;
use driver::Clock;
use mta_core::bounce::{Failure, Notice, record};
use mta_core::date;
use mta_core::log::Filtered;
use mta_core::ports::spool::MessageId;
use mta_core::queue::{Action, Loaded, PerChannel, Preprocessed, Step, Trouble, attach};
use mta_core::rewrite::{Channel, Reason, Routed, Routing};
use mta_core::{Address, Unix};
use mta_store::files::RealFiles;
use mta_store::queue::QueueError;
use mta_store::store::Store;

type Files = Store<RealFiles>;

impl Engine {
    /// Begins one step; its answer comes as news.
    pub(super) fn step(&self, action: Action) {
        match action {
            Action::Preprocess { step, id } => self.preprocess(step, id),
            Action::Load { step, id, channel } => {
                let snapshot = self.server.snapshot();
                self.on_store(
                    id,
                    move |queue| load(queue, &snapshot.controls.routing, id, channel),
                    move |done| Answer::Loaded(step, done),
                );
            }
            Action::MarkDone {
                step,
                id,
                channel,
                offsets,
            } => {
                self.plain(step, id, move |queue| {
                    queue.mark_done(id, channel, &offsets)
                });
            }
            Action::AppendBounce { step, id, failures } => self.append(step, id, failures),
            Action::SendBounce {
                step,
                id,
                birth,
                sender,
            } => {
                self.send_bounce(step, Bounced { id, birth, sender });
            }
            Action::Notify {
                step,
                id,
                birth,
                sender,
                until,
                notices,
            } => self.notify(step, Bounced { id, birth, sender }, until, notices),
            Action::ClearBounce { step, id } => {
                self.plain(step, id, move |queue| queue.clear_bounce(id))
            }
            Action::Finish { step, id } => self.finish(step, id),
            Action::SetNextAttempt {
                step,
                id,
                channel,
                at,
            } => {
                let text = format!("{} at {}", channel.name(), date::qmail(at));
                let journal = &self.server.journal;
                journal.note(Clock::unix(), id, Word::Next, &text);
                self.plain(step, id, move |queue| {
                    queue.set_next_attempt(id, channel, at)
                });
            }
            _ => {}
        }
    }

    fn finish(&self, step: Step, id: MessageId) {
        let journal = self.server.journal.clone();
        self.plain(step, id, move |queue| {
            // Once it is gone its number may be given out again, and begin another story.
            journal.note(Clock::unix(), id, Word::Ended, "it leaves the queue");
            match queue.finish(id) {
                // An administrator's order leaves recipients that nobody delivered to.
                Err(QueueError::Unfinished { .. }) => queue.remove(id),
                other => other,
            }
        });
    }

    fn preprocess(&self, step: Step, id: MessageId) {
        let snapshot = self.server.snapshot();
        let journal = self.server.journal.clone();
        let work = move |queue: &Files| {
            let routing = &snapshot.controls.routing;
            let now = Clock::unix();
            let mut sorted = Vec::new();
            let found = queue.preprocess(id, now, &mut |to| {
                if journal.is_kept() && sorted.len() < SORTED_MAX {
                    let (routed, reasons) = routing.explain(to);
                    sorted.push(sentence(to, &routed, &reasons));
                }
            })?;
            let sender = Filtered(found.sender.as_bytes());
            let (size, local, remote) = (found.size, found.local, found.remote);
            let whence = match (found.uid, found.pid) {
                (Some(uid), Some(pid)) => format!("by uid {uid}, process {pid}"),
                _ => "by an unknown process".to_owned(),
            };
            let text = format!(
                "queued {whence}: <{sender}>, {size} bytes, recipients {local} local {remote} remote"
            );
            journal.note(now, id, Word::New, &text);
            for text in &sorted {
                journal.note(now, id, Word::Sorted, text);
            }
            Ok(Preprocessed {
                birth: found.birth,
                size: found.size,
                sender: found.sender,
                pid: found.pid.unwrap_or(0),
                uid: found.uid.unwrap_or(0),
                present: PerChannel::new(found.local > 0, found.remote > 0),
            })
        };
        self.on_store(id, work, move |done| Answer::Preprocessed(step, id, done));
    }

    fn append(&self, step: Step, id: MessageId, failures: Vec<Failure>) {
        let snapshot = self.server.snapshot();
        self.plain(step, id, move |queue| {
            let routing = &snapshot.controls.routing;
            let records = failures.iter().map(|failure| {
                // The sender knows the recipient without a virtual domain's prepend.
                record(&routing.strip_prepend(&failure.recipient), &failure.text)
            });
            let records: Vec<Vec<u8>> = records.collect();
            records
                .iter()
                .try_for_each(|record| queue.append_bounce(id, record))
        });
    }

    fn send_bounce(&self, step: Step, bounced: Bounced) {
        let (snapshot, origin) = (self.server.snapshot(), self.origin);
        let journal = self.server.journal.clone();
        let tell = self.tell.clone();
        let id = bounced.id;
        let work = move |queue: &Files| {
            let sent = bounce::send(queue, &snapshot, origin, &bounced, Clock::unix())?;
            told(&journal, bounced.id, sent, "a bounce");
            if let Some(id) = sent {
                let _ = tell.send(News::Found(id));
            }
            Ok(u64::from(origin.pid))
        };
        self.on_store(id, work, move |done| Answer::BounceSent(step, done));
    }

    /// Keeps whom a delay was told of before telling it: nobody is to hear of it twice.
    fn notify(&self, step: Step, about: Bounced, until: Unix, notices: Vec<Notice>) {
        let (snapshot, origin) = (self.server.snapshot(), self.origin);
        let journal = self.server.journal.clone();
        let tell = self.tell.clone();
        self.plain(step, about.id, move |queue| {
            let delayed = notices.iter().filter(|one| one.told.is_delay());
            let delayed: Vec<_> = delayed.map(|one| (one.channel, one.offset)).collect();
            if !delayed.is_empty() {
                queue.change_params(about.id, |params| params.warned.extend(delayed))?;
            }
            let now = Clock::unix();
            let sent = bounce::notify(queue, (&snapshot, origin), &about, (&notices, until), now)?;
            told(&journal, about.id, sent, "a notice");
            if let Some(id) = sent {
                let _ = tell.send(News::Found(id));
            }
            Ok(())
        });
    }

    fn plain(
        &self,
        step: Step,
        id: MessageId,
        work: impl FnOnce(&Files) -> Result<(), QueueError> + Send + 'static,
    ) {
        self.on_store(id, work, move |done| Answer::Done(step, done));
    }

    /// Works on a store thread and tells the engine how it went.
    fn on_store<T: Send + 'static>(
        &self,
        id: MessageId,
        work: impl FnOnce(&Files) -> Result<T, QueueError> + Send + 'static,
        answer: impl FnOnce(Result<T, Trouble>) -> Answer + Send + 'static,
    ) {
        let (queue, tell) = (self.server.store.clone(), self.tell.clone());
        let pool = self.server.pools.queue.clone();
        tokio::spawn(async move {
            let done = pool.run(move || work(&queue).map_err(|error| trouble(&queue, id, error)));
            let done = done
                .await
                .unwrap_or_else(|error| Err(Trouble::Temporary(error.to_string())));
            let _ = tell.send(News::Answer(answer(done)));
        });
    }
}

/// Notes in both stories that a sender is told something.
fn told(journal: &Journal, id: MessageId, sent: Option<MessageId>, what: &str) {
    let now = Clock::unix();
    match sent {
        Some(other) => {
            journal.note(now, id, Word::Told, &format!("{what} is msg {other}"));
            journal.note(now, other, Word::Taken, &format!("{what} about msg {id}"));
        }
        None => journal.note(now, id, Word::Told, "nobody is to be told"),
    }
}

/// How many recipients of one message the journal names when they are sorted.
const SORTED_MAX: usize = 20;

/// Says where a recipient goes and by which lines.
fn sentence(to: &Address, routed: &Routed, reasons: &[Reason]) -> String {
    let (to, address) = (Filtered(to.as_bytes()), Filtered(routed.address.as_bytes()));
    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    let channel = routed.channel.name();
    format!("{to}: {}; so it is {channel} {address}", reasons.join("; "))
}

fn load(
    queue: &Files,
    routing: &Routing,
    id: MessageId,
    channel: Channel,
) -> Result<Loaded, QueueError> {
    let sender = queue.info(id)?.sender;
    let mut pending = queue.pending(id, channel)?;
    let params = queue.params(id)?;
    if queue.as_log().is_none() {
        // A log keeps them with each recipient.
        attach(&mut pending, &params.recipients, routing);
    }
    for one in &mut pending {
        one.warned = params.warned.contains(&(channel, one.offset));
    }
    Ok(Loaded { sender, pending })
}

/// Puts a damaged message aside, so that it is looked at by a person and never again by us.
fn trouble(queue: &Files, id: MessageId, error: QueueError) -> Trouble {
    if error.is_broken() {
        let reason = error.to_string();
        return match queue.quarantine(id, &reason) {
            Ok(aside) => {
                // Told here, because a step beside this one may find the message gone meanwhile,
                // and then the manager hears of this one no more.
                log::put_aside(&aside);
                Trouble::Broken(reason)
            }
            Err(error) => Trouble::Temporary(format!("{reason}; unable to put it aside: {error}")),
        };
    }
    if matches!(error, QueueError::Gone(_)) {
        return Trouble::Gone;
    }
    Trouble::Temporary(error.to_string())
}
