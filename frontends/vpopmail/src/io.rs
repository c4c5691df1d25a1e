//! What a program has of the world: arguments, environment, streams, the homes, the time.

use crate::failure::Failure;
use mta_auth::vpopmail::{Layout, Vpopmail};
use mta_core::Unix;
use mta_store::files::RealFiles;
use mta_store::maildir::UniqueName;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

/// The variables of the process.
pub type Environment = BTreeMap<OsString, OsString>;

/// The accounts on the real file system.
pub(crate) type Accounts = Vpopmail<RealFiles>;

/// Where the two installations lie; one directory may be both.
#[expect(clippy::exhaustive_structs, reason = "main and tests fill it in")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Homes {
    /// vpopmail's: `domains/`, `etc/`, `bin/`.
    pub vpopmail: PathBuf,
    /// qmail's: `control/`, `users/`, `queue/`.
    pub qmail: PathBuf,
}

/// Shows a prompt and returns one line that is not shown.
pub type Ask<'a> = dyn FnMut(&str) -> io::Result<Vec<u8>> + 'a;

/// What a program has of the world.
///
/// A few programs use the process's own descriptors and identity besides: vchkpw and vdelivermail.
#[expect(clippy::exhaustive_structs, reason = "main and tests fill it in")]
pub struct Io<'a> {
    /// What stands behind the program's name.
    pub arguments: Vec<OsString>,
    /// The environment.
    pub environment: Environment,
    /// Where everything lies.
    pub homes: Homes,
    /// Standard input.
    pub input: Box<dyn Read + 'a>,
    /// Standard output.
    pub output: Box<dyn Write + 'a>,
    /// Standard error.
    pub errors: Box<dyn Write + 'a>,
    /// Shows a prompt and returns one line that is not shown.
    pub secret: Box<Ask<'a>>,
    /// Takes a line for the system's log.
    pub log: Box<dyn FnMut(&str) + 'a>,
    /// When the program was started.
    pub now: Unix,
}

impl fmt::Debug for Io<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arguments may hold a password.
        f.debug_struct("Io")
            .field("homes", &self.homes)
            .finish_non_exhaustive()
    }
}

impl Io<'_> {
    /// No arguments, no environment, nothing to read, homes that do not exist; in 1970.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            arguments: Vec::new(),
            environment: Environment::new(),
            homes: Homes {
                vpopmail: PathBuf::from("/nonexistent"),
                qmail: PathBuf::from("/nonexistent"),
            },
            input: Box::new(io::empty()),
            output: Box::new(io::sink()),
            errors: Box::new(io::sink()),
            secret: Box::new(|_| Err(io::ErrorKind::NotConnected.into())),
            log: Box::new(|_| ()),
            now: Unix(0),
        }
    }

    /// A variable of the environment; an empty one says nothing.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        let value = self.environment.get(OsStr::new(name))?;
        Some(value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// Opens the accounts. Domains belong to whoever owns vpopmail's home; root gives them what it
    /// makes.
    ///
    /// # Errors
    /// Fails where the home is not there, and where root would have to leave mail as root's.
    pub(crate) fn accounts(&self) -> Result<Accounts, Failure> {
        let home = &self.homes.vpopmail;
        let stat = home.metadata().map_err(|error| {
            let path = home.display();
            Failure::said(
                253,
                format_args!("Error: Unable to chdir to vpopmail directory\n{path}: {error}"),
            )
        })?;
        let owner = (stat.uid(), stat.gid());
        let root = nix::unistd::geteuid().is_root();
        if root && owner.0 == 0 {
            let path = home.display();
            return Err(Failure::said(
                234,
                format_args!(
                    "Error: running as invalid uid\n{path}: expected it to belong to the user that owns the domains, but it is root's"
                ),
            ));
        }
        let layout = Layout {
            qmail: self.homes.qmail.clone(),
            vpopmail: home.clone(),
            owner,
            chown: root.then_some(owner),
        };
        Ok(Vpopmail::new(Arc::new(RealFiles::new()), layout))
    }

    /// A name for a scratch file that no other process uses.
    pub(crate) fn unique<'h>(&self, host: &'h str) -> UniqueName<'h> {
        UniqueName {
            time: self.now,
            pid: std::process::id(),
            counter: 0,
            host,
        }
    }
}

/// This host's name, for names of files.
pub(crate) fn host() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
