//! How a program gives up: its exit code and its last words, which most programs say on standard output (spec §2).

use crate::code::{Code, Says};
use applet::Exit;
use mta_auth::vpopmail::AccountError;
use std::io;

/// Where the last words go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Errors,
}

/// Why a program ends before its work is done.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Whole lines; nothing where the code says it all.
    pub(crate) text: String,
    pub(crate) stream: Stream,
}

impl Failure {
    /// Words of the program's own on standard output; their end is added.
    pub(crate) fn said(code: u8, text: impl std::fmt::Display) -> Self {
        Self {
            exit: Exit::other(code),
            text: format!("{text}\n"),
            stream: Stream::Output,
        }
    }

    /// The same on standard error.
    pub(crate) fn complaint(code: u8, text: impl std::fmt::Display) -> Self {
        Self {
            stream: Stream::Errors,
            ..Self::said(code, text)
        }
    }

    /// How to call it: the text has its ends.
    pub(crate) fn usage(code: u8, text: &str) -> Self {
        Self {
            exit: Exit::other(code),
            text: text.to_owned(),
            stream: Stream::Output,
        }
    }

    /// Only a code.
    pub(crate) const fn silent(exit: Exit) -> Self {
        Self {
            exit,
            text: String::new(),
            stream: Stream::Output,
        }
    }

    /// `Error: why`, with what was expected in a second line where the words alone do not tell.
    pub(crate) fn code_with(code: Code, more: &str) -> Self {
        let mut text = format!("Error: {}\n", code.words());
        if !more.is_empty() {
            text.push_str(more);
            text.push('\n');
        }
        Self {
            exit: code.exit(),
            text,
            stream: Stream::Output,
        }
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self::code_with(code, "")
    }
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        match Code::of(&error) {
            (code, Says::All) => code.into(),
            (code, Says::Part) => Self::code_with(code, &error.to_string()),
        }
    }
}

/// What cannot be written to standard output is said on the other one.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        unwritten(&error)
    }
}

/// The program's output could not be written.
pub(crate) fn unwritten(error: &io::Error) -> Failure {
    Failure::complaint(255, format_args!("unable to write output: {error}"))
}
