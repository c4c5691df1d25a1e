//! Whose mail a local part is by users/cdb (qmail-users(5), qmail-lspawn(8), spec §2.5).

use mta_core::assign::{self, Account, Key};
use mta_core::cdb::Cdb;
use mta_store::files::{Files, RealFiles, Stat};
use std::fmt::Display;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The largest users/cdb that is read.
const CDB_MAX: usize = 256 << 20;

/// Looks local parts up in users/cdb; keeps the file's bytes as long as it does not change.
#[derive(Debug)]
pub struct Assigned {
    cdb: PathBuf,
    kept: Mutex<Option<(Stat, Arc<Vec<u8>>)>>,
}

impl Assigned {
    /// Looks up in this file.
    #[must_use]
    pub const fn new(cdb: PathBuf) -> Self {
        Self {
            cdb,
            kept: Mutex::new(None),
        }
    }

    /// Finds the account for a local part; `None` where the file names none or is not there.
    ///
    /// # Errors
    /// Says what about the file is wrong.
    pub fn find(&self, local: &[u8]) -> Result<Option<Account>, String> {
        Ok(self.find_key(local)?.map(|(account, _)| account))
    }

    /// As [`Assigned::find`], with the key that decided.
    ///
    /// # Errors
    /// As [`Assigned::find`].
    pub fn find_key(&self, local: &[u8]) -> Result<Option<(Account, Key)>, String> {
        let Some(bytes) = self.bytes().map_err(said)? else {
            return Ok(None);
        };
        let cdb = Cdb::new(&bytes).map_err(said)?;
        assign::lookup_key(&cdb, local).map_err(said)
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

fn said(error: impl Display) -> String {
    error.to_string()
}
