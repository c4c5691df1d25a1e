//! Which DNS servers to ask and how patiently, as resolv.conf says it (resolv.conf(5)).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The port of DNS servers.
const PORT: u16 = 53;

/// The most servers that are used, as in the C library.
const SERVERS_MAX: usize = 3;

/// The servers in the order in which they are asked, never empty.
///
/// ```
/// use mta_proto::dns::ServerList;
/// let list = ServerList::from_resolv_conf("nameserver 192.0.2.53\noptions timeout:2 rotate\n");
/// assert_eq!(list.servers()[0].to_string(), "192.0.2.53:53");
/// assert_eq!(list.timeout.as_secs(), 2);
/// assert!(list.rotate);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerList {
    servers: Vec<SocketAddr>,
    /// How long one try waits for its answer.
    pub timeout: Duration,
    /// How often each server is tried.
    pub attempts: u8,
    /// Whether look-ups begin with different servers.
    pub rotate: bool,
}

impl Default for ServerList {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl ServerList {
    /// Takes the servers as they are; where there is none, the local host is asked.
    #[must_use]
    pub fn new(servers: Vec<SocketAddr>) -> Self {
        let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);
        Self {
            servers: if servers.is_empty() {
                vec![local]
            } else {
                servers
            },
            timeout: Duration::from_secs(5),
            attempts: 2,
            rotate: false,
        }
    }

    /// Reads the text of a resolv.conf: `nameserver`, and `timeout:`, `attempts:` and `rotate` of
    /// `options`. What is unknown or not understood is skipped; mail names are absolute, so
    /// `search` and `ndots` mean nothing here.
    #[must_use]
    pub fn from_resolv_conf(text: &str) -> Self {
        let mut servers = Vec::new();
        let mut list = Self::default();
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let ip = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    servers.extend(ip.map(|ip| SocketAddr::new(ip, PORT)));
                }
                Some("options") => words.for_each(|word| list.option(word)),
                _ => {}
            }
        }
        servers.truncate(SERVERS_MAX);
        Self {
            servers: Self::new(servers).servers,
            ..list
        }
    }

    /// Reads the addresses of a variable DNSCACHEIP, each perhaps with its port behind it; `None`
    /// where there is none, so that resolv.conf counts.
    ///
    /// ```
    /// use mta_proto::dns::ServerList;
    /// let list = ServerList::from_dnscacheip("192.0.2.53 [2001:db8::1]:5353").unwrap();
    /// assert_eq!(list.servers()[1].port(), 5353);
    /// assert!(ServerList::from_dnscacheip("nonsense").is_none());
    /// ```
    #[must_use]
    pub fn from_dnscacheip(text: &str) -> Option<Self> {
        let server = |word: &str| {
            let bare = word.parse().map(|ip| SocketAddr::new(ip, PORT));
            bare.or_else(|_| word.parse()).ok()
        };
        let servers: Vec<_> = text.split_whitespace().filter_map(server).collect();
        (!servers.is_empty()).then(|| Self::new(servers))
    }

    /// Returns the servers; [`Transmit::server`](super::Transmit) counts in them.
    #[must_use]
    pub fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    /// Tells which server has that address.
    #[must_use]
    pub fn position(&self, address: SocketAddr) -> Option<usize> {
        self.servers.iter().position(|&server| server == address)
    }

    fn option(&mut self, word: &str) {
        let number = |rest: &str| rest.parse::<u8>().ok();
        if word == "rotate" {
            self.rotate = true;
        } else if let Some(seconds) = word.strip_prefix("timeout:").and_then(number) {
            self.timeout = Duration::from_secs(u64::from(seconds.clamp(1, 30)));
        } else if let Some(attempts) = word.strip_prefix("attempts:").and_then(number) {
            self.attempts = attempts.clamp(1, 5);
        }
    }
}
