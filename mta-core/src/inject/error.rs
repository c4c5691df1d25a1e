//! Why a message cannot be injected, in qmail-inject's texts and exit codes (qmail-inject(8), spec §11.1).

use std::fmt;

/// A refusal; the writer of the message or of the settings is at fault, and the same again fails again.
///
/// Nothing may be queued once one of these was returned.
///
/// ```
/// use mta_core::inject::InjectError;
/// let error = InjectError::UnparsableLine(b"To: a@(b\n".to_vec());
/// assert_eq!(error.stderr(), "qmail-inject: fatal: unable to parse this line:\nTo: a@(b\n");
/// assert_eq!(error.exit_code(), 100);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InjectError {
    /// A field that is to be rewritten holds a NUL, which no envelope can carry.
    #[error("invalid header field: {}", Shown(.0))]
    InvalidField(Vec<u8>),
    /// A field, or a host name of the settings, that does not follow the grammar.
    #[error("unable to parse this line:\n{}", Shown(.0))]
    UnparsableLine(Vec<u8>),
    /// A recipient among the arguments, or the sender given, that is no address.
    #[error("unable to parse address: {}", Shown(.0))]
    UnparsableAddress(Vec<u8>),
    /// The header or one field passes a limit.
    #[error("header longer than {limit} bytes")]
    HeaderTooLong {
        /// The limit that was passed.
        limit: usize,
    },
    /// More addresses than the limit, in the arguments and the rewritten fields together.
    #[error("more than {limit} addresses")]
    TooManyAddresses {
        /// The limit that was passed.
        limit: usize,
    },
}

impl InjectError {
    /// Returns the exit code: 100, for none of these heals with time.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        100
    }

    /// Returns what qmail-inject says on standard error, with its final LF.
    #[must_use]
    pub fn stderr(&self) -> String {
        format!("qmail-inject: fatal: {self}\n")
    }
}

/// Untrusted bytes for a terminal.
///
/// Unlike qmail, which writes them raw, control bytes other than LF and tab become `?`.
struct Shown<'a>(&'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.strip_suffix(b"\n").unwrap_or(self.0);
        for c in String::from_utf8_lossy(text).chars() {
            let plain = !c.is_control() || matches!(c, '\n' | '\t');
            fmt::Write::write_char(f, if plain { c } else { '?' })?;
        }
        Ok(())
    }
}
