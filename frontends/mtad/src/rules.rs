//! What a rule says about one connection: whether it is taken, and which variables are set for it (tcpserver(1), tcprules(1), spec §9.2).

use crate::config;
use crate::home::Home;
use crate::server::Server;
use mta_core::tcprules::{Decision, Peer, decide};
use mta_store::files::RealFiles;
use mta_store::rules_file::RulesFile;
use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// What clients are told where the file cannot be read.
pub(crate) const UNREADABLE: &str = "unable to read the rules about connections";

/// What a rule sets for a client that it lets in.
#[derive(Clone, Debug, Default)]
pub struct Admission(Decision);

/// Why a client is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Shut {
    /// A rule says so.
    #[error("denied by the rule {key:?} of {path}")]
    Denied {
        /// Its key.
        key: String,
        /// Its file.
        path: String,
    },
    /// The file cannot be read, and nobody knows what it says.
    #[error("unable to read {path}: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
}

impl Admission {
    /// Returns a variable that is set for the client.
    pub(crate) fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.0.variable(name.as_bytes()).map(<[u8]>::to_vec)
    }

    /// All variables, as a program gets them. A name with NUL or `=` can be none of a program.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (OsString, OsString)> {
        let set = self.0.variables.iter().map(|variable| variable.split());
        set.filter_map(|(name, value)| {
            let proper = !name.is_empty() && !name.contains(&0);
            let value = value.filter(|value| proper && !value.contains(&0))?;
            let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
            Some((text(name), text(value)))
        })
    }
}

/// Looks a client of a service up. The file is opened each time, as tcpserver does, so that a new
/// one rules the next connection; a store thread does it.
pub(crate) async fn judge(
    server: &Server,
    service: &str,
    client: IpAddr,
) -> Result<Admission, Shut> {
    let Some(path) = server.config.rules.of(service) else {
        return Ok(Admission::default());
    };
    let path = server.home.root().join(path);
    let shown = path.display().to_string();
    let unreadable = |why: String| Shut::Unreadable {
        path: shown.clone(),
        why,
    };
    let asked = server
        .pools
        .sessions
        .run(move || look_up(&path, client))
        .await;
    let decision = asked
        .map_err(|error| unreadable(error.to_string()))?
        .map_err(|error| unreadable(error.to_string()))?;
    if decision.denied {
        let key = decision.key.unwrap_or_default();
        return Err(Shut::Denied {
            key: String::from_utf8_lossy(&key).into_owned(),
            path: shown,
        });
    }
    Ok(Admission(decision))
}

fn look_up(path: &Path, client: IpAddr) -> io::Result<Decision> {
    decide(
        &RulesFile::open(&RealFiles::new(), path)?,
        &Peer::new(client),
    )
}

/// The files of some services, each once.
pub(crate) fn files(home: &Home, rules: &config::Rules, services: &[&str]) -> Vec<PathBuf> {
    let named = services.iter().filter_map(|service| rules.of(service));
    let mut paths: Vec<_> = named.map(|path| home.root().join(path)).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// The files that cannot be read now, and why: nobody is let in as long as that is so.
pub(crate) fn unreadable(home: &Home, rules: &config::Rules) -> Vec<String> {
    let services = ["smtp", "submission", "pop3", "qmtp", "qmqp"];
    let paths = files(home, rules, &services);
    let trouble = paths.iter().filter_map(|path| {
        let error = look_up(path, IpAddr::from([127, 0, 0, 1])).err()?;
        let path = path.display();
        Some(format!("{path}: error: unable to read the rules: {error}"))
    });
    trouble.collect()
}

/// Says at the start which files cannot be read.
pub(crate) fn tell(home: &Home, rules: &config::Rules) {
    for said in unreadable(home, rules) {
        tracing::warn!("{said}; nobody is let in as long as that is so");
    }
}
