//! Compares an installation of qmail with what its installer makes (instcheck, hier.c, spec §3.1).

use mta_core::hierarchy::{
    Deviation, Entry, Found, GROUP, Kind, SETUID_PROGRAM, directories, programs,
};
use nix::unistd::{Group, User};
use std::fs::{Metadata, symlink_metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Returns each deviation as `PATH: WHAT`.
///
/// A home that has no program bin/qmail-queue, and whose queue is not qmailq's, was never installed as
/// root: one account owns all of it, and there is nothing to compare.
pub(super) fn deviations(home: &Path) -> Vec<String> {
    if !is_installed_as_root(home) {
        return Vec::new();
    }
    let mut said = Vec::new();
    let gid = match Group::from_name(GROUP) {
        Ok(Some(group)) => group.gid.as_raw(),
        _ => {
            return vec![format!(
                "{}: expected a group {GROUP} on this host",
                home.display()
            )];
        }
    };
    for entry in directories().into_iter().chain(programs()) {
        let path = home.join(&entry.path);
        let tell = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let name = entry.owner.name();
        let Ok(Some(owner)) = User::from_name(name) else {
            said.push(tell(&format!("expected a user {name} on this host")));
            continue;
        };
        match look(home, &entry) {
            Ok(Some(found)) => {
                let wrong = entry.deviations(owner.uid.as_raw(), gid, found);
                said.extend(wrong.iter().map(|deviation| tell(deviation)));
            }
            Ok(None) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                said.push(tell(&Deviation::Missing));
            }
            Err(error) => said.push(tell(&format!("unable to look: {error}"))),
        }
    }
    said
}

fn is_installed_as_root(home: &Path) -> bool {
    let is_qmailq = |uid: u32| {
        let user = User::from_name("qmailq").ok().flatten();
        user.is_some_and(|user| user.uid.as_raw() == uid)
    };
    let queue = home.join("queue").metadata();
    home.join("bin").join(SETUID_PROGRAM).exists() || queue.is_ok_and(|it| is_qmailq(it.uid()))
}

/// What is there; `None` where one multi-call binary serves under many names, as nothing is wrong with
/// that while it is root's alone and has no setuid bit.
fn look(home: &Path, entry: &Entry) -> std::io::Result<Option<Found>> {
    let path = home.join(&entry.path);
    let itself = symlink_metadata(&path)?;
    if !itself.is_symlink() {
        return Ok(Some(found(&itself)));
    }
    let target = path.metadata()?;
    let shared = target.is_file() && target.uid() == 0 && target.mode() & 0o7777 == 0o755;
    match entry.kind {
        Kind::Program if entry.mode & 0o4000 == 0 && shared => Ok(None),
        // A queue or a directory of settings may be elsewhere.
        _ => Ok(Some(found(&target))),
    }
}

fn found(stat: &Metadata) -> Found {
    let kind = match stat.file_type() {
        it if it.is_dir() => Some(Kind::Directory),
        it if it.is_file() => Some(Kind::File { len: stat.len() }),
        it if it.is_fifo() => Some(Kind::Fifo),
        _ => None,
    };
    Found {
        kind,
        uid: stat.uid(),
        gid: stat.gid(),
        mode: stat.mode() & 0o7777,
    }
}
