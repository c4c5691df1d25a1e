//! control/smtproutes: relays by destination domain (qmail-remote(8), spec §2.3).

use super::{ColonMap, suffixes};

/// The lines `domain:relay:port`.
///
/// ```
/// use mta_core::control::SmtpRoutes;
/// let routes = SmtpRoutes::parse(b".in.example:hub.example:2525\nmx.example:\n:[192.0.2.1]\n");
/// let hub = routes.find(b"a.in.example").unwrap();
/// assert_eq!((hub.relay.as_slice(), hub.port), (&b"hub.example"[..], Some(2525)));
/// // An empty relay stops the search: the MX records are used.
/// assert!(routes.find(b"mx.example").unwrap().relay.is_empty());
/// assert_eq!(routes.find(b"other.example").unwrap().relay, b"[192.0.2.1]");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SmtpRoutes(ColonMap);

/// Where mail for a domain is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SmtpRoute {
    /// A host name, an address or an address literal; empty where MX records are to be used.
    pub relay: Vec<u8>,
    /// The port, where one is given.
    pub port: Option<u16>,
}

impl SmtpRoutes {
    /// Reads the file.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self(ColonMap::parse(text))
    }

    /// Returns the first route that fits: the host, its endings from a `.`, then the empty key.
    #[must_use]
    pub fn find(&self, host: &[u8]) -> Option<SmtpRoute> {
        self.find_line(host).map(|(_, route)| route)
    }

    /// As [`SmtpRoutes::find`], with the number of the line that decided; lines count from 1.
    #[must_use]
    pub fn find_line(&self, host: &[u8]) -> Option<(usize, SmtpRoute)> {
        let (line, relay) = suffixes(host)
            .chain(std::iter::once(&b""[..]))
            .find_map(|key| self.0.find_line(key))?;
        Some((line, parse_relay(relay)))
    }

    /// Returns all routes with their keys in lower case and in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], SmtpRoute)> {
        self.0.iter().map(|(key, value)| (key, parse_relay(value)))
    }
}

/// Splits `relay:port`.
///
/// Unlike qmail, colons between brackets belong to the relay, so that `[2001:db8::1]:25` works.
pub(super) fn parse_relay(value: &[u8]) -> SmtpRoute {
    let inside = match value.first() {
        Some(b'[') => value.iter().position(|&b| b == b']').unwrap_or(0),
        _ => 0,
    };
    let colon = value.iter().skip(inside).position(|&b| b == b':');
    let (relay, port) = match colon {
        Some(at) => value.split_at_checked(inside + at).unwrap_or((value, b"")),
        None => (value, &b""[..]),
    };
    SmtpRoute {
        relay: relay.to_vec(),
        port: port
            .get(1..)
            .and_then(super::rules::number)
            .and_then(|n| u16::try_from(n).ok())
            .filter(|&n| n > 0),
    }
}
