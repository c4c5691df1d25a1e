//! Exit codes of the qmail family: they say whether trying again helps (qmail-command(8)).

use std::process::{ExitCode, Termination};

/// How a program ends.
///
/// ```
/// use applet::Exit;
/// assert_eq!(Exit::TEMPORARY.code(), 111);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exit(u8);

impl Exit {
    /// Done.
    pub const OK: Self = Self(0);
    /// No, as the answer to a question: a wrong password, a name that is not listed.
    pub const NO: Self = Self(1);
    /// Done, and nothing that follows is to be done.
    pub const STOP: Self = Self(99);
    /// Failed, and trying again does not help.
    pub const PERMANENT: Self = Self(100);
    /// Failed, and trying again later may help.
    pub const TEMPORARY: Self = Self(111);

    /// A code with a meaning of the program's own.
    #[must_use]
    pub const fn other(code: u8) -> Self {
        Self(code)
    }

    /// Returns the number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.0)
    }
}
