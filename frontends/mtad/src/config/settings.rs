//! The settings of mtad.toml with their defaults, each in one place.

use super::{Abuse, Auth, Dnsbl, Network, Notices, Proxy, Rules, Tls};
use delivery::dates::Dates;
use mta_core::control::Matching;
use mta_core::policy::{self, Settings, SourceRoutes};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Everything that mtad.toml may say.
///
/// ```
/// use mtad::config::Config;
/// let config = Config::parse("relay_from = [\"127.0.0.0/8\"]\n").unwrap();
/// assert!(config.may_relay("127.0.0.1".parse().unwrap()));
/// assert!(!Config::default().may_relay("127.0.0.1".parse().unwrap()));
/// let (line, said) = Config::parse("\nsmtp = 25\n").unwrap_err();
/// assert_eq!(line, 2);
/// assert!(said.contains("expected"), "{said}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Config {
    /// Where mail is taken by SMTP.
    #[serde(deserialize_with = "listeners")]
    pub smtp: Vec<SocketAddr>,
    /// Where mail is handed out by POP3.
    #[serde(deserialize_with = "listeners")]
    pub pop3: Vec<SocketAddr>,
    /// Where mail is taken by SMTP under TLS from the first byte on.
    #[serde(deserialize_with = "listeners")]
    pub smtps: Vec<SocketAddr>,
    /// Where accounts hand in mail by SMTP, after a login.
    #[serde(deserialize_with = "listeners")]
    pub submission: Vec<SocketAddr>,
    /// Where mail is handed out by POP3 under TLS from the first byte on.
    #[serde(deserialize_with = "listeners")]
    pub pop3s: Vec<SocketAddr>,
    /// Where mail is taken by QMTP; needs `qmtp_from`.
    #[serde(deserialize_with = "listeners")]
    pub qmtp: Vec<SocketAddr>,
    /// Where mail is taken by QMQP; needs `qmqp_from`.
    #[serde(deserialize_with = "listeners")]
    pub qmqp: Vec<SocketAddr>,
    /// The networks whose clients may connect by QMTP.
    pub qmtp_from: Vec<Network>,
    /// The networks whose clients may connect by QMQP, hence send to anywhere.
    pub qmqp_from: Vec<Network>,
    /// The networks whose clients may send to anywhere. Loopback is not implied.
    pub relay_from: Vec<Network>,
    /// What a missing control/rcpthosts means.
    pub missing_rcpthosts: MissingRcptHosts,
    /// Refuse recipients with `@`, `%` or `!` in the local part.
    pub relay_reject: bool,
    /// The lines of badmailfrom, badmailto and badhelo are patterns.
    pub qregex: bool,
    /// Write dates into messages in local time instead of UTC.
    pub local_dates: bool,
    /// The program that takes every message instead of the queue, as qmail-queue is called; a name
    /// without `/` at its beginning is below the home, an empty one is none. QMAILQUEUE in the
    /// environment goes before it.
    pub qmailqueue: String,
    /// What an account without a .qmail file gets: lines as in such a file.
    pub defaultdelivery: String,
    /// What bounds memory and patience.
    pub limits: Limits,
    /// How long things may take, in seconds.
    pub timeouts: Timeouts,
    /// What clients, networks and accounts may ask in a time.
    pub abuse: Abuse,
    /// What senders are told besides failures.
    pub notices: Notices,
    /// Who may log in where, and how passwords are kept.
    pub auth: Auth,
    /// Who speaks for other clients.
    pub proxy: Proxy,
    /// Whose connections are taken.
    pub rules: Rules,
    /// Who stands on which list in DNS.
    pub dnsbl: Dnsbl,
    /// Certificates, and the TLS of deliveries.
    pub tls: Tls,
    /// Who answers DNS questions.
    pub dns: Dns,
    /// What only tests need.
    pub testing: Testing,
}

