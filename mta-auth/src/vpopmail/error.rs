//! Why an account was not changed or found, and whether trying later helps (vadddomain(8)).

use crate::vpasswd::FieldError;
use std::io;
use std::path::{Path, PathBuf};

/// Why something with accounts failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The domain is there, complete: the caller's fault.
    #[error("expected a new domain, but {0} exists")]
    DomainExists(String),
    /// There is no such domain: the caller's fault.
    #[error("expected an existing domain, but there is no {0}")]
    NoSuchDomain(String),
    /// The mailbox is there: the caller's fault.
    #[error("expected a new mailbox, but {0} exists")]
    UserExists(String),
    /// There is no such mailbox: the caller's fault.
    #[error("expected an existing mailbox, but there is no {0}")]
    NoSuchUser(String),
    /// The instruction stands in the alias: the caller's fault.
    #[error("expected a new instruction, but {0} has it")]
    AliasExists(String),
    /// The name cannot be an alias's: the caller's fault.
    #[error(
        "an alias name of 1 to 64 characters was expected, without slash and colon, and not default"
    )]
    AliasName,
    /// The instruction does not fit: the caller's fault.
    #[error(
        "one instruction of 1 to {} bytes was expected",
        super::aliases::MAX_LINE
    )]
    AliasLine,
    /// A directory or an address that its line cannot hold: the caller's fault.
    #[error("{}: expected a plain address or path without blanks and quotes", .0.display())]
    Path(PathBuf),
    /// The mailbox takes what is sent to unknown names: the caller's fault.
    #[error("expected a mailbox that is not the domain's catch-all, but {0} is")]
    CatchAll(String),
    /// The flag `NO_PASSWD_CHNG` is set.
    #[error("the password of {0} may not be changed")]
    PasswordFixed(String),
    /// Something else uses the mailbox's directory: the administrator is to look.
    #[error("expected an unused directory for the mailbox, but {} holds something", .0.display())]
    HomeOccupied(PathBuf),
    /// A directory that would have to be removed is none of the installation's.
    #[error("expected a directory inside the installation, but it is {}", .0.display())]
    Outside(PathBuf),
    /// The home is a relative path, which no other program could follow.
    #[error("expected an absolute path as the installation's home, but it is {}", .0.display())]
    RelativeHome(PathBuf),
    /// Files of mail are never root's.
    #[error("expected a user other than root to own the domain")]
    OwnerRoot,
    /// What was given as crypt(3) string is none; it is not shown.
    #[error("expected a crypt(3) string of at most 128 bytes")]
    NotCrypt,
    /// A field does not fit its line.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A file is damaged: the administrator is to mend it.
    #[error("{}: expected {expected}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What should stand there.
        expected: String,
    },
    /// The system failed; trying later may help.
    #[error("{doing} {}: {source}", .path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl AccountError {
    /// Tells whether trying later may help without anybody changing anything.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Io { .. })
    }

    pub(super) fn damaged(path: &Path, expected: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_path_buf(),
            expected: expected.into(),
        }
    }
}

pub(super) fn doing(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AccountError {
    move |source| AccountError::Io {
        doing,
        path: path.to_path_buf(),
        source,
    }
}
