//! control/qmqpservers: where qmail-qmqpc takes mail to, in the order tried (qmail-qmqpc(8), spec §2.2, §10).

use super::rules;
use std::net::{IpAddr, SocketAddr};

/// The port of QMQP.
pub const QMQP_PORT: u16 = 628;

/// The servers in the order of the file.
///
/// A line is an IPv4 address. Unlike qmail's it may also be an IPv6 address, and an address may be
/// followed by a port: `192.0.2.1:6280`, `[2001:db8::1]:6280`.
///
/// ```
/// use mta_core::control::QmqpServers;
/// let servers = QmqpServers::parse(b"192.0.2.1\n192.0.2.1\nhub.example\n[2001:db8::1]:6280\n");
/// let shown: Vec<String> = servers.iter().map(|server| server.to_string()).collect();
/// assert_eq!(shown, ["192.0.2.1:628", "192.0.2.1:628", "[2001:db8::1]:6280"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QmqpServers(Vec<SocketAddr>);

impl QmqpServers {
    /// Reads the file; lines that are no addresses are passed over.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self(rules::lines(text).filter_map(|(_, l)| server(l)).collect())
    }

    /// Returns the servers; one that is listed twice is tried twice.
    pub fn iter(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().copied()
    }

    /// Tells whether no line is an address; qmail-qmqpc then exits with 55.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads one line.
pub(super) fn server(line: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(line).ok()?;
    let alone = text.parse::<IpAddr>();
    let alone = alone.map(|ip| SocketAddr::new(ip, QMQP_PORT)).ok();
    alone.or_else(|| text.parse().ok().filter(|s: &SocketAddr| s.port() != 0))
}
