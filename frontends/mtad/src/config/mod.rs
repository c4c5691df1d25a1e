//! `HOME/mtad.toml`: what qmail put on command lines (listeners, limits); what qmail has a control file for stands in control/.

mod abuse;
mod auth;
mod network;
mod nonsense;
mod notices;
mod proxy;
mod rules;
mod settings;
mod tls;

pub use abuse::Abuse;
pub use auth::{Auth, Scheme, Scram, WithoutTls};
pub use network::{Network, NoNetwork, hold_everything};
pub use notices::Notices;
pub use proxy::Proxy;
pub use rules::{Dnsbl, Point, Refuse, Rules, Unanswered};
pub use settings::{Config, Dns, Limits, MissingRcptHosts, Testing, Timeouts};
pub use tls::{MinVersion, PairOfFiles, Tls};

use crate::Failure;
use std::io;
use std::path::Path;

/// The contents of a new home's mtad.toml: every setting with its default, commented out.
pub const TEMPLATE: &str = include_str!("template.toml");

impl Config {
    /// Reads the file; one that does not exist gives the defaults.
    ///
    /// # Errors
    /// Fails where the file cannot be read, or names file, line and what was expected.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(|(line, said)| {
                Failure::permanent(format!("{}:{line}: {said}", path.display()))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Failure::file("read", path, &error)),
        }
    }

    /// Reads the text of the file.
    ///
    /// # Errors
    /// Gives the line, the first being 1, and what was expected there.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or(text);
            let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
            (line, error.message().replace('\n', ": "))
        })?;
        match config.nonsense() {
            None => Ok(config),
            Some((key, said)) => Err((line_of(text, key), said)),
        }
    }
}

/// The line that sets a key, for what only makes no sense once everything is read.
fn line_of(text: &str, key: &str) -> usize {
    let sets = |line: &str| {
        let rest = line.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    text.lines().position(sets).map_or(1, |at| at + 1)
}
