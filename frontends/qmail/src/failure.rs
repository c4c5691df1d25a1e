//! How a program gives up: its exit code and its last words (qmail-command(8)).

use crate::words::why;
use applet::Exit;
use std::io;

/// Why a program ends before its work is done.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What goes to standard error, without LF; nothing where the code says it all.
    pub(crate) text: Vec<u8>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl Into<Vec<u8>>) -> Self {
        let text = text.into();
        Self { exit, text }
    }

    /// Trying again does not help: 100.
    pub(crate) fn permanent(text: impl Into<Vec<u8>>) -> Self {
        Self::new(Exit::PERMANENT, text)
    }

    /// Trying again may help: 111.
    pub(crate) fn temporary(text: impl Into<Vec<u8>>) -> Self {
        Self::new(Exit::TEMPORARY, text)
    }

    /// Only a code.
    pub(crate) const fn silent(exit: Exit) -> Self {
        let text = Vec::new();
        Self { exit, text }
    }

    /// `PROGRAM: fatal: WHAT: WHY`, temporary.
    pub(crate) fn system(program: &str, what: &str, error: &io::Error) -> Self {
        Self::temporary(format!("{program}: fatal: {what}: {}", why(error)))
    }
}

/// The program's output could not be written.
pub(crate) fn unwritten(program: &str, error: &io::Error) -> Failure {
    Failure::system(program, "unable to write output", error)
}
