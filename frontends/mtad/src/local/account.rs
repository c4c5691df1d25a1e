//! Whose mail a local part is: users/cdb, else the user alias (qmail-lspawn(8), qmail-users(5), spec §2.5, §6.1).

use mta_core::assign;
use mta_core::cdb::Cdb;
use mta_store::files::{Files, RealFiles, Stat};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The largest users/cdb that is read.
const CDB_MAX: usize = 256 << 20;

/// The user whose .qmail files decide about a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "these are the parts of the look-up"
)]
pub struct User {
    /// The home directory.
    pub home: PathBuf,
    /// `-` where `ext` follows it in a .qmail file's name, empty where there is no extension.
    pub dash: Vec<u8>,
    /// The extension in the case it was given in.
    pub ext: Vec<u8>,
    /// It is the user alias.
    pub alias: bool,
}

/// Looks users up; keeps the file's bytes as long as it does not change.
pub(super) struct Users {
    cdb: PathBuf,
    alias: PathBuf,
    kept: Mutex<Option<(Stat, Arc<Vec<u8>>)>>,
}

impl Users {
    pub(super) fn new(cdb: PathBuf, alias: PathBuf) -> Self {
        Self {
            cdb,
            alias,
            kept: Mutex::new(None),
        }
    }

    /// The user alias with this extension.
    pub(super) fn alias(&self, ext: &[u8]) -> User {
        User {
            home: self.alias.clone(),
            dash: b"-".to_vec(),
            ext: ext.to_vec(),
            alias: true,
        }
    }

    /// Finds the user for a local part.
    ///
    /// Unlike qmail, the system's own accounts are not looked up: this process delivers as one
    /// user, so it could not deliver to them.
    pub(super) fn find(&self, local: &[u8]) -> Result<User, String> {
        let trouble = |error: &dyn std::fmt::Display| {
            format!("Trouble reading users/cdb: {error}. (#4.3.0)\n")
        };
        let Some(bytes) = self.bytes().map_err(|error| trouble(&error))? else {
            return Ok(self.alias(local));
        };
        let cdb = Cdb::new(&bytes).map_err(|error| trouble(&error))?;
        let found = assign::lookup(&cdb, local).map_err(|error| trouble(&error))?;
        let Some(account) = found else {
            return Ok(self.alias(local));
        };
        let ours = nix::unistd::geteuid().as_raw();
        let uid = account.ids().map(|(uid, _)| uid);
        if uid != Some(ours) {
            let theirs = String::from_utf8_lossy(&account.uid);
            return Err(format!(
                "This server runs as uid {ours} and cannot deliver as uid {theirs}. (#4.3.0)\n"
            ));
        }
        let home = PathBuf::from(OsStr::from_bytes(&account.home));
        if !home.is_absolute() {
            return Err("Unable to switch to home directory: users/cdb names none that begins with /. (#4.3.0)\n".to_owned());
        }
        Ok(User {
            home,
            dash: account.dash,
            ext: account.ext,
            alias: false,
        })
    }

    /// The file's bytes; `None` where there is no such file.
    fn bytes(&self) -> std::io::Result<Option<Arc<Vec<u8>>>> {
        let files = RealFiles::new();
        let stat = match files.stat(Path::new(&self.cdb)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = kept.as_ref().filter(|(known, _)| *known == stat) {
            return Ok(Some(Arc::clone(bytes)));
        }
        let bytes = Arc::new(files.read(&self.cdb, CDB_MAX)?);
        *kept = Some((stat, Arc::clone(&bytes)));
        Ok(Some(bytes))
    }
}
