//! Whose mail a local part is: users/cdb, then the system's accounts, else the user alias (qmail-lspawn(8), qmail-users(5), spec §2.5, §6.1, §6.2).

use mta_core::assign::{self, Account};
use mta_core::cdb::Cdb;
use mta_core::getpw;
use mta_store::files::{Files, RealFiles, Stat};
use nix::unistd::{User as Passwd, geteuid};
use std::ffi::OsStr;
use std::fmt::Display;
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
    /// The user's name.
    pub name: Vec<u8>,
    /// Whom the delivery is done as: uid and gid, `None` for ourselves.
    pub ids: Option<(u32, u32)>,
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
    ///
    /// Unlike qmail's, it needs no account of its own: the home's directory alias/ is its home, and
    /// run by root a delivery there is done as the directory's owner.
    pub(super) fn alias(&self, ext: &[u8]) -> Result<User, String> {
        let mut ids = None;
        if geteuid().is_root() {
            let stat = RealFiles::new().stat(&self.alias).map_err(|error| {
                let alias = self.alias.display();
                format!("Unable to find alias user! {alias}: {error}. (#4.3.0)\n")
            })?;
            ids = (stat.uid != 0).then_some((stat.uid, stat.gid));
        }
        Ok(User {
            name: b"alias".to_vec(),
            ids,
            home: self.alias.clone(),
            dash: b"-".to_vec(),
            ext: ext.to_vec(),
            alias: true,
        })
    }

    /// Finds the user for a local part.
    ///
    /// Unlike qmail, the system's own accounts are looked up only by root: any other process
    /// delivers as itself and could not deliver to them.
    pub(super) fn find(&self, local: &[u8]) -> Result<User, String> {
        if let Some(account) = self.assigned(local)? {
            return user(account);
        }
        if geteuid().is_root() {
            let found = getpw::find(local, &System).map_err(|error| {
                format!("Unable to look up the system's accounts: {error}. (#4.3.0)\n")
            })?;
            if let Some(account) = found {
                return user(account);
            }
        }
        self.alias(local)
    }

    /// What users/cdb says.
    fn assigned(&self, local: &[u8]) -> Result<Option<Account>, String> {
        let trouble =
            |error: &dyn Display| format!("Trouble reading users/cdb: {error}. (#4.3.0)\n");
        let Some(bytes) = self.bytes().map_err(|error| trouble(&error))? else {
            return Ok(None);
        };
        let cdb = Cdb::new(&bytes).map_err(|error| trouble(&error))?;
        assign::lookup(&cdb, local).map_err(|error| trouble(&error))
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

/// Says whom the delivery to an account is done as.
fn user(account: Account) -> Result<User, String> {
    let ours = geteuid().as_raw();
    let ids = match account.ids() {
        Some((uid, _)) if uid == ours => None,
        Some(ids) if ours == 0 => Some(ids),
        _ => {
            let theirs = String::from_utf8_lossy(&account.uid);
            return Err(format!(
                "This server runs as uid {ours} and cannot deliver as uid {theirs}. (#4.3.0)\n"
            ));
        }
    };
    let home = PathBuf::from(OsStr::from_bytes(&account.home));
    if !home.is_absolute() {
        return Err("Unable to switch to home directory: users/cdb names none that begins with /. (#4.3.0)\n".to_owned());
    }
    Ok(User {
        name: account.user,
        ids,
        home,
        dash: account.dash,
        ext: account.ext,
        alias: false,
    })
}

/// The system's account database, and the owners of homes.
struct System;

impl getpw::Accounts for System {
    type Error = std::io::Error;

    fn user(&self, name: &[u8]) -> std::io::Result<Option<getpw::Entry>> {
        // No account has a name that is not text.
        let Ok(name) = std::str::from_utf8(name) else {
            return Ok(None);
        };
        if name.contains('\0') {
            return Ok(None);
        }
        Ok(Passwd::from_name(name)?.map(|found| getpw::Entry {
            name: found.name.into_bytes(),
            uid: found.uid.as_raw(),
            gid: found.gid.as_raw(),
            home: found.dir.into_os_string().into_encoded_bytes(),
        }))
    }

    fn owner(&self, home: &[u8]) -> std::io::Result<Option<u32>> {
        match RealFiles::new().stat(Path::new(OsStr::from_bytes(home))) {
            Ok(stat) => Ok(Some(stat.uid)),
            Err(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied => {
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }
}
