//! How long a login has to wait after failed ones, by address and by network (RFC 4954 §9, RFC 4616 §6).
//!
//! A delay never hangs on an account: whoever guesses joe's password slows down itself and its own
//! network, and joe logs in from anywhere else at once. An address from which a login succeeded
//! does not feel its network's delay.

use mta_core::Mono;
use mta_core::abuse::Place;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// The numbers of the delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are filled in with `..Default::default()`"
)]
pub struct Settings {
    /// Failures of an address that cost nothing.
    pub free: u32,
    /// Failures of a network that cost nothing.
    pub network_free: u32,
    /// The delay of the first failure beyond those; each further one doubles it.
    pub first: Duration,
    /// No delay is longer.
    pub longest: Duration,
    /// Failures are forgotten after so long without another.
    pub forgotten: Duration,
    /// Addresses and networks that are remembered; beyond that the oldest are forgotten.
    pub remembered: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            free: 3,
            network_free: 30,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            forgotten: Duration::from_secs(900),
            remembered: 8192,
        }
    }
}

/// What is remembered of failed logins; a value, with time as an argument.
///
/// ```
/// use mta_auth::throttle::{Settings, Throttle};
/// use mta_core::Mono;
/// use std::time::Duration;
/// let mut throttle = Throttle::new(Settings::default());
/// let (guesser, owner) = ("192.0.2.7".parse().unwrap(), "198.51.100.1".parse().unwrap());
/// for _ in 0..5 {
///     throttle.failed(guesser, Mono::ZERO);
/// }
/// assert_eq!(throttle.delay(guesser, Mono::ZERO), Duration::from_secs(2));
/// assert_eq!(throttle.delay(owner, Mono::ZERO), Duration::ZERO);
/// ```
#[derive(Clone, Debug)]
pub struct Throttle {
    settings: Settings,
    places: HashMap<Place, Record>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    failures: u32,
    last: Mono,
    known: bool,
    /// When the last login that waits is checked.
    turn: Mono,
}

impl Record {
    const fn new(now: Mono) -> Self {
        Self {
            failures: 0,
            last: now,
            known: false,
            turn: now,
        }
    }
}

impl Throttle {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            places: HashMap::new(),
        }
    }

    /// Gives a login its turn: how long it has to wait before it is checked. Logins of one address
    /// wait behind each other, so that many at once gain nothing. `None` where so many wait that it
    /// should be sent away.
    pub fn turn(&mut self, from: IpAddr, now: Mono) -> Option<Duration> {
        let delay = self.delay(from, now);
        if delay.is_zero() {
            return Some(delay);
        }
        let place = Place::address(from);
        let mut record = self.fresh(place, now).unwrap_or_else(|| Record::new(now));
        let turn = (now + delay).max(record.turn + delay);
        let wait = turn.since(now);
        if wait > self.settings.longest.saturating_mul(2) {
            return None;
        }
        record.turn = turn;
        self.keep(place, record);
        Some(wait)
    }

    /// How long the next login from an address has to wait before it is checked.
    #[must_use]
    pub fn delay(&self, from: IpAddr, now: Mono) -> Duration {
        let own = self.fresh(Place::address(from), now);
        let delay = own.map_or(Duration::ZERO, |r| {
            self.cost(r.failures, self.settings.free)
        });
        if own.is_some_and(|record| record.known) {
            return delay;
        }
        let network = self.fresh(Place::network(from), now);
        let shared = network.map_or(Duration::ZERO, |r| {
            self.cost(r.failures, self.settings.network_free)
        });
        delay.max(shared)
    }

    /// Notes a wrong name or password.
    pub fn failed(&mut self, from: IpAddr, now: Mono) {
        for place in [Place::address(from), Place::network(from)] {
            let mut record = self.fresh(place, now).unwrap_or_else(|| Record::new(now));
            record.failures = record.failures.saturating_add(1);
            record.last = now;
            self.keep(place, record);
        }
    }

    /// Notes a right one: the address begins anew. Its network does not, or one account of one's
    /// own would pay for guesses at all others.
    pub fn succeeded(&mut self, from: IpAddr, now: Mono) {
        let record = Record {
            known: true,
            ..Record::new(now)
        };
        self.keep(Place::address(from), record);
    }

    /// How many addresses and networks are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.places.len()
    }

    fn fresh(&self, place: Place, now: Mono) -> Option<Record> {
        let record = self.places.get(&place).copied();
        record.filter(|record| now.since(record.last) < self.settings.forgotten)
    }

    fn keep(&mut self, place: Place, record: Record) {
        let full = self.places.len() >= self.settings.remembered.max(2);
        if full && !self.places.contains_key(&place) {
            let forgotten = self.settings.forgotten;
            self.places
                .retain(|_, old| record.last.since(old.last) < forgotten);
            if self.places.len() >= self.settings.remembered.max(2) {
                // What troubles least goes first, or a swarm would wash its own record away.
                let least = self.places.iter().min_by_key(|(_, r)| (r.failures, r.last));
                let least = least.map(|(place, _)| *place);
                least.and_then(|place| self.places.remove(&place));
            }
        }
        self.places.insert(place, record);
    }

    fn cost(&self, failures: u32, free: u32) -> Duration {
        let Some(beyond) = failures.checked_sub(free.saturating_add(1)) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(beyond).unwrap_or(u32::MAX);
        self.settings
            .first
            .saturating_mul(factor)
            .min(self.settings.longest)
    }
}
