//! The task that drains the queue: it owns the manager, hands its actions to store threads and deliveries, and feeds the answers back (qmail-send(8)).
//!
//! ```text
//!  trigger, todo/ ─► found ─┐                      ┌─► steps ──► store threads ─┐
//!  own submissions ─────────┼─► Manager ─► Action ─┤                            ├─► Answer ─┐
//!  requests, signals ───────┘      ▲               └─► deliver ─► local, remote ┘           │
//!                                  └────────────────────────────────────────────────────────┘
//! ```

mod attempt;
mod news;
mod steps;

pub use news::{Answer, News};

use crate::journal::Word;
use crate::local::{Job, Local};
use crate::remote::Remote;
use crate::requests::Request;
use crate::server::Server;
use crate::stop::{Phase, Stop};
use attempt::Attempt;
use driver::Clock;
use mta_core::envelope::Recipient;
use mta_core::ports::spool::MessageId;
use mta_core::queue::{Action, Delivery, Manager, PerChannel, Recovered, Settings};
use mta_core::report::Report;
use mta_core::rewrite::Channel;
use mta_store::queue::Origin;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// Sleeps are cut to this, because the wall clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// How many answers are taken in before the manager is asked again.
const AT_ONCE: usize = 256;

/// The engine with everything that it uses.
#[derive(Debug)]
pub struct Engine {
    manager: Manager,
    server: Arc<Server>,
    local: Arc<Local>,
    remote: Arc<Remote>,
    origin: Origin,
    news: UnboundedReceiver<News>,
    /// For the tasks that carry actions out. Each sends one answer, so what waits here is bounded
    /// by the manager's own limits and by the messages in the queue.
    tell: UnboundedSender<News>,
    /// Messages that are to go as soon as the manager knows them.
    removing: HashSet<MessageId>,
    /// Messages that are to be held as soon as the manager knows them.
    holding: HashSet<MessageId>,
}

/// What the engine is made of.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "the start fills in every part")]
pub struct Parts {
    /// What all tasks share.
    pub server: Arc<Server>,
    /// Delivers here.
    pub local: Arc<Local>,
    /// Delivers elsewhere.
    pub remote: Arc<Remote>,
    /// Who queues bounces.
    pub origin: Origin,
    /// What the engine hears.
    pub news: UnboundedReceiver<News>,
    /// By whom it is told.
    pub tell: UnboundedSender<News>,
}

impl Engine {
    /// Makes an engine that knows the messages which stand in the queue, and which of those in it
    /// are held.
    pub fn new(parts: Parts, standing: Vec<Recovered>, held: &[MessageId]) -> Self {
        let Parts {
            server,
            local,
            remote,
            origin,
            news,
            tell,
        } = parts;
        let mut manager = Manager::new(settings(&server));
        for message in standing {
            manager.recovered(message);
        }
        let holding = held
            .iter()
            .copied()
            .filter(|&id| !manager.hold(id))
            .collect();
        Self {
            manager,
            server,
            local,
            remote,
            origin,
            news,
            tell,
            removing: HashSet::new(),
            holding,
        }
    }

    /// Drains the queue until the server stops and everything under way has ended.
    pub async fn run(mut self, mut stop: Stop) {
        let mut stopping = false;
        loop {
            let pause = loop {
                match self.manager.poll(Clock::unix()) {
                    Action::WaitUntil(at) => {
                        let seconds = Duration::from_secs(at - Clock::unix());
                        break seconds.min(LONGEST_SLEEP);
                    }
                    Action::Wait => break LONGEST_SLEEP,
                    Action::Stopped => return,
                    action => self.carry_out(action),
                }
            };
            tokio::select! {
                Some(news) = self.news.recv() => self.hear(news),
                () = tokio::time::sleep(pause) => {}
                () = stop.reached(Phase::Finish), if !stopping => {
                    stopping = true;
                    self.manager.shutdown();
                }
            }
        }
    }

    /// Takes in what is there, so that a burst costs one turn.
    fn hear(&mut self, first: News) {
        self.take(first);
        for _ in 0..AT_ONCE {
            match self.news.try_recv() {
                Ok(news) => self.take(news),
                Err(_) => return,
            }
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Found(id) => self.manager.found(id),
            News::Answer(answer) => {
                let preprocessed = answer.preprocessed();
                answer.give_to(&mut self.manager);
                if let Some(id) = preprocessed.filter(|id| self.holding.remove(id)) {
                    self.manager.hold(id);
                }
                if let Some(id) = preprocessed.filter(|id| self.removing.remove(id)) {
                    self.manager.remove(id);
                }
            }
            News::Asked(request) => self.asked(request),
            News::Reloaded => self.manager.set(settings(&self.server)),
            News::RetryAll => self.manager.retry_all(Clock::unix()),
        }
    }

