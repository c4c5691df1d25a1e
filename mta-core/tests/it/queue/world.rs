//! A world in which everything goes wrong: random outcomes, late answers, failing disks, crashes.
//!
//! The law, checked after every action: each accepted recipient is delivered, told about in a
//! bounce, or in the queue. And none is decided twice without a restart between.

use super::disk::{Answer, Disk, Token};
use mta_core::Unix;
use mta_core::ports::spool::MessageId;
use mta_core::queue::{Action, Delivery, Manager, PerChannel, Recovered, Settings};
use mta_core::report::{Outcome, Report};
use std::collections::HashMap;

/// SplitMix64: the same seed is the same world.
pub(super) struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let a = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        b ^ (b >> 31)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    pub(super) fn percent(&mut self, n: usize) -> bool {
        self.below(100) < n
    }
}

/// How bad a world is, in percent.
#[derive(Clone, Copy, Debug)]
struct Weather {
    storage_fails: usize,
    breaks: usize,
    crash: usize,
    shutdown: usize,
    failure: usize,
    deferral: usize,
}

const CALM: Weather = Weather {
    storage_fails: 0,
    breaks: 0,
    crash: 0,
    shutdown: 0,
    failure: 10,
    deferral: 0,
};

struct World {
    seed: u64,
    dice: Dice,
    weather: Weather,
    now: Unix,
    disk: Disk,
    manager: Manager,
    /// Asked for, not carried out.
    asked: Vec<Action>,
    /// Carried out, not answered.
    answers: Vec<Answer>,
    deliveries: Vec<Delivery>,
    /// Todo scans that were made and not told of.
    scans: Vec<Vec<u64>>,
    stopping: bool,
    epoch: u32,
    /// In which epochs a recipient's fate was reported.
    decided: HashMap<Token, Vec<u32>>,
    log: Vec<String>,
    states: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let weather = Weather {
            storage_fails: [0, 3, 20][dice.below(3)],
            breaks: [0, 0, 1][dice.below(3)],
            crash: [0, 1, 4][dice.below(3)],
            shutdown: [0, 1][dice.below(2)],
            failure: [0, 10, 60][dice.below(3)],
            deferral: [0, 20, 60][dice.below(3)],
        };
        Self {
            seed,
            weather,
            now: Unix(1_000_000),
            disk: Disk::default(),
            manager: Manager::new(settings(&mut dice)),
            dice,
            asked: Vec::new(),
            answers: Vec::new(),
            deliveries: Vec::new(),
            scans: Vec::new(),
            stopping: false,
            epoch: 0,
            decided: HashMap::new(),
            log: Vec::new(),
            states: 0,
        }
    }

    /// One thing happens.
    fn tick(&mut self) {
        if self.dice.percent(self.weather.crash) {
            return self.restart();
        }
        if !self.stopping && self.dice.percent(self.weather.shutdown) {
            self.manager.shutdown();
            self.stopping = true;
        }
        match self.dice.below(8) {
            0 => self.scans.push(self.disk.todo.keys().copied().collect()),
            1 => self.tell_scan(),
            2 => self.answer_one(),
            3 => self.deliver_one(),
            4 => self.carry_out_one(),
            5 if self.dice.percent(2) => self.manager.retry_all(self.now),
            5 if self.dice.percent(1) => self.remove_one(),
            _ => self.poll(),
        }
        self.check();
    }

    fn poll(&mut self) {
        let action = self.manager.poll(self.now);
        match action {
            Action::Log(line) => self.log.push(line),
            Action::Start(delivery) => {
                assert!(!self.stopping, "a start after the shutdown");
                let limits = 3;
                assert!(self.deliveries.len() < 2 * limits, "too many deliveries");
                self.deliveries.push(delivery);
            }
            Action::Wait | Action::WaitUntil(_) => self.pause(&action),
            Action::Stopped => {
                assert!(self.stopping && self.idle(), "stopped too early");
                self.restart();
            }
            action => self.asked.push(action),
        }
    }

    /// Lets time pass, or does what is outstanding.
    fn pause(&mut self, action: &Action) {
        if !self.asked.is_empty() {
            return self.carry_out_one();
        }
        if !self.answers.is_empty() {
            return self.answer_one();
        }
        if !self.deliveries.is_empty() {
            return self.deliver_one();
        }
        if let Action::WaitUntil(at) = action {
            self.now = self.now.max(*at);
        }
    }

    /// An administrator removes a message: who waited in it is lost on purpose.
    fn remove_one(&mut self) {
        let known: Vec<_> = self.disk.messages.keys().copied().collect();
        if known.is_empty() {
            return;
        }
        let id = known[self.dice.below(known.len())];
        if self.manager.remove(MessageId(id)) {
            self.disk.write_off(id);
        }
    }

    fn idle(&self) -> bool {
        self.asked.is_empty() && self.answers.is_empty() && self.deliveries.is_empty()
    }

    fn tell_scan(&mut self) {
        if self.scans.is_empty() {
            return;
        }
        let at = self.dice.below(self.scans.len());
        for id in self.scans.remove(at) {
            self.manager.found(MessageId(id));
        }
    }

    fn carry_out_one(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let at = self.dice.below(self.asked.len());
        let action = self.asked.remove(at);
        let fails = self.dice.percent(self.weather.storage_fails);
        let breaks = self.dice.percent(self.weather.breaks);
        let answer = self.disk.carry_out(action, self.now, fails, breaks);
        self.answers.push(answer);
    }

    fn answer_one(&mut self) {
        if self.answers.is_empty() {
            return;
        }
        let at = self.dice.below(self.answers.len());
        self.answers.remove(at).give(&mut self.manager);
    }

    fn deliver_one(&mut self) {
        if self.deliveries.is_empty() {
            return;
        }
        let at = self.dice.below(self.deliveries.len());
        let delivery = self.deliveries.remove(at);
        // Now and then the last recipients are not even tried.
        let tried = if self.dice.percent(5) {
            self.dice.below(3)
        } else {
            delivery.recipients.len()
        };
        let reports = self.outcomes(&delivery, tried);
        self.manager.delivered(delivery.delivery, reports);
    }

    /// Decides what becomes of a delivery's recipients, in the world and in the reports.
    fn outcomes(&mut self, delivery: &Delivery, tried: usize) -> Vec<Report> {
        let hosts: Vec<_> = delivery
            .recipients
            .iter()
            .map(|r| r.address.domain())
            .collect();
        assert!(
            hosts.windows(2).all(|w| w[0] == w[1]),
            "one host a delivery"
        );
        let mut reports = Vec::new();
        for recipient in delivery.recipients.iter().take(tried) {
            let token = recipient.address.as_bytes().to_vec();
            let outcome = if self.dice.percent(self.weather.deferral) {
                Outcome::Deferral
            } else if self.dice.percent(self.weather.failure) {
                Outcome::Failure
            } else {
                Outcome::Success
            };
            if outcome == Outcome::Success {
                let epochs = self.decided.entry(token.clone()).or_default();
                assert!(
                    epochs.last() != Some(&self.epoch),
                    "seed {}: {recipient:?} is delivered twice without a restart",
                    self.seed
                );
                epochs.push(self.epoch);
                self.disk.delivered.insert(token);
            }
            reports.push(Report::new(outcome, "text\n"));
        }
        reports
    }

    /// A crash, or a start after a shutdown: only the disk stays.
    fn restart(&mut self) {
        // What runs may still reach its recipient, without anybody being told.
        for delivery in std::mem::take(&mut self.deliveries) {
            if self.dice.percent(50) {
                self.outcomes(&delivery, delivery.recipients.len());
            }
        }
        self.asked.clear();
        self.answers.clear();
        self.scans.clear();
        self.stopping = false;
        self.epoch += 1;
        self.manager = Manager::new(settings(&mut self.dice));
        for (id, message) in &self.disk.messages {
            self.manager.recovered(Recovered {
                id: MessageId(*id),
                birth: message.birth,
                sender: message.sender.clone(),
                next: PerChannel::new(message.next(0), message.next(1)),
                bounced: !message.failures.is_empty(),
            });
        }
    }

    fn check(&mut self) {
        self.states += 1;
        let lost = self.disk.lost();
        assert!(lost.is_empty(), "seed {}: lost {lost:?}", self.seed);
    }

    /// The weather clears: everything must come to an end.
    fn settle(&mut self) {
        self.weather = CALM;
        self.restart();
        let mut rounds = 0;
        while !self.disk.todo.is_empty() || !self.disk.messages.is_empty() {
            rounds += 1;
            assert!(rounds < 100_000, "seed {}: no end", self.seed);
            self.scans.push(self.disk.todo.keys().copied().collect());
            self.tell_scan();
            self.poll();
            self.check();
        }
        let status = loop {
            match self.manager.poll(self.now) {
                Action::Log(_) => {}
                _ if self.answers.is_empty() => break self.manager.status(),
                _ => self.answer_one(),
            }
        };
        assert_eq!(
            status.messages, 0,
            "seed {}: forgotten in memory",
            self.seed
        );
    }
}

fn settings(dice: &mut Dice) -> Settings {
    Settings {
        concurrency: PerChannel::new(1 + dice.below(3), 1 + dice.below(3)),
        lifetime: 10_000,
        recipients: 1 + dice.below(3),
        preprocessing: 1 + dice.below(2),
        delay_asked: Some(500),
        delay_unasked: (dice.below(2) == 0).then_some(2000),
    }
}

fn run(seeds: std::ops::Range<u64>) -> usize {
    let mut states = 0;
    for seed in seeds {
        let mut world = World::new(seed);
        for n in 0..6 {
            world.disk.accept(&mut world.dice, n);
            for _ in 0..world.dice.below(150) {
                world.tick();
            }
        }
        for _ in 0..400 {
            world.tick();
        }
        world.settle();
        states += world.states;
    }
    states
}

#[test]
fn accepted_is_delivered_or_bounced_or_queued_whatever_happens() {
    let states = run(0..300);
    assert!(states > 10_000, "only {states} states were seen");
}

#[test]
#[ignore = "takes minutes: the long form of the test above"]
fn accepted_is_delivered_or_bounced_or_queued_in_many_worlds() {
    run(300..50_000);
}
