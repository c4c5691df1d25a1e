//! The variables of a connection: what tcpserver's rules set for one client (qmail-smtpd(8), tcprules(1), spec §8.4, §8.7).

use super::{MissingRcptHosts, Relay, Settings, SourceRoutes};
use crate::control::{Matching, rules};

/// What the variables of a connection say, whether they come from the environment of a program or
/// from a rule about the client.
///
/// ```
/// use mta_core::policy::{Relay, Variables};
/// let rule = [("RELAYCLIENT", ""), ("DATABYTES", "10000"), ("QMAILQUEUE", "bin/filter")];
/// let variables = Variables::read(|name| {
///     let set = rule.iter().find(|(variable, _)| *variable == name);
///     set.map(|(_, value)| value.as_bytes().to_vec())
/// });
/// assert_eq!(variables.relay, Relay::Allowed);
/// assert_eq!(variables.databytes, Some(10_000));
/// assert_eq!(variables.qmailqueue.as_deref(), Some(&b"bin/filter"[..]));
/// assert_eq!(variables.hello(b"host.example"), Some(&b"host.example"[..]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Variables {
    /// RELAYCLIENT: set, the client may send to anywhere; its value is appended to recipients.
    pub relay: Relay,
    /// DATABYTES: goes before control/databytes. What is no number is 0, no limit.
    pub databytes: Option<u64>,
    /// QMAILQUEUE: the program that takes the message instead of the queue (qmail-queue(8)).
    pub qmailqueue: Option<Vec<u8>>,
    /// NOBADHELO: set, control/badhelo is not applied.
    pub badhelo: BadHelo,
}

/// Whether control/badhelo is applied to a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadHelo {
    /// It is.
    #[default]
    Applied,
    /// NOBADHELO is set.
    Skipped,
}

impl Variables {
    /// Asks for each variable; `None` is one that is not set.
    #[must_use]
    pub fn read(find: impl Fn(&str) -> Option<Vec<u8>>) -> Self {
        Self {
            relay: match find("RELAYCLIENT") {
                None => Relay::Refused,
                Some(text) if text.is_empty() => Relay::Allowed,
                Some(text) => Relay::Appending(text),
            },
            databytes: find("DATABYTES").map(|text| rules::number(&text).unwrap_or(0)),
            qmailqueue: find("QMAILQUEUE"),
            badhelo: match find("NOBADHELO") {
                None => BadHelo::Applied,
                Some(_) => BadHelo::Skipped,
            },
        }
    }

    /// Returns the argument of HELO for [`Client::hello`](super::Client::hello).
    #[must_use]
    pub fn hello<'a>(&self, name: &'a [u8]) -> Option<&'a [u8]> {
        (self.badhelo == BadHelo::Applied).then_some(name)
    }
}

impl Settings {
    /// Reads the settings of programs that have no mtad.toml from their environment.
    ///
    /// | variable | effect |
    /// |---|---|
    /// | `MISSINGRCPTHOSTS=anything` | without control/rcpthosts everybody relays, as in qmail |
    /// | `NORELAYREJECT` | local parts with `@`, `%` and `!` are taken |
    /// | `NOQREGEX` | the lines of badmailfrom, badmailto and badhelo are no patterns |
    ///
    /// ```
    /// use mta_core::policy::{MissingRcptHosts, Settings};
    /// let open = |name: &str| (name == "MISSINGRCPTHOSTS").then(|| b"anything".to_vec());
    /// assert_eq!(Settings::from_variables(open).missing_rcpthosts, MissingRcptHosts::Anything);
    /// assert_eq!(Settings::from_variables(|_| None), Settings::default());
    /// ```
    #[must_use]
    pub fn from_variables(find: impl Fn(&str) -> Option<Vec<u8>>) -> Self {
        Self::default().with_variables(find)
    }

    /// Puts the variables of one client over these settings, as [`Settings::from_variables`] reads
    /// them.
    ///
    /// ```
    /// use mta_core::policy::{Settings, SourceRoutes};
    /// let lax = |name: &str| (name == "NORELAYREJECT").then(Vec::new);
    /// let settings = Settings::default().with_variables(lax);
    /// assert_eq!(settings.source_routes, SourceRoutes::Accept);
    /// assert_eq!(settings.with_variables(|_| None), settings);
    /// ```
    #[must_use]
    pub fn with_variables(self, find: impl Fn(&str) -> Option<Vec<u8>>) -> Self {
        Self {
            missing_rcpthosts: match find("MISSINGRCPTHOSTS").as_deref() {
                Some(b"anything") => MissingRcptHosts::Anything,
                Some(_) => MissingRcptHosts::OwnDomains,
                None => self.missing_rcpthosts,
            },
            source_routes: match find("NORELAYREJECT") {
                Some(_) => SourceRoutes::Accept,
                None => self.source_routes,
            },
            matching: match find("NOQREGEX") {
                Some(_) => Matching::Literal,
                None => self.matching,
            },
        }
    }
}
