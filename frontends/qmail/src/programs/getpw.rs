//! qmail-getpw: tells which account a local part belongs to (qmail-getpw(8)).

use crate::failure::Failure;
use crate::io::Io;
use crate::words::is_temporary;
use applet::Exit;
use mta_core::assign::Account;
use mta_core::getpw::{self, Accounts, Entry};
use nix::unistd::User;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;

const HOME: Exit = Exit::other(115);
const NO_ALIAS: Exit = Exit::other(116);
const SYSTEM: Exit = Exit::other(118);

/// Says nothing where it fails: qmail-lspawn knows the codes.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let Some(local) = io.arguments.first() else {
        return Err(Failure::silent(Exit::PERMANENT));
    };
    let account = find(local.as_bytes()).map_err(Failure::silent)?;
    let mut fields = account.to_cdb_data();
    fields.push(0);
    let written = io.output.write_all(&fields);
    written.map_err(|_| Failure::silent(Exit::TEMPORARY))?;
    Ok(Exit::OK)
}

fn find(local: &[u8]) -> Result<Account, Exit> {
    if let Some(account) = getpw::find(local, &System)? {
        return Ok(account);
    }
    let alias = System.user(b"alias")?.ok_or(NO_ALIAS)?;
    Ok(getpw::alias(alias, local))
}

/// The accounts of this host; its errors are exit codes.
struct System;

impl Accounts for System {
    type Error = Exit;

    fn user(&self, name: &[u8]) -> Result<Option<Entry>, Exit> {
        // No account has a name that is not UTF-8 or holds a NUL.
        let Some(name) = std::str::from_utf8(name)
            .ok()
            .filter(|name| !name.contains('\0'))
        else {
            return Ok(None);
        };
        let found = User::from_name(name).map_err(|_| SYSTEM)?;
        Ok(found.map(|user| Entry {
            name: user.name.into_bytes(),
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            home: user.dir.into_os_string().into_vec(),
        }))
    }

    fn owner(&self, home: &[u8]) -> Result<Option<u32>, Exit> {
        match std::fs::metadata(OsStr::from_bytes(home)) {
            Ok(found) => Ok(Some(found.uid())),
            Err(error) if is_temporary(&error) => Err(HOME),
            Err(_) => Ok(None),
        }
    }
}
