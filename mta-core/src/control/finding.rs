//! What is to be said about a control file: file, line, and what was expected (`mtad check`).

use std::fmt;

/// How much a finding matters.
#[expect(
    clippy::exhaustive_enums,
    reason = "check counts each kind and must know them all"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Legal, but worth knowing.
    Note,
    /// Read in a way that was hardly meant.
    Warning,
    /// Mail will go wrong.
    Error,
}

/// One remark about one file.
///
/// ```
/// use mta_core::control::Controls;
/// let loaded = Controls::load(|name| {
///     Ok::<_, std::io::Error>(match name {
///         "me" => Some(b"mx.example.org\n".to_vec()),
///         "databytes" => Some(b"10M\n".to_vec()),
///         _ => None,
///     })
/// })
/// .unwrap();
/// let said: Vec<String> = loaded.findings.iter().map(ToString::to_string).collect();
/// assert!(said.contains(
///     &"control/databytes:1: warning: expected a decimal number and nothing else; 10 is used".into()
/// ));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The file's name in control/.
    pub file: &'static str,
    /// The line, the first being 1; `None` where the file as a whole is meant.
    pub line: Option<usize>,
    /// How much it matters.
    pub weight: Weight,
    /// What was expected and what is done instead.
    pub text: String,
}

impl Finding {
    pub(crate) fn new(
        file: &'static str,
        line: impl Into<Option<usize>>,
        weight: Weight,
        text: impl Into<String>,
    ) -> Self {
        Self {
            file,
            line: line.into(),
            weight,
            text: text.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "control/{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        let word = match self.weight {
            Weight::Note => "note",
            Weight::Warning => "warning",
            Weight::Error => "error",
        };
        write!(f, ": {word}: {}", self.text)
    }
}
