//! `[auth]` in mtad.toml: who may log in where, and how passwords are kept (RFC 4954 §4, vchkpw(8)).

use mta_auth::password::Recipe;
use mta_auth::sasl::{self, Stored};
use serde::Deserialize;

/// Logins of SMTP and POP3.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Auth {
    /// Whether AUTH is offered on connections in the clear.
    pub without_tls: WithoutTls,
    /// Offer CRAM-MD5 and APOP: vpasswd holds clear passwords.
    pub clear_passwords: bool,
    /// How new passwords are written.
    pub scheme: Scheme,
    /// Whether a weaker string is replaced when its password was right.
    pub rehash: bool,
    /// Whether the Received line of a message names the account that sent it.
    pub name_account: bool,
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
        Self {
            without_tls: WithoutTls::default(),
            clear_passwords: false,
            scheme: Scheme::default(),
            rehash: true,
            name_account: false,
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
    pub(crate) const fn stored(&self, clear_passwd: bool) -> Stored {
        Stored {
            clear: self.clear_passwords || clear_passwd,
            scram: false,
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
