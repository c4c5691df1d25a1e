//! The original library's errors: their numbers, which become exit codes, and their words (vpopmail.h, spec §2).

use applet::Exit;
use mta_auth::vpopmail::AccountError;

/// One of the library's errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    IllegalUsername,
    UsernameExists,
    BadDomainDir,
    UserDirExists,
    NoSuchUser,
    NoSuchDomain,
    InvalidDomain,
    DomainExists,
    UpdateFailed,
    CryptFailed,
    BadChar,
    BadUid,
    UserTooLong,
    DomainTooLong,
    PasswordTooLong,
    GecosTooLong,
    QuotaTooLong,
    DirTooLong,
    AliasTooLong,
    CatchAll,
}

impl Code {
    /// The exit code: the negative number modulo 256.
    pub(crate) const fn exit(self) -> Exit {
        Exit::other(match self {
            Self::IllegalUsername => 255,
            Self::UsernameExists => 254,
            Self::BadDomainDir => 250,
            Self::UserDirExists => 249,
            Self::NoSuchUser => 246,
            Self::NoSuchDomain => 245,
            Self::InvalidDomain => 244,
            Self::DomainExists => 243,
            Self::UpdateFailed => 239,
            Self::CryptFailed => 238,
            Self::BadChar => 236,
            Self::BadUid => 234,
            Self::UserTooLong => 231,
            Self::DomainTooLong => 230,
            Self::PasswordTooLong => 229,
            Self::GecosTooLong => 228,
            Self::QuotaTooLong => 227,
            Self::DirTooLong => 226,
            Self::AliasTooLong => 224,
            Self::CatchAll => 201,
        })
    }

    /// The words that scripts know.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::IllegalUsername => "Illegal username",
            Self::UsernameExists => "Username exists",
            Self::BadDomainDir => "Unable to chdir to vpopmail/domains/domain directory",
            Self::UserDirExists => "User's directory already exists",
            Self::NoSuchUser => "User does not exist",
            Self::NoSuchDomain => "Domain does not exist",
            Self::InvalidDomain => "Invalid domain name",
            Self::DomainExists => "Domain already exists",
            Self::UpdateFailed => "Could not update file",
            Self::CryptFailed => "Crypt failed",
            Self::BadChar => "bad character",
            Self::BadUid => "running as invalid uid",
            Self::UserTooLong => "user name too long (max=64)",
            Self::DomainTooLong => "domain name too long (max=96)",
            Self::PasswordTooLong => "password too long (max=128)",
            Self::GecosTooLong => "gecos too long (max=64)",
            Self::QuotaTooLong => "quota too long (max=20)",
            Self::DirTooLong => "dir too long (max=160)",
            Self::AliasTooLong => "alias line too long (max=160)",
            Self::CatchAll => "can't delete catchall account",
        }
    }

    /// The original's error for one of ours, and whether its words say all.
    pub(crate) fn of(error: &AccountError) -> (Self, Says) {
        match error {
            AccountError::DomainExists(_) => (Self::DomainExists, Says::All),
            AccountError::NoSuchDomain(_) => (Self::NoSuchDomain, Says::All),
            AccountError::UserExists(_) => (Self::UsernameExists, Says::All),
            AccountError::NoSuchUser(_) => (Self::NoSuchUser, Says::All),
            AccountError::CatchAll(_) => (Self::CatchAll, Says::All),
            AccountError::PasswordFixed(_) => (Self::IllegalUsername, Says::All),
            AccountError::HomeOccupied(_) => (Self::UserDirExists, Says::Part),
            AccountError::Outside(_) | AccountError::RelativeHome(_) => {
                (Self::BadDomainDir, Says::Part)
            }
            AccountError::OwnerRoot => (Self::BadUid, Says::Part),
            AccountError::NotCrypt => (Self::CryptFailed, Says::Part),
            AccountError::AliasName => (Self::IllegalUsername, Says::Part),
            AccountError::AliasLine => (Self::AliasTooLong, Says::Part),
            AccountError::Field(field) => {
                let code = match field.field {
                    "gecos" => Self::GecosTooLong,
                    "quota" => Self::QuotaTooLong,
                    "dir" => Self::DirTooLong,
                    "crypt" => Self::PasswordTooLong,
                    _ => Self::BadChar,
                };
                (code, Says::Part)
            }
            AccountError::Path(_) => (Self::BadChar, Says::Part),
            _ => (Self::UpdateFailed, Says::Part),
        }
    }
}

/// Whether the original's words tell what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// Nothing is to be added.
    All,
    /// Which file, or what was expected, is worth a second line.
    Part,
}
