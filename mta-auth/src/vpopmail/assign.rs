//! A domain's line in users/assign, and users/cdb made from the whole (qmail-users(5), qmail-newu(8)).

use super::error::doing;
use super::{AccountError, Domain, Vpopmail, bytes_of};
use crate::domain_order::key;
use mta_core::assign::Assign;
use mta_store::files::Files;

impl<F: Files> Vpopmail<F> {
    /// Puts the line of `name`, which leads to `domain`, and makes users/cdb anew.
    pub(super) fn assign(&self, name: &str, domain: &Domain) -> Result<(), AccountError> {
        let (uid, gid) = domain.owner.unwrap_or(self.layout.owner);
        let start = format!("+{name}-:{}:{uid}:{gid}:", domain.name);
        let line = [start.as_bytes(), bytes_of(&domain.dir), b":-::"].concat();
        self.edit_assign(|file| with(file, name, &line))
    }

    /// Removes the lines of `names` and makes users/cdb anew.
    pub(super) fn unassign(&self, names: &[String]) -> Result<(), AccountError> {
        self.edit_assign(|file| {
            let mut file = file.to_vec();
            for name in names {
                file = without(&file, name);
            }
            file
        })
    }

    /// Reads users/assign; a missing file has no lines.
    pub(super) fn read_assign(&self) -> Result<(Vec<u8>, Assign), AccountError> {
        let path = self.users_assign();
        let mut file = self.read(&path)?;
        if file.is_empty() {
            file = b".\n".to_vec();
        }
        let parsed = self.parse_assign(&file)?;
        Ok((file, parsed))
    }

    fn parse_assign(&self, file: &[u8]) -> Result<Assign, AccountError> {
        Assign::parse(file).map_err(|e| {
            let expected = format!("{} in line {}", e.expected, e.line);
            AccountError::damaged(&self.users_assign(), expected)
        })
    }

    /// The lock is held over both files, so that users/cdb is always made from the latest lines.
    fn edit_assign(&self, change: impl FnOnce(&[u8]) -> Vec<u8>) -> Result<(), AccountError> {
        let path = self.users_assign();
        let _held = self.lock(&path)?;
        let (old, _) = self.read_assign()?;
        let new = change(&old);
        let parsed = self.parse_assign(&new)?;
        self.publish(&path, &new, 0o644)?;
        self.publish_cdb(&self.users_cdb(), parsed.to_cdb_records(), 0o644)?;
        let dir = self.layout.qmail.join("users");
        self.files.sync_dir(&dir).map_err(doing("syncing", &dir))
    }
}

/// Puts `line` before the first wildcard line whose name has a greater key, or before the final
/// dot. Other lines stay byte for byte and in their order, because the first of two with one key
/// wins.
fn with(file: &[u8], name: &str, line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(file.len() + line.len() + 1);
    let mut waiting = Some(line);
    let new_key = key(name.as_bytes());
    let mut put = |out: &mut Vec<u8>| {
        if let Some(line) = waiting.take() {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    };
    for old in file.split_inclusive(|&b| b == b'\n') {
        match wildcard_name(old) {
            Some(old_name) if old_name == name.as_bytes() => {
                put(&mut out);
                continue;
            }
            Some(old_name) if key(old_name) > new_key => put(&mut out),
            _ if old.first() == Some(&b'.') => put(&mut out),
            _ => {}
        }
        out.extend_from_slice(old);
    }
    out
}

fn without(file: &[u8], name: &str) -> Vec<u8> {
    let lines = file.split_inclusive(|&b| b == b'\n');
    let kept = lines.filter(|line| wildcard_name(line) != Some(name.as_bytes()));
    kept.collect::<Vec<_>>().concat()
}

/// The name in `+NAME-:…`.
fn wildcard_name(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"+")?;
    let field = rest.split(|&b| b == b':').next()?;
    field.strip_suffix(b"-")
}
