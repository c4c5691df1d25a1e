//! `[auth]` in mtad.toml: who may log in where, and how passwords are kept (RFC 4954 §4, vchkpw(8)).

use mta_auth::password::Recipe;
use mta_auth::sasl::{self, Stored};
use mta_auth::throttle;
use serde::Deserialize;
use std::time::Duration;

/// Logins of SMTP and POP3.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Auth {
    /// The checkpassword program that checks logins in place of our own files, and its arguments;
    /// empty for none. A name without `/` at its beginning is below the home.
    pub program: Vec<String>,
    /// How many such programs run at one time.
    pub programs: usize,
    /// Whether logins are taken on connections in the clear.
    pub without_tls: WithoutTls,
    /// Offer CRAM-MD5 and APOP: vpasswd holds clear passwords.
    pub clear_passwords: bool,
    /// Whether keys of SCRAM are kept, and SCRAM is offered.
    pub scram: Scram,
    /// How new passwords are written.
    pub scheme: Scheme,
    /// Whether a weaker string is replaced when its password was right.
    pub rehash: bool,
    /// Whether the Received line of a message names the account that sent it.
    pub name_account: bool,
    /// Refused logins of an address that cost nothing.
    pub failures_free: u32,
    /// Refused logins of a network that cost nothing.
    pub network_failures_free: u32,
    /// Seconds that the next login waits; each further failure doubles them.
    pub first_delay: u64,
    /// No login waits longer, in seconds, but for those before it.
    pub longest_delay: u64,
    /// Seconds without a failure after which all is forgotten.
    pub failures_forgotten: u64,
    /// Addresses and networks that are remembered.
    pub failures_remembered: usize,
}

/// Where AUTH is offered without TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "here, nowhere or everywhere")]
pub enum WithoutTls {
    /// To this machine.
    #[default]
    Loopback,
    /// To nobody.
    Never,
    /// To everybody: whoever listens reads the passwords.
    Everywhere,
}

/// What is done about SCRAM-SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "nothing, half or all")]
pub enum Scram {
    /// Nothing.
    #[default]
    Off,
    /// Keys are kept for whoever sets a password or logs in with a clear one.
    Keep,
    /// And it is offered: who has no keys yet cannot log in by it.
    Offer,
}

/// The scheme of new passwords.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scheme {
    /// `$6$`, which the original programs verify with every libc.
    #[default]
    Sha512,
    /// `$2b$`.
    Bcrypt,
    /// `$y$`; the original programs verify it where the libc does.
    Yescrypt,
    /// `$argon2id$`, which no original program verifies.
    Argon2id,
}

impl Default for Auth {
    fn default() -> Self {
        let delays = throttle::Settings::default();
        Self {
            program: Vec::new(),
            programs: 10,
            without_tls: WithoutTls::default(),
            clear_passwords: false,
            scram: Scram::default(),
            scheme: Scheme::default(),
            rehash: true,
            name_account: false,
            failures_free: delays.free,
            network_failures_free: delays.network_free,
            first_delay: delays.first.as_secs(),
            longest_delay: delays.longest.as_secs(),
            failures_forgotten: delays.forgotten.as_secs(),
            failures_remembered: delays.remembered,
        }
    }
}

impl Auth {
    pub(crate) const fn without_tls(&self) -> sasl::WithoutTls {
        match self.without_tls {
            WithoutTls::Loopback => sasl::WithoutTls::Loopback,
            WithoutTls::Never => sasl::WithoutTls::Never,
            WithoutTls::Everywhere => sasl::WithoutTls::Everywhere,
        }
    }

    /// What vpasswd holds; `clear_passwd` is the setting in etc/vpopmail.conf.
    pub(crate) fn stored(&self, clear_passwd: bool) -> Stored {
        Stored {
            clear: self.clear_passwords || clear_passwd,
            scram: self.offers_scram(),
        }
    }

    /// A checkpassword program knows no keys.
    pub(crate) fn offers_scram(&self) -> bool {
        self.scram == Scram::Offer && self.program.is_empty()
    }

    pub(crate) fn keeps_scram(&self) -> bool {
        self.scram != Scram::Off
    }

    pub(crate) const fn delays(&self) -> throttle::Settings {
        throttle::Settings {
            free: self.failures_free,
            network_free: self.network_failures_free,
            first: Duration::from_secs(self.first_delay),
            longest: Duration::from_secs(self.longest_delay),
            forgotten: Duration::from_secs(self.failures_forgotten),
            remembered: self.failures_remembered,
        }
    }

    pub(crate) const fn recipe(&self) -> Recipe {
        match self.scheme {
            Scheme::Sha512 => Recipe::SHA512,
            Scheme::Bcrypt => Recipe::BCRYPT,
            Scheme::Yescrypt => Recipe::Yescrypt,
            Scheme::Argon2id => Recipe::ARGON2ID,
        }
    }
}
