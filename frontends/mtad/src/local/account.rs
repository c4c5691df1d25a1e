//! Whose mail a local part is: users/cdb, then the system's accounts, else the user alias (qmail-lspawn(8), qmail-users(5), spec §2.5, §6.1, §6.2).

use delivery::local::{Assigned, User};
use mta_core::assign::{Account, Key};
use mta_core::getpw;
use mta_store::files::{Files, RealFiles};
use nix::unistd::{User as Passwd, geteuid};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What decided about a local part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The line of users/assign with this key.
    Assigned(Key),
    /// An account of the system.
    System,
    /// Nobody else: the user alias gets it.
    Alias,
}

/// Looks users up.
pub(super) struct Users {
    assigned: Assigned,
    alias: PathBuf,
}

impl Users {
    pub(super) fn new(cdb: PathBuf, alias: PathBuf) -> Self {
        Self {
            assigned: Assigned::new(cdb),
            alias,
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
        self.find_by(local).map(|(user, _)| user)
    }

    /// As [`Users::find`], with what decided.
    pub(super) fn find_by(&self, local: &[u8]) -> Result<(User, By), String> {
        let assigned = self.assigned.find_key(local);
        let assigned =
            assigned.map_err(|error| format!("Trouble reading users/cdb: {error}. (#4.3.0)\n"))?;
        if let Some((account, key)) = assigned {
            return Ok((user(account)?, By::Assigned(key)));
        }
        if geteuid().is_root() {
            let found = getpw::find(local, &System).map_err(|error| {
                format!("Unable to look up the system's accounts: {error}. (#4.3.0)\n")
            })?;
            if let Some(account) = found {
                return Ok((user(account)?, By::System));
            }
        }
        Ok((self.alias(local)?, By::Alias))
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
