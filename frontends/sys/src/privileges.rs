//! Gives up root for good (setuid(2), setgroups(2)).

use nix::unistd::{Gid, Uid, getgid, getgroups, getuid, setgid, setgroups, setuid};

/// Why the privileges were not given up; the process must not go on.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// The target is root.
    #[error("expected a user other than root to run as")]
    Root,
    /// The system refused.
    #[error("unable to {what}: {source}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: nix::Error,
    },
    /// All calls succeeded, and root or a foreign group is still to be had.
    #[error("privileges are left after they were given up")]
    Left,
}

/// Becomes `uid` and `gid` with no other groups but `groups`, and makes sure that there is no way back.
///
/// Call it before threads are started. For a process that is `uid` and `gid` already, and has no
/// right to change that, there is nothing to do.
///
/// # Errors
/// Fails where `uid` is root's or the system refuses; the process is then in between and must end.
pub fn drop_privileges(uid: u32, gid: u32, groups: &[u32]) -> Result<(), PrivilegeError> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    if uid.is_root() {
        return Err(PrivilegeError::Root);
    }
    if getuid() == uid && getgid() == gid && !can_be_root() {
        return Ok(());
    }
    let mut all = vec![gid];
    all.extend(groups.iter().copied().map(Gid::from_raw));
    setgroups(&all).map_err(|source| refused("set the groups", source))?;
    setgid(gid).map_err(|source| refused("set the group", source))?;
    setuid(uid).map_err(|source| refused("set the user", source))?;
    let kept = getgroups().map_err(|source| refused("read the groups", source))?;
    if can_be_root() || !kept.iter().all(|group| all.contains(group)) {
        return Err(PrivilegeError::Left);
    }
    Ok(())
}

/// Tries to become root; nothing else tells of a saved user id everywhere.
fn can_be_root() -> bool {
    setuid(Uid::from_raw(0)).is_ok()
}

const fn refused(what: &'static str, source: nix::Error) -> PrivilegeError {
    PrivilegeError::Refused { what, source }
}
