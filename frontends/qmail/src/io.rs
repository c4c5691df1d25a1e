//! What a program has of the world: arguments, environment, descriptors 0 to 2, the home, the time.

use delivery::dates::Dates;
use mta_core::Unix;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The variables of the process.
pub type Environment = BTreeMap<OsString, OsString>;

/// What a program has of the world.
///
/// A few programs use the process's own descriptors besides: to read what is open for writing
/// (qmail-queue's 1), to rewind, or to hand them to a child.
#[expect(clippy::exhaustive_structs, reason = "main and tests fill it in")]
pub struct Io<'a> {
    /// What stands behind the program's name.
    pub arguments: Vec<OsString>,
    /// The environment; children get it.
    pub environment: Environment,
    /// Where control, queue and users lie.
    pub home: PathBuf,
    /// Standard input, not buffered.
    pub input: Box<dyn Read + 'a>,
    /// Standard output.
    pub output: Box<dyn Write + 'a>,
    /// Standard error.
    pub errors: Box<dyn Write + 'a>,
    /// When the program was started.
    pub now: Unix,
}

impl fmt::Debug for Io<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io")
            .field("arguments", &self.arguments)
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}

impl Io<'_> {
    /// No arguments, no environment, nothing to read, a home that does not exist; in 1970.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            arguments: Vec::new(),
            environment: Environment::new(),
            home: PathBuf::from("/nonexistent"),
            input: Box::new(std::io::empty()),
            output: Box::new(std::io::sink()),
            errors: Box::new(std::io::sink()),
            now: Unix(0),
        }
    }

    /// The bytes of a variable.
    pub(crate) fn variable(&self, name: &str) -> Option<Vec<u8>> {
        let value = self.environment.get(std::ffi::OsStr::new(name))?;
        Some(value.clone().into_vec())
    }

    /// In which zone dates are written: the local one where LOCALDATES is set.
    pub(crate) fn dates(&self) -> Dates {
        match self.variable("LOCALDATES") {
            Some(_) => Dates::Local,
            None => Dates::Utc,
        }
    }
}
