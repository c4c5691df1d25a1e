//! Rules about connections in a cdb file, of which only what is asked for is read (tcpserver(1), spec §9.2).

use crate::cdb_file;
use crate::files::{Access, Files};
use mta_core::tcprules::Rules;
use std::io;
use std::path::Path;

/// The longest data of one rule; tcprules writes no longer ones.
const MAX_DATA: usize = 64 * 1024;

/// An open rules file. A new one that is renamed over it is not seen: open it for every connection.
///
/// ```no_run
/// use mta_core::tcprules::{Peer, decide};
/// use mta_store::files::RealFiles;
/// use mta_store::rules_file::RulesFile;
/// let rules = RulesFile::open(&RealFiles::new(), "tcp.smtp.cdb".as_ref())?;
/// let denied = decide(&rules, &Peer::new("192.0.2.1".parse().unwrap()))?.denied;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct RulesFile<F: Files>(F::File);

impl<F: Files> RulesFile<F> {
    /// Opens a file that tcprules wrote.
    ///
    /// # Errors
    /// Says what opening says; whether it is a cdb is seen only when it is asked.
    pub fn open(files: &F, path: &Path) -> io::Result<Self> {
        files.open(path, Access::Read).map(Self)
    }
}

impl<F: Files> Rules for RulesFile<F> {
    type Error = io::Error;

    fn record(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        cdb_file::find(&self.0, key, MAX_DATA)
    }
}