/// What a missing control/rcpthosts means, as mtad.toml says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MissingRcptHosts {
    /// Mail is taken for what is delivered here.
    #[default]
    OwnDomains,
    /// Mail is taken for everybody from everybody: an open relay.
    Anything,
}

/// Bounds, each named.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Limits {
    /// SMTP connections at one time.
    pub smtp_sessions: usize,
    /// POP3 connections at one time.
    pub pop3_sessions: usize,
    /// Connections of one client address (64 bits of IPv6) at one time: so many to SMTP, QMTP and
    /// QMQP together, and as many to POP3.
    pub sessions_per_client: usize,
    /// The same for one network: 24 bits of IPv4, 48 of IPv6.
    pub sessions_per_network: usize,
    /// Bytes of one SMTP command line.
    pub command_line: usize,
    /// Recipients of one message taken by SMTP.
    pub recipients: usize,
    /// Bytes of a message's header.
    pub header_size: u64,
    /// Received and Delivered-To lines before a message counts as looping.
    pub hops: u32,
    /// Bytes of a refused message that are read for the sake of its reply, beyond databytes.
    pub refused_size: u64,
    /// Bytes a second that a message has to come with on the whole, in and out.
    pub body_rate: u64,
    /// Bytes of all SMTP, QMTP and QMQP clients that wait to be looked at or are on their way to
    /// the store, beside 4 KiB of each.
    pub incoming_bytes: usize,
    /// Bytes of one SMTP client that wait to be looked at.
    pub input_buffer: usize,
    /// Errors of one SMTP client before it is sent away.
    pub errors: u32,
    /// Wrong passwords of one POP3 client before it is sent away.
    pub pop3_logins: u32,
    /// Messages of Maildirs that are remembered from one POP3 session to the next, about 250 bytes
    /// each; 0 remembers none.
    pub pop3_remembered: usize,
    /// Recipients of one transaction with a remote host.
    pub remote_recipients: usize,
    /// Idle connections to remote hosts that are kept for the next message.
    pub remote_idle: usize,
    /// Threads that make file calls; tasks never do.
    pub store_threads: usize,
    /// Jobs that wait for such a thread.
    pub store_jobs: usize,
    /// Message bytes that wait for such a thread.
    pub store_bytes: usize,
    /// Bytes of the journal that `mtad why` reads, in two files; 0 keeps none.
    pub journal: u64,
}

/// Time limits in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Timeouts {
    /// A silent POP3 client is sent away after this (RFC 1939 §3 asks for 600 at least).
    pub pop3: u64,
    /// A connection to a remote host is kept this long for the next message.
    pub remote_idle: u64,
    /// An SMTP client that brings no message for this long is sent away, however busy it is.
    pub smtp_session: u64,
    /// A POP3 session ends after this, however busy it is.
    pub pop3_session: u64,
    /// A TLS handshake that takes longer ends the connection.
    pub tls_handshake: u64,
    /// A proxy that does not tell within this whose connection it hands on is refused.
    pub proxy_header: u64,
    /// SIGTERM ends the server within this; what still runs half a second before is cut.
    pub stop: u64,
    /// A program in a .qmail file that runs longer is killed, and the delivery tried again.
    pub program: u64,
    /// A checkpassword program that does not end within this is killed, and the login not decided.
    pub check_program: u64,
    /// A queue program that does not go on for longer is killed, and the message refused for now.
    pub queue_program: u64,
    /// How often todo/ is looked through without being told to.
    pub todo: u64,
}

/// Who answers DNS questions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Dns {
    /// Where the servers are listed (resolv.conf(5)).
    pub resolv_conf: PathBuf,
    /// The servers as IP or IP:PORT; where given, resolv_conf is not read.
    #[serde(deserialize_with = "nameservers")]
    pub nameservers: Vec<SocketAddr>,
}

