//! Leaves root behind: network code runs as the owner of the home (design: threads, processes, privileges).

use crate::Failure;
use nix::unistd::{Gid, Uid, User, geteuid, initgroups, setgid, setgroups, setuid};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What became of the privileges.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the start says one line on each")]
pub enum Privileges {
    /// Started as an ordinary user; nothing to drop.
    Ordinary,
    /// Was root and is now the owner of the home.
    Dropped {
        /// The user's number.
        uid: u32,
        /// The group's number.
        gid: u32,
    },
    /// Is root and stays so, because the home is root's.
    Root,
}

/// Where root runs it, becomes the owner of the home for good. Call it when all ports are bound and
/// before any thread is started.
///
/// # Errors
/// Fails where the owner cannot be told or become.
pub fn drop_to_owner(home: &Path) -> Result<Privileges, Failure> {
    if !geteuid().is_root() {
        return Ok(Privileges::Ordinary);
    }
    let owner = home
        .metadata()
        .map_err(|error| Failure::file("stat", home, &error))?;
    let (uid, gid) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
    if uid.is_root() {
        return Ok(Privileges::Root);
    }
    become_user(uid, gid).map_err(|error| {
        Failure::temporary(format!(
            "unable to become uid {uid} gid {gid}, the owner of {}: {error}",
            home.display()
        ))
    })?;
    Ok(Privileges::Dropped {
        uid: uid.as_raw(),
        gid: gid.as_raw(),
    })
}

fn become_user(uid: Uid, gid: Gid) -> nix::Result<()> {
    let user = User::from_uid(uid)?;
    let name = user.and_then(|user| std::ffi::CString::new(user.name).ok());
    match name {
        Some(name) => initgroups(&name, gid)?,
        None => setgroups(&[gid])?,
    }
    setgid(gid)?;
    setuid(uid)?;
    // The saved ids went with them; if root can come back, something is very wrong.
    match setuid(Uid::from_raw(0)) {
        Err(_) => Ok(()),
        Ok(()) => Err(nix::Error::EPERM),
    }
}
