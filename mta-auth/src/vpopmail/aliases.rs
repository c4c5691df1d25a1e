//! Aliases of a domain: files `.qmail-NAME`, which qmail-local carries out before any mailbox is looked for (valias(8)).

use super::error::doing;
use super::{AccountError, Domain, Vpopmail};
use crate::LoginName;
use mta_store::atomic::read_if_there;
use mta_store::files::{Files, Kind};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The longest line, one byte less than the original's buffer.
pub(super) const MAX_LINE: usize = 159;
/// The largest alias file that is read.
const MAX_FILE: usize = 1 << 20;
const PREFIX: &str = ".qmail-";

/// An alias's name in its domain, safe as part of a file name.
///
/// ```
/// use mta_auth::vpopmail::AliasName;
/// assert!(AliasName::parse(b"first.last").is_ok());
/// assert!(AliasName::parse(b"default").is_err(), "that file is the domain's catch-all");
/// assert!(AliasName::parse(b"a/b").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AliasName(String);

impl AliasName {
    /// Takes a name and folds it to lower case.
    ///
    /// # Errors
    /// [`AccountError::AliasName`] where it holds what no mailbox name may, a slash, or is
    /// `default`.
    pub fn parse(name: &[u8]) -> Result<Self, AccountError> {
        let plain = LoginName::parse(name).map_err(|_| AccountError::AliasName)?;
        let own = plain.local();
        if plain.domain().is_some() || own.len() != name.len() || own.contains('/') {
            return Err(AccountError::AliasName);
        }
        if own == "default" {
            return Err(AccountError::AliasName);
        }
        Ok(Self(own.to_owned()))
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn file_name(&self) -> String {
        format!("{PREFIX}{}", self.0.replace('.', ":"))
    }

    fn of_file(name: &OsStr) -> Option<Self> {
        let rest = name.as_bytes().strip_prefix(PREFIX.as_bytes())?;
        // A dot never stands in one: such files are locks and unfinished ones.
        if rest.contains(&b'.') || rest.iter().any(u8::is_ascii_uppercase) {
            return None;
        }
        let name: Vec<u8> = rest
            .iter()
            .map(|&b| if b == b':' { b'.' } else { b })
            .collect();
        Self::parse(&name).ok()
    }
}

/// One alias with its instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alias {
    /// Its name.
    pub name: AliasName,
    /// Its lines, without their ends and without blank ones.
    pub lines: Vec<Vec<u8>>,
}

impl<F: Files> Vpopmail<F> {
    /// Reads the lines of one alias; one that is not there has none.
    ///
    /// # Errors
    /// Passes on why its file cannot be read.
    pub fn alias_lines(
        &self,
        domain: &Domain,
        name: &AliasName,
    ) -> Result<Vec<Vec<u8>>, AccountError> {
        let path = alias_path(domain, name);
        let file = read_if_there(&*self.files, &path, MAX_FILE).map_err(doing("reading", &path))?;
        Ok(lines_of(&file.unwrap_or_default()))
    }

    /// Lists the domain's aliases by their names. A mailing list's links to its own instructions,
    /// which hold `-default` or `-owner`, are no aliases.
    ///
    /// # Errors
    /// Passes on why the directory or a file cannot be read.
    pub fn aliases(&self, domain: &Domain) -> Result<Vec<Alias>, AccountError> {
        let names = self.files.names(&domain.dir);
        let names = names.map_err(doing("reading", &domain.dir))?;
        let mut aliases = Vec::new();
        for name in names {
            let Some(alias) = AliasName::of_file(&name) else {
                continue;
            };
            let path = domain.dir.join(&name);
            let kind = self.files.lstat(&path).map(|stat| stat.kind);
            let of_a_list = alias.0.contains("-default") || alias.0.contains("-owner");
            match kind.map_err(doing("looking for", &path))? {
                Kind::File => {}
                Kind::Symlink if !of_a_list => {}
                _ => continue,
            }
            let lines = self.alias_lines(domain, &alias)?;
            aliases.push(Alias { name: alias, lines });
        }
        aliases.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(aliases)
    }

    /// Appends a line to an alias, which is made where it is not there.
    ///
    /// # Errors
    /// [`AccountError::AliasLine`] where the line is blank, too long or more than one;
    /// [`AccountError::AliasExists`] where it stands there already.
    pub fn add_alias_line(
        &self,
        domain: &Domain,
        name: &AliasName,
        line: &[u8],
    ) -> Result<(), AccountError> {
        let line = line.trim_ascii();
        if line.is_empty() || line.len() > MAX_LINE || line.iter().any(|b| matches!(b, b'\n' | 0)) {
            return Err(AccountError::AliasLine);
        }
        let _held = self.lock_domain(domain)?;
        let mut lines = self.alias_lines(domain, name)?;
        if lines.iter().any(|old| old == line) {
            let address = format!("{}@{}", name.0, domain.name);
            return Err(AccountError::AliasExists(address));
        }
        lines.push(line.to_vec());
        self.put_alias(domain, name, &lines)
    }

    /// Removes one line of an alias, and the alias with its last; tells whether it stood there.
    ///
    /// # Errors
    /// Passes on why the file cannot be changed.
    pub fn remove_alias_line(
        &self,
        domain: &Domain,
        name: &AliasName,
        line: &[u8],
    ) -> Result<bool, AccountError> {
        let _held = self.lock_domain(domain)?;
        let mut lines = self.alias_lines(domain, name)?;
        let before = lines.len();
        lines.retain(|old| old != line.trim_ascii());
        if lines.len() == before {
            return Ok(false);
        }
        self.put_alias(domain, name, &lines)?;
        Ok(true)
    }

    /// Replaces all lines of an alias; none removes it.
    ///
    /// # Errors
    /// [`AccountError::AliasLine`] where a line does not fit; passes on why the file cannot be
    /// changed.
    pub fn set_alias(
        &self,
        domain: &Domain,
        name: &AliasName,
        lines: &[Vec<u8>],
    ) -> Result<(), AccountError> {
        let wrong = |line: &Vec<u8>| {
            line.trim_ascii().is_empty()
                || line.len() > MAX_LINE
                || line.iter().any(|b| matches!(b, b'\n' | 0))
        };
        if lines.iter().any(wrong) {
            return Err(AccountError::AliasLine);
        }
        let _held = self.lock_domain(domain)?;
        self.put_alias(domain, name, lines)
    }

    fn put_alias(
        &self,
        domain: &Domain,
        name: &AliasName,
        lines: &[Vec<u8>],
    ) -> Result<(), AccountError> {
        let path = alias_path(domain, name);
        if lines.is_empty() {
            let removed = self.files.unlink_if_there(&path);
            removed.map_err(doing("removing", &path))?;
            let synced = self.files.sync_dir(&domain.dir);
            return synced.map_err(doing("syncing", &domain.dir));
        }
        let mut text = lines.join(&b'\n');
        text.push(b'\n');
        self.publish(&path, &text, 0o600)
    }
}

fn alias_path(domain: &Domain, name: &AliasName) -> PathBuf {
    domain.dir.join(name.file_name())
}

fn lines_of(file: &[u8]) -> Vec<Vec<u8>> {
    file.split(|&b| b == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}
