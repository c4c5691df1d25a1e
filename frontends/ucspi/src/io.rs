//! What an applet is given: its arguments, environment and streams, so that tests run it in-process.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{Read, Write};

/// The surroundings of an applet.
pub struct Io<'a> {
    /// What stands behind its name.
    pub arguments: Vec<OsString>,
    /// The environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Standard output.
    pub output: &'a mut dyn Write,
    /// Standard error.
    pub errors: &'a mut dyn Write,
}

impl fmt::Debug for Io<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io")
            .field("arguments", &self.arguments)
            .finish_non_exhaustive()
    }
}

impl Io<'_> {
    /// Returns a variable of the environment.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
    }

    /// Writes one line to standard error in one piece, since others write there as well.
    pub(crate) fn complain(&mut self, line: &[u8]) {
        // Nowhere is left to tell that standard error is closed.
        let _ = self.errors.write_all(&[line, b"\n"].concat());
    }
}
