//! Limits on what one client, its network or one account may ask in a time, as values that are told the time (RFC 5321 §7.8, RFC 6409 §6).
//!
//! Every table has a bound: where it is full, what would be refused soonest is remembered and what
//! is as good as new forgotten, so that a swarm of addresses neither grows memory nor washes its
//! own record away.

mod guard;
mod place;
mod rates;
mod recipients;
mod tarpit;

pub use guard::{Guard, Settings};
pub use place::Place;
pub use rates::{Rate, Rates};
pub use recipients::Recipients;
pub use tarpit::Tarpit;

use std::fmt;

/// A rule that refuses, under the name of its setting.
///
/// ```
/// use mta_core::abuse::Rule;
/// assert_eq!(Rule::MessagesPerMinute.to_string(), "messages_per_minute");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// Connections of one address.
    ConnectionsPerMinute,
    /// Connections of one network.
    NetworkConnectionsPerMinute,
    /// Messages of one address.
    MessagesPerMinute,
    /// Recipients of one account.
    RecipientsPerDay,
}

impl Rule {
    /// The words for whoever is refused.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ConnectionsPerMinute => "too many connections in a short time from your address",
            Self::NetworkConnectionsPerMinute => {
                "too many connections in a short time from your network"
            }
            Self::MessagesPerMinute => "too many messages in a short time from your address",
            Self::RecipientsPerDay => "your account has used up its recipients of this day",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConnectionsPerMinute => "connections_per_minute",
            Self::NetworkConnectionsPerMinute => "network_connections_per_minute",
            Self::MessagesPerMinute => "messages_per_minute",
            Self::RecipientsPerDay => "recipients_per_day",
        })
    }
}