/// What only tests need; leave it out of every real home.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Testing {
    /// The port of remote hosts where smtproutes names none.
    pub remote_port: u16,
    /// Treat 127.0.0.0/8 and ::1 as other hosts, so that fake ones can live there.
    pub loopback_is_remote: bool,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = |port| vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
        Self {
            smtp: loopback(2525),
            pop3: loopback(2110),
            smtps: Vec::new(),
            submission: Vec::new(),
            pop3s: Vec::new(),
            qmtp: Vec::new(),
            qmqp: Vec::new(),
            qmtp_from: Vec::new(),
            qmqp_from: Vec::new(),
            relay_from: Vec::new(),
            missing_rcpthosts: MissingRcptHosts::OwnDomains,
            relay_reject: true,
            qregex: true,
            local_dates: false,
            qmailqueue: String::new(),
            defaultdelivery: "./Mailbox".to_owned(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            abuse: Abuse::default(),
            notices: Notices::default(),
            auth: Auth::default(),
            proxy: Proxy::default(),
            rules: Rules::default(),
            dnsbl: Dnsbl::default(),
            tls: Tls::default(),
            dns: Dns::default(),
            testing: Testing::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            smtp_sessions: 4000,
            pop3_sessions: 4000,
            sessions_per_client: 2000,
            sessions_per_network: 3000,
            command_line: 2048,
            recipients: 1000,
            header_size: 256 * 1024,
            hops: 100,
            refused_size: 256 * 1024 * 1024,
            body_rate: 100,
            incoming_bytes: 64 * 1024 * 1024,
            input_buffer: 64 * 1024,
            errors: 20,
            pop3_logins: 3,
            pop3_remembered: 200_000,
            remote_recipients: 100,
            remote_idle: 20,
            store_threads: 32,
            store_jobs: 1024,
            store_bytes: 16 * 1024 * 1024,
            journal: 8 * 1024 * 1024,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            pop3: 600,
            remote_idle: 10,
            smtp_session: 3600,
            pop3_session: 86_400,
            tls_handshake: 30,
            proxy_header: 10,
            stop: 5,
            program: 3600,
            check_program: 30,
            queue_program: 600,
            todo: 1500,
        }
    }
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            resolv_conf: "/etc/resolv.conf".into(),
            nameservers: Vec::new(),
        }
    }
}

impl Default for Testing {
    fn default() -> Self {
        Self {
            remote_port: 25,
            loopback_is_remote: false,
        }
    }
}

impl Config {
    /// Tells whether a client may send to anywhere.
    #[must_use]
    pub fn may_relay(&self, client: IpAddr) -> bool {
        self.relay_rule(client).is_some()
    }

    /// The network of `relay_from` by which a client may send to anywhere.
    #[must_use]
    pub fn relay_rule(&self, client: IpAddr) -> Option<&Network> {
        self.relay_from
            .iter()
            .find(|network| network.contains(client))
    }

    /// In which zone dates are written.
    #[must_use]
    pub const fn dates(&self) -> Dates {
        match self.local_dates {
            true => Dates::Local,
            false => Dates::Utc,
        }
    }

    /// What the policy at RCPT wants to know beside the control files.
    #[must_use]
    pub fn policy(&self) -> Settings {
        Settings {
            missing_rcpthosts: match self.missing_rcpthosts {
                MissingRcptHosts::OwnDomains => policy::MissingRcptHosts::OwnDomains,
                MissingRcptHosts::Anything => policy::MissingRcptHosts::Anything,
            },
            source_routes: match self.relay_reject {
                true => SourceRoutes::Refuse,
                false => SourceRoutes::Accept,
            },
            matching: match self.qregex {
                true => Matching::Regex,
                false => Matching::Literal,
            },
        }
    }

    /// Tells whether a client may connect by QMTP.
    #[must_use]
    pub fn may_qmtp(&self, client: IpAddr) -> bool {
        let mut networks = self.qmtp_from.iter();
        networks.any(|network| network.contains(client))
    }

