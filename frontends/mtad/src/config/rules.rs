//! `[rules]` and `[dnsbl]` of mtad.toml: whose connections are taken, and who stands on which list (tcprules(1), rblsmtpd(1)).

use mta_core::dnsbl::{Class, Failure, Source, Strictness};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Files that tcprules wrote, by service. Paths begin at the home; an empty one is none.
///
/// ```
/// use mtad::config::Config;
/// let config = Config::parse("[rules]\nsmtp = \"etc/tcp.smtp.cdb\"\n").unwrap();
/// assert_eq!(config.rules.of("smtps"), Some("etc/tcp.smtp.cdb".as_ref()));
/// assert_eq!(config.rules.of("pop3"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Rules {
    /// For `smtp` and `smtps`.
    pub smtp: PathBuf,
    /// For `submission`.
    pub submission: PathBuf,
    /// For `pop3` and `pop3s`.
    pub pop3: PathBuf,
    /// For `qmtp`.
    pub qmtp: PathBuf,
    /// For `qmqp`.
    pub qmqp: PathBuf,
}

impl Rules {
    /// One file for every service.
    #[must_use]
    pub fn for_all(path: &Path) -> Self {
        let path = || path.to_owned();
        Self {
            smtp: path(),
            submission: path(),
            pop3: path(),
            qmtp: path(),
            qmqp: path(),
        }
    }

    /// The file of a listener, by the listener's name.
    #[must_use]
    pub fn of(&self, service: &str) -> Option<&Path> {
        let path = match service {
            "smtp" | "smtps" => &self.smtp,
            "submission" => &self.submission,
            "pop3" | "pop3s" => &self.pop3,
            "qmtp" => &self.qmtp,
            "qmqp" => &self.qmqp,
            _ => return None,
        };
        Some(path.as_path()).filter(|path| !path.as_os_str().is_empty())
    }
}

/// Lists of addresses in DNS, and what becomes of those who stand on them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Dnsbl {
    /// Lists whose clients are let in; they are asked first.
    pub allow: Vec<String>,
    /// Lists whose clients are refused: `base`, or `base:text` for a text of our own.
    pub deny: Vec<String>,
    /// Where a client hears of it.
    pub at: Point,
    /// Whether it may come again.
    pub refuse: Refuse,
    /// What a list that does not answer means.
    pub unanswered: Unanswered,
    /// How long one list may take to answer, in seconds.
    pub timeout: u64,
}

/// Where a client is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Point {
    /// At the greeting, before it can log in.
    Connect,
    /// At each recipient, as by rblsmtpd; whoever has logged in is not.
    #[default]
    Rcpt,
}

/// How a client is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Refuse {
    /// With 451, `-B` of rblsmtpd.
    #[default]
    Temporary,
    /// With 553, `-b` of rblsmtpd.
    Permanent,
}

/// What a list that does not answer means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Unanswered {
    /// The client is let in, `-C` of rblsmtpd.
    #[default]
    Accept,
    /// It is refused for now, `-c` of rblsmtpd.
    Refuse,
}

impl Default for Dnsbl {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            at: Point::default(),
            refuse: Refuse::default(),
            unanswered: Unanswered::default(),
            timeout: 10,
        }
    }
}

impl Dnsbl {
    /// The lists in the order in which they are asked.
    #[must_use]
    pub fn sources(&self) -> Vec<Source> {
        let strictness = Strictness {
            class: match self.refuse {
                Refuse::Temporary => Class::Temporary,
                Refuse::Permanent => Class::Permanent,
            },
            failure: match self.unanswered {
                Unanswered::Accept => Failure::Open,
                Unanswered::Refuse => Failure::Closed,
            },
        };
        let allow = self
            .allow
            .iter()
            .map(|base| Source::allow(base, strictness));
        let deny = self.deny.iter().map(|base| Source::deny(base, strictness));
        allow.chain(deny).collect()
    }

    /// How long one list may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}
