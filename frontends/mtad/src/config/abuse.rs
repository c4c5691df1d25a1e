//! `[abuse]` of mtad.toml: what clients, networks and accounts may ask in a time (RFC 5321 §7.8).

use super::Network;
use mta_core::abuse::{Settings, Tarpit};
use serde::Deserialize;
use std::net::IpAddr;
use std::time::Duration;

/// Rates; zero is no bound.
///
/// ```
/// use mtad::config::Config;
/// let config = Config::parse("[abuse]\nmessages_per_minute = 10\n").unwrap();
/// assert_eq!(config.abuse.settings().messages_per_minute, 10);
/// assert!(config.abuse.exempts("127.0.0.1".parse().unwrap()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Abuse {
    /// The networks whose clients none of this is for; nor is it for those of `relay_from`.
    pub exempt: Vec<Network>,
    /// Connections of one address.
    pub connections_per_minute: u32,
    /// Connections of one network.
    pub network_connections_per_minute: u32,
    /// Commands of one SMTP session.
    pub commands_per_minute: u32,
    /// Messages of one address.
    pub messages_per_minute: u32,
    /// Recipients of one account that has logged in.
    pub recipients_per_day: u32,
    /// Refused recipients of one session that cost no time.
    pub tarpit_after: u32,
    /// Seconds that each further one costs.
    pub tarpit_delay: u64,
    /// Addresses, networks and accounts that each rule remembers.
    pub remembered: usize,
}

impl Default for Abuse {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            exempt: Network::loopback().to_vec(),
            connections_per_minute: settings.connections_per_minute,
            network_connections_per_minute: settings.network_connections_per_minute,
            commands_per_minute: 6000,
            messages_per_minute: settings.messages_per_minute,
            recipients_per_day: settings.recipients_per_day,
            tarpit_after: 5,
            tarpit_delay: 5,
            remembered: settings.remembered,
        }
    }
}

impl Abuse {
    /// Tells whether a client's network is left alone.
    #[must_use]
    pub fn exempts(&self, client: IpAddr) -> bool {
        self.exempt.iter().any(|network| network.contains(client))
    }

    /// The numbers that the guard needs.
    #[must_use]
    pub const fn settings(&self) -> Settings {
        Settings {
            connections_per_minute: self.connections_per_minute,
            network_connections_per_minute: self.network_connections_per_minute,
            messages_per_minute: self.messages_per_minute,
            recipients_per_day: self.recipients_per_day,
            remembered: self.remembered,
        }
    }

    /// The tarpit of a session.
    #[must_use]
    pub const fn tarpit(&self) -> Tarpit {
        Tarpit::new(self.tarpit_after, Duration::from_secs(self.tarpit_delay))
    }
}