    fn asked(&mut self, request: Request) {
        match request {
            Request::RetryAll => self.manager.retry_all(Clock::unix()),
            Request::Retry(id) => {
                self.manager.retry(id, Clock::unix());
            }
            Request::Remove(id) => {
                self.ordered(id, "removed by an administrator");
                if !self.manager.remove(id) {
                    self.removing.insert(id);
                    self.manager.found(id);
                }
            }
            Request::Hold(id) => {
                self.ordered(id, "held by an administrator");
                self.hold(id);
            }
            Request::Release(id) => {
                self.ordered(id, "released by an administrator");
                self.holding.remove(&id);
                self.manager.release(id, Clock::unix());
            }
            Request::Reroute(id) => {
                self.ordered(id, "given another way by an administrator");
                self.manager.retry(id, Clock::unix());
            }
            Request::Forget => self.remote.forget(),
            Request::Reload => {}
        }
    }

    fn ordered(&self, id: MessageId, text: &str) {
        let journal = &self.server.journal;
        journal.note(Clock::unix(), id, Word::Ordered, text);
    }

    /// Holds a message, as soon as the manager knows it.
    fn hold(&mut self, id: MessageId) {
        if !self.manager.hold(id) {
            self.holding.insert(id);
            self.manager.found(id);
        }
    }

    fn carry_out(&self, action: Action) {
        match action {
            Action::Log(line) => log_line(&line),
            Action::Start(delivery) => self.deliver(delivery),
            other => self.step(other),
        }
    }

    fn deliver(&self, delivery: Delivery) {
        let tell = self.tell.clone();
        let number = delivery.delivery;
        let attempt = Attempt::of(&delivery);
        let journal = self.server.journal.clone();
        let done = move |reports: Vec<Report>| {
            attempt.note(&journal, &reports);
            // The engine ends only when nothing is under way.
            let _ = tell.send(News::Answer(Answer::Delivered(number, reports)));
        };
        match delivery.channel {
            Channel::Local => {
                let local = Arc::clone(&self.local);
                let journal = self.server.journal.clone();
                let pool = self.server.pools.deliveries.clone();
                let host =
                    String::from_utf8_lossy(&self.server.snapshot().controls.me).into_owned();
                tokio::spawn(async move {
                    let Delivery {
                        id,
                        sender,
                        recipients,
                        ..
                    } = delivery;
                    let now = Clock::unix();
                    let reports = pool.run(move || {
                        let deliver = |to: Recipient| {
                            if journal.is_kept() {
                                let by = local.trace(&to.address).steps.join("; ");
                                journal.note(now, id, Word::By, &by);
                            }
                            let (sender, host) = (sender.clone(), host.clone());
                            let job = Job {
                                id,
                                sender,
                                recipient: to.address,
                                host,
                                now,
                            };
                            local.deliver(&job, &to.params)
                        };
                        recipients.into_iter().map(deliver).collect()
                    });
                    let crashed = vec![Report::deferral("qmail-local crashed.\n")];
                    done(reports.await.unwrap_or(crashed));
                });
            }
            Channel::Remote => {
                let remote = Arc::clone(&self.remote);
                tokio::spawn(async move { done(remote.deliver(delivery).await) });
            }
        }
    }
}

/// What the control files of this moment say to the manager.
fn settings(server: &Server) -> Settings {
    let snapshot = server.snapshot();
    let controls = &snapshot.controls;
    Settings {
        concurrency: PerChannel::new(
            controls.concurrencylocal as usize,
            controls.concurrencyremote as usize,
        ),
        lifetime: controls.queuelifetime,
        recipients: server.config.limits.remote_recipients,
        delay_asked: server.config.notices.delay_asked(),
        delay_unasked: server.config.notices.delay_unasked(),
        ..Settings::default()
    }
}

/// Puts the manager's lines on the level that their first word names.
fn log_line(line: &str) {
    if let Some(warning) = line.strip_prefix("warning: ") {
        tracing::warn!("{warning}");
    } else if let Some(alert) = line.strip_prefix("alert: ") {
        tracing::error!("{alert}");
    } else {
        tracing::info!("{line}");
    }
}
