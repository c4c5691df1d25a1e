//! All rates of a server in one value (RFC 5321 §7.8).

use super::{Place, Rate, Rates, Recipients, Rule};
use crate::{Mono, Unix};
use std::net::IpAddr;

/// The numbers; zero sets no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are filled in with `..Default::default()`"
)]
pub struct Settings {
    /// Connections of one address a minute.
    pub connections_per_minute: u32,
    /// Connections of one network a minute.
    pub network_connections_per_minute: u32,
    /// Messages of one address a minute.
    pub messages_per_minute: u32,
    /// Recipients of one account a day.
    pub recipients_per_day: u32,
    /// Places and accounts that each rule remembers.
    pub remembered: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections_per_minute: 600,
            network_connections_per_minute: 3000,
            messages_per_minute: 1200,
            recipients_per_day: 5000,
            remembered: 8192,
        }
    }
}

/// What is remembered of clients and accounts; a value, with time as an argument.
///
/// ```
/// use mta_core::Mono;
/// use mta_core::abuse::{Guard, Rule, Settings};
/// let settings = Settings { connections_per_minute: 1, ..Settings::default() };
/// let mut guard = Guard::new(settings);
/// let client = "192.0.2.1".parse().unwrap();
/// assert_eq!(guard.connection(client, Mono::ZERO), Ok(()));
/// assert_eq!(guard.connection(client, Mono::ZERO), Err(Rule::ConnectionsPerMinute));
/// ```
#[derive(Clone, Debug)]
pub struct Guard {
    connections: Rates,
    networks: Rates,
    messages: Rates,
    recipients: Recipients,
}

impl Guard {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let rates = |most| Rates::new(Rate::per_minute(most), settings.remembered);
        Self {
            connections: rates(settings.connections_per_minute),
            networks: rates(settings.network_connections_per_minute),
            messages: rates(settings.messages_per_minute),
            recipients: Recipients::new(settings.recipients_per_day, settings.remembered),
        }
    }

    /// Counts a connection. One that is refused counts for nobody, so that a single address cannot
    /// use up what its network has.
    ///
    /// # Errors
    /// Names the rule that refuses it; later helps.
    pub fn connection(&mut self, client: IpAddr, now: Mono) -> Result<(), Rule> {
        let (address, network) = (Place::address(client), Place::network(client));
        if !self.connections.fits(address, now) {
            return Err(Rule::ConnectionsPerMinute);
        }
        if !self.networks.take(network, now) {
            return Err(Rule::NetworkConnectionsPerMinute);
        }
        self.connections.take(address, now);
        Ok(())
    }

    /// Counts a message.
    ///
    /// # Errors
    /// Names the rule that refuses it; later helps.
    pub fn message(&mut self, client: IpAddr, now: Mono) -> Result<(), Rule> {
        let fits = self.messages.take(Place::address(client), now);
        fits.then_some(()).ok_or(Rule::MessagesPerMinute)
    }

    /// Counts a recipient that somebody who has logged in writes to.
    ///
    /// # Errors
    /// Names the rule that refuses it; the next day helps.
    pub fn recipient(&mut self, account: &str, now: Unix) -> Result<(), Rule> {
        let fits = self.recipients.take(account, now);
        fits.then_some(()).ok_or(Rule::RecipientsPerDay)
    }

    /// How much is remembered in all; four times [`Settings::remembered`] at most.
    #[must_use]
    pub fn remembered(&self) -> usize {
        let rates = [&self.connections, &self.networks, &self.messages];
        let places: usize = rates.into_iter().map(Rates::remembered).sum();
        places + self.recipients.remembered()
    }
}
