//! Rules in a cdb file, of which only what is asked for is read (spec §9.2).

use mta_core::tcprules::Rules;
use mta_store::cdb_file;
use mta_store::files::{Access, Files, RealFile, RealFiles};
use std::io;
use std::path::Path;

/// The longest data of one rule; tcprules writes no longer ones.
const MAX_DATA: usize = 64 * 1024;

/// An open rules file. A new one that is renamed over it is not seen.
#[derive(Debug)]
pub(crate) struct RulesFile(RealFile);

impl RulesFile {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        RealFiles::new().open(path, Access::Read).map(Self)
    }
}

impl Rules for RulesFile {
    type Error = io::Error;

    fn record(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        cdb_file::find(&self.0, key, MAX_DATA)
    }
}
