//! The users and groups under which qmail's programs run, looked up by their names (qmail-start(8), spec §1).

use crate::failure::Failure;
use nix::unistd::{Gid, Group, Uid, User};

/// A user of qmail's by the part it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// qmaill: the logger.
    Log,
    /// qmailp: looks accounts up.
    Password,
    /// qmailq: owns the messages.
    Queue,
    /// qmailr: speaks to other hosts.
    Remote,
    /// qmails: decides.
    Send,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Log => "qmaill",
            Self::Password => "qmailp",
            Self::Queue => "qmailq",
            Self::Remote => "qmailr",
            Self::Send => "qmails",
        }
    }
}

/// The group that all parts but the logger and the one for accounts have.
pub(crate) const QMAIL: &str = "qmail";
/// The group without files.
pub(crate) const NOFILES: &str = "nofiles";

/// The number of a user of qmail's.
///
/// # Errors
/// Fails where this host has no such user.
pub(crate) fn uid(part: Part) -> Result<Uid, Failure> {
    let name = part.name();
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user.uid),
        _ => Err(unable("user", name)),
    }
}

/// The number of a group of qmail's.
///
/// # Errors
/// Fails where this host has no such group.
pub(crate) fn gid(name: &str) -> Result<Gid, Failure> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        _ => Err(unable("group", name)),
    }
}

fn unable(what: &str, name: &str) -> Failure {
    Failure::temporary(format!("fatal: unable to find {what} {name}"))
}