    /// Tells whether a client may connect by QMQP.
    #[must_use]
    pub fn may_qmqp(&self, client: IpAddr) -> bool {
        let mut networks = self.qmqp_from.iter();
        networks.any(|network| network.contains(client))
    }

    /// A listener that cannot be without a certificate.
    #[must_use]
    pub fn tls_service(&self) -> Option<&'static str> {
        let services = [("smtps", &self.smtps), ("pop3s", &self.pop3s)];
        let used = services
            .into_iter()
            .find(|(_, listeners)| !listeners.is_empty());
        used.map(|(name, _)| name)
    }

    /// A listener whose list of networks is missing: what has to be said about it.
    #[must_use]
    pub fn unfenced(&self) -> Option<String> {
        let fenced = [
            ("qmtp", &self.qmtp, &self.qmtp_from),
            ("qmqp", &self.qmqp, &self.qmqp_from),
        ];
        let open = fenced
            .into_iter()
            .find(|(_, listeners, networks)| !listeners.is_empty() && networks.is_empty());
        open.map(|(name, ..)| {
            format!("{name}: expected the networks that may connect in {name}_from of mtad.toml, found none")
        })
    }
}

impl Timeouts {
    /// How long SIGTERM lets work finish.
    #[must_use]
    pub const fn stop(&self) -> Duration {
        Duration::from_secs(self.stop)
    }
}

fn listeners<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let parse = |text: String| {
        text.parse().map_err(|_| {
            serde::de::Error::custom(format!(
                "expected addresses with ports such as \"127.0.0.1:2525\" or \"[::1]:2525\", found {text:?}"
            ))
        })
    };
    texts.into_iter().map(parse).collect()
}

fn nameservers<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let parse = |text: String| {
        let address = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
        address.or_else(|_| text.parse()).map_err(|_| {
            serde::de::Error::custom(format!(
                "expected addresses such as \"192.0.2.53\" or \"127.0.0.1:5353\", found {text:?}"
            ))
        })
    };
    texts.into_iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_says_the_defaults() {
        assert_eq!(Config::parse(super::super::TEMPLATE), Ok(Config::default()));
        let active: String = super::super::TEMPLATE
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|l| l.contains(" = ") || l.starts_with('['))
                    .unwrap_or("")
            })
            .fold(String::new(), |all, line| all + line + "\n");
        assert_eq!(Config::parse(&active), Ok(Config::default()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let rows = [
            ("unknown key", "smtp = []\nsmpt = []\n", 2, "unknown field"),
            (
                "wrong kind",
                "relay_from = \"127.0.0.1\"\n",
                1,
                "expected a sequence",
            ),
            (
                "no network",
                "\n\nrelay_from = [\"10.0.0.0/99\"]\n",
                3,
                "expected a network",
            ),
            (
                "no port",
                "smtp = [\"127.0.0.1\"]\n",
                1,
                "expected addresses with ports",
            ),
            (
                "zero",
                "[limits]\nhops = 3\nrecipients = 0\n",
                3,
                "expected 1 or more",
            ),
            (
                "too small",
                "[limits]\ncommand_line = 100\n",
                2,
                "expected 512 or more",
            ),
            (
                "blank default",
                "\ndefaultdelivery = \"\\n./Maildir/\"\n",
                2,
                "the first not blank",
            ),
            ("no toml", "smtp = [\n", 1, "expected `]`"),
            (
                "no level",
                "[tls.routes]\n\"example.com\" = \"always\"\n",
                1,
                "expected \"none\", \"may\"",
            ),
            ("old version", "[tls]\nmin_version = \"1.1\"\n", 2, "1.2"),
            (
                "key alone",
                "[tls]\nsni = [{ key = \"k\" }]\n",
                2,
                "missing field",
            ),
        ];
        for (name, text, line, said) in rows {
            let (at, words) = Config::parse(text).expect_err(name);
            assert_eq!(at, line, "{name}: {words}");
            assert!(words.contains(said), "{name}: {words}");
        }
    }
}
