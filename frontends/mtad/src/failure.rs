//! Why a command ends without success: a text for the administrator and an exit code.

use std::fmt;
use std::io;
use std::path::Path;

/// The exit code for what trying again does not help (qmail's 100).
pub const PERMANENT: u8 = 100;
/// The exit code for what may go away by itself (qmail's 111).
pub const TEMPORARY: u8 = 111;

/// What went wrong, in words for the administrator.
///
/// ```
/// let failure = mtad::Failure::permanent("no such domain: example.org");
/// assert_eq!((failure.to_string().as_str(), failure.code()), ("no such domain: example.org", 100));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    text: String,
    code: u8,
}

impl Failure {
    /// The administrator must change something first.
    pub fn permanent(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: PERMANENT,
        }
    }

    /// The system failed; trying again may help.
    pub fn temporary(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: TEMPORARY,
        }
    }

    /// A file call failed: says what was tried, with which path, and what the system answered.
    pub fn file(what: &str, path: &Path, error: &io::Error) -> Self {
        Self::temporary(format!("unable to {what} {}: {error}", path.display()))
    }

    /// The exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

/// Writing to standard output failed.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::temporary(format!("unable to write the output: {error}"))
    }
}
