//! The loop of qmail-send: asks the manager, does what it says, listens (qmail-send(8), spec §5.1).

use super::cleaner::CleanLink;
use super::link::{Heard, Link};
use super::wake::{Order, Wake};
use super::{Log, reread};
use crate::io::Io;
use mta_core::Unix;
use mta_core::control::Controls;
use mta_core::queue::{Action, Delivery, Manager, PerChannel, Recovered, Settings};
use mta_core::report::Report;
use mta_core::rewrite::Channel;
use mta_store::files::RealFiles;
use mta_store::queue::Queue;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Sleeps are cut to this, because the wall clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// What the start made.
pub(super) struct Parts<'a> {
    pub(super) io: &'a Io<'a>,
    pub(super) controls: Controls,
    pub(super) queue: Queue<RealFiles>,
    pub(super) links: PerChannel<Link>,
    pub(super) cleaner: Arc<CleanLink>,
    pub(super) wake: Wake,
}

/// A running qmail-send.
pub(super) struct Engine<'a> {
    pub(super) io: &'a Io<'a>,
    pub(super) manager: Manager,
    pub(super) controls: Controls,
    pub(super) queue: Queue<RealFiles>,
    links: PerChannel<Link>,
    cleaner: Arc<CleanLink>,
    wake: Wake,
    log: Log,
    stopping: bool,
}

impl<'a> Engine<'a> {
    pub(super) fn new(parts: Parts<'a>, log: Log, standing: Vec<Recovered>) -> Self {
        let Parts {
            io,
            controls,
            queue,
            links,
            cleaner,
            wake,
        } = parts;
        let limited = |wanted: u32, link: &Link| (wanted as usize).min(link.limit());
        let mut manager = Manager::new(Settings {
            concurrency: PerChannel::new(
                limited(controls.concurrencylocal, &links.local),
                limited(controls.concurrencyremote, &links.remote),
            ),
            lifetime: controls.queuelifetime,
            // The spawners deliver to one recipient at a time.
            recipients: 1,
            ..Settings::default()
        });
        for message in standing {
            manager.recovered(message);
        }
        Self {
            io,
            manager,
            controls,
            queue,
            links,
            cleaner,
            wake,
            log,
            stopping: false,
        }
    }

    /// Runs until it was told to exit and everything under way has ended.
    pub(super) fn run(mut self) {
        loop {
            let pause = match self.manager.poll(now()) {
                Action::Log(line) => {
                    self.log.line(&line);
                    continue;
                }
                Action::Start(delivery) => {
                    self.start(&delivery);
                    continue;
                }
                Action::Stopped => return,
                Action::Wait => LONGEST_SLEEP,
                Action::WaitUntil(at) => Duration::from_secs(at - now()),
                step => {
                    self.step(step);
                    self.mind_the_cleaner();
                    Duration::ZERO
                }
            };
            self.listen(pause.min(LONGEST_SLEEP));
            self.look_around();
        }
    }

    fn start(&mut self, delivery: &Delivery) {
        if !self.links.of_mut(delivery.channel).start(delivery) {
            let report = Report::deferral("No delivery slot. (#4.3.0)\n");
            self.manager.delivered(delivery.delivery, vec![report]);
        }
    }

    /// Reads and writes what the pipes allow; waits for that at most so long.
    fn listen(&mut self, pause: Duration) {
        for channel in Channel::ALL {
            if self.links.of_mut(channel).write().is_err() {
                self.lose(channel);
            }
        }
        let pause = match self.stopping {
            true => pause,
            false => pause.min(self.wake.pause(Instant::now())),
        };
        // A moment more, so that the last round does not spin.
        let extra = Duration::from_millis(u64::from(!pause.is_zero()));
        let timeout = PollTimeout::try_from(pause + extra).unwrap_or(PollTimeout::MAX);
        let mut waiting = vec![
            PollFd::new(self.wake.signals(), PollFlags::POLLIN),
            PollFd::new(self.wake.trigger(), PollFlags::POLLIN),
        ];
        let mut reading = Vec::new();
        for channel in Channel::ALL {
            let link = self.links.of(channel);
            if let Some(reports) = link.reports() {
                reading.push((channel, waiting.len()));
                waiting.push(PollFd::new(reports, PollFlags::POLLIN));
            }
            if let Some(commands) = link.commands() {
                waiting.push(PollFd::new(commands, PollFlags::POLLOUT));
            }
        }
        match poll(&mut waiting, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => self.log.line("warning: trouble in select"),
        }
        let ready = |at: usize| waiting.get(at).is_some_and(|fd| fd.any() == Some(true));
        let (signal, pulled) = (ready(0), ready(1));
        reading.retain(|(_, at)| ready(*at));
        drop(waiting);
        for (channel, _) in reading {
            self.hear(channel);
        }
        if pulled {
            self.wake.drain();
        }
        if signal {
            while let Some(order) = self.wake.order() {
                self.obey(order);
            }
        }
    }

    fn hear(&mut self, channel: Channel) {
        let Ok(heard) = self.links.of_mut(channel).read() else {
            return self.lose(channel);
        };
        for one in heard {
            match one {
                Heard::Ended(delivery, said) => {
                    self.manager
                        .delivered(delivery, said.report.into_iter().collect());
                }
                Heard::OutOfRange => self
                    .log
                    .line("warning: internal error: delivery report out of range"),
            }
        }
    }

    /// A spawner is gone, and with it the word on what it was doing.
    fn lose(&mut self, channel: Channel) {
        self.log
            .line("alert: oh no! lost spawn connection! dying...");
        for delivery in self.links.of_mut(channel).lose() {
            let report = Report::deferral("Lost spawn connection. (#4.3.0)\n");
            self.manager.delivered(delivery, vec![report]);
        }
        self.stop();
    }

    fn mind_the_cleaner(&mut self) {
        for file in self.cleaner.left() {
            let line = format!("warning: qmail-clean unable to clean up {file}");
            self.log.line(&line);
        }
        if self.cleaner.is_lost() && !self.stopping {
            self.log
                .line("alert: oh no! lost qmail-clean connection! dying...");
            self.stop();
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::RetryAll => self.manager.retry_all(now()),
            Order::Reread => {
                if let Err(line) = reread(self.io, &mut self.controls) {
                    self.log.line(&line);
                }
            }
            Order::Exit => self.stop(),
        }
    }

    fn stop(&mut self) {
        self.stopping = true;
        self.manager.shutdown();
    }

    /// Looks for new messages and for abandoned ones, where it is time to.
    fn look_around(&mut self) {
        if self.stopping {
            return;
        }
        let began = Instant::now();
        if self.wake.is_scan_due(began) {
            match self.queue.todo() {
                Ok(ids) => {
                    ids.into_iter().for_each(|id| self.manager.found(id));
                    self.wake.scanned(began);
                }
                Err(_) => {
                    self.log.line("alert: unable to opendir todo, sleeping...");
                    self.wake.scan_later();
                }
            }
        }
        if self.wake.take_reap(began) {
            let reaped = self.queue.reap(now());
            let failed = match reaped {
                Ok(reaped) => reaped.failed,
                Err(error) => vec![error.to_string()],
            };
            for said in failed {
                self.log.line(&format!("warning: {said}"));
            }
            self.mind_the_cleaner();
        }
    }
}

/// The time of day.
pub(super) fn now() -> Unix {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Unix(since.map(|since| since.as_secs()).unwrap_or(0))
}
