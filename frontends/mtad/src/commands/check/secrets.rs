//! Judges who can read secrets, and how strongly passwords are hashed (crypt(5), vchkpw(8)).

use super::Judge;
use crate::Failure;
use crate::config::Config;
use mta_auth::password::Scheme;
use mta_auth::vpasswd::Entry;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Everybody else's permissions.
const OTHERS: u32 = 0o007;

impl Judge<'_> {
    /// The first password stands there in the clear.
    pub(super) fn first_user(&mut self) -> Result<(), Failure> {
        let path = self.home.root().join("first-user");
        if !path.exists() {
            return Ok(());
        }
        writeln!(
            self.out,
            "first-user: note: a password stands in it; change that and remove the file"
        )?;
        self.secret(&path, 0o077)
    }

    /// The account files of a domain.
    pub(super) fn account_files(&mut self, dir: &Path) -> Result<(), Failure> {
        for name in ["vpasswd", "vpasswd.cdb"] {
            self.secret(&dir.join(name), OTHERS)?;
        }
        Ok(())
    }

    fn secret(&mut self, path: &Path, forbidden: u32) -> Result<(), Failure> {
        let Ok(stat) = fs::metadata(path) else {
            return Ok(());
        };
        let mode = stat.permissions().mode() & 0o777;
        if mode & forbidden == 0 {
            return Ok(());
        }
        let wanted = if forbidden == OTHERS { "0640" } else { "0600" };
        self.error(&format!(
            "{}: expected mode {wanted}, because passwords stand in it, found {mode:04o}",
            path.display()
        ))
    }

    /// Says how many passwords of a domain are kept badly; who they are is nobody's business.
    pub(super) fn hashes(
        &mut self,
        path: &Path,
        entries: &[Entry],
        config: Option<&Config>,
    ) -> Result<(), Failure> {
        let weak = |scheme: Scheme| scheme <= Scheme::Md5;
        let weak = entries.iter().filter(|entry| {
            let scheme = Scheme::of(&entry.crypt);
            scheme.is_ok_and(weak)
        });
        let unknown = entries
            .iter()
            .filter(|entry| !entry.crypt.is_empty() && Scheme::of(&entry.crypt).is_err());
        let clear = entries.iter().filter(|entry| {
            let kept = entry.clear.as_ref();
            kept.is_some_and(|clear| !clear.is_empty())
        });
        let rehash = config.is_some_and(|config| config.auth.rehash);
        let then = if rehash {
            "they are replaced when their owners log in"
        } else {
            "expected $6$ or stronger"
        };
        let wanted = config.is_some_and(|config| config.auth.clear_passwords);
        let rows = [
            (weak.count(), format!("hashed with DES or $1$; {then}")),
            (
                unknown.count(),
                "in no form of crypt(3), so nobody logs in by them".to_owned(),
            ),
            (
                if wanted { 0 } else { clear.count() },
                "also kept in the clear, although [auth] has clear_passwords = false".to_owned(),
            ),
        ];
        for (count, said) in rows.into_iter().filter(|(count, _)| *count > 0) {
            let path = path.strip_prefix(self.home.root()).unwrap_or(path);
            let path = path.display();
            writeln!(self.out, "{path}: warning: {count} passwords are {said}")?;
        }
        Ok(())
    }
}
