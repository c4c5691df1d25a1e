//! `[tls]` in mtad.toml: where certificates stand, and what is asked of other hosts.

use mta_core::tls_level::{Level, Levels};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Certificates, and the TLS of deliveries. Paths begin at the home.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Tls {
    /// Where the certificate stands with its chain, and its key too unless `key` names another file.
    pub certificate: PathBuf,
    /// Where the key stands; empty where it stands with the certificate.
    pub key: PathBuf,
    /// Further certificates, for clients that ask for the hosts in them.
    pub sni: Vec<PairOfFiles>,
    /// The oldest version that clients may speak.
    pub min_version: MinVersion,
    /// How often the files are looked at for a change, in seconds.
    pub watch: u64,
    /// What deliveries ask of hosts that `routes` does not name.
    #[serde(deserialize_with = "level")]
    pub outgoing: Level,
    /// What deliveries ask by destination domain, or ending of one from a dot.
    #[serde(deserialize_with = "levels")]
    pub routes: Levels,
    /// Whom `verify` trusts, as PEM; empty for the system's own store.
    pub authorities: PathBuf,
}

/// One certificate more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PairOfFiles {
    /// As in [`Tls`].
    pub certificate: PathBuf,
    /// As in [`Tls`].
    #[serde(default)]
    pub key: PathBuf,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "no other is spoken")]
pub enum MinVersion {
    /// RFC 5246.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    Tls13,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: "control/servercert.pem".into(),
            key: PathBuf::new(),
            sni: Vec::new(),
            min_version: MinVersion::default(),
            watch: 60,
            outgoing: Level::default(),
            routes: Levels::default(),
            authorities: PathBuf::new(),
        }
    }
}

fn parse<E: serde::de::Error>(word: &str) -> Result<Level, E> {
    Level::parse(word).ok_or_else(|| {
        E::custom(format!(
            "expected \"none\", \"may\", \"encrypt\" or \"verify\", found {word:?}"
        ))
    })
}

fn level<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Level, D::Error> {
    parse(&String::deserialize(from)?)
}

fn levels<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Levels, D::Error> {
    let words = BTreeMap::<String, String>::deserialize(from)?;
    let one = |(domain, word): (String, String)| Ok((domain, parse(&word)?));
    let levels = words.into_iter().map(one).collect::<Result<Vec<_>, _>>()?;
    Ok(Levels::new(levels))
}
