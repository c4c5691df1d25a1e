//! Adding, removing and changing the mailboxes of a domain (vadduser(8), vdeluser(8), vpasswd(8)).

use super::error::doing;
use super::{AccountError, Domain, Vpopmail, bytes_of, check_crypt, no_domain, path_of};
use crate::sasl::Secret;
use crate::vpasswd::{self, Entry};
use crate::{DomainName, Flags, Limits, MailboxName, Quota};
use mta_store::atomic::lock_file;
use mta_store::files::Files;
use mta_store::maildir::Maildir;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What stands in `lastauth` before anybody logged in.
pub(super) const NEVER: &[u8] = b"0.0.0.0";

/// A mailbox that is to be made.
#[derive(Clone)]
pub struct NewUser {
    name: MailboxName,
    crypt: String,
    gecos: Vec<u8>,
    quota: Option<Quota>,
    flags: Flags,
    clear: Option<Secret>,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewUser({})", self.name)
    }
}

impl NewUser {
    /// A mailbox with a crypt(3) string, the quota that its domain's limits give to new ones, and
    /// its name as description. An empty string is no password, and nobody logs in.
    #[must_use]
    pub fn new(name: MailboxName, crypt: String) -> Self {
        Self {
            gecos: name.as_bytes().to_vec(),
            quota: None,
            flags: Flags::default(),
            clear: None,
            name,
            crypt,
        }
    }

    /// Describes it; colons cannot stand in the file and are left out.
    #[must_use]
    pub fn gecos(mut self, text: &str) -> Self {
        self.gecos = text.bytes().filter(|&b| b != b':').collect();
        self
    }

    /// Limits it, or frees it from the limit of new ones.
    #[must_use]
    pub const fn quota(mut self, quota: Quota) -> Self {
        self.quota = Some(quota);
        self
    }

    /// Keeps the password readable besides, where the installation wants that.
    #[must_use]
    pub fn clear(mut self, clear: Option<Secret>) -> Self {
        self.clear = clear;
        self
    }

    /// Forbids it this, and makes it that.
    #[must_use]
    pub const fn flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    fn entry(&self, home: &Path, usual: Quota) -> Result<Entry, AccountError> {
        check_crypt(&self.crypt)?;
        let mut entry = Entry::new(self.name.as_bytes(), self.crypt.as_bytes(), bytes_of(home));
        entry.gecos.clone_from(&self.gecos);
        entry.quota = self.quota.unwrap_or(usual).to_string().into_bytes();
        entry.flags = self.flags;
        entry.clear = self.clear.as_ref().map(|clear| clear.expose().to_vec());
        entry.check()?;
        Ok(entry)
    }
}

impl<F: Files> Vpopmail<F> {
    /// Adds a mailbox: its home and Maildir, then its line, then its record.
    ///
    /// What a crash cut short is completed by calling it again.
    ///
    /// # Errors
    /// [`AccountError::UserExists`] where it is there, [`AccountError::NoSuchDomain`] where the
    /// domain is not.
    pub fn add_user(&self, domain: &DomainName, user: &NewUser) -> Result<(), AccountError> {
        check_crypt(&user.crypt)?;
        let domain = self.existing(domain)?;
        let _held = self.lock_domain(&domain)?;
        let path = domain.dir.join("vpasswd.cdb");
        if self.record(&path, user.name.as_bytes())?.is_some() {
            let address = format!("{}@{}", user.name, domain.name);
            return Err(AccountError::UserExists(address));
        }
        self.put_locked(&domain, user)
    }

    /// Removes a mailbox with its mail: its home, then its line and its record.
    ///
    /// # Errors
    /// [`AccountError::CatchAll`] where the domain's `.qmail-default` delivers to it;
    /// [`AccountError::Outside`] where its home is not in the domain's directory.
    pub fn remove_user(&self, domain: &DomainName, name: &MailboxName) -> Result<(), AccountError> {
        let domain = self.existing(domain)?;
        let _held = self.lock_domain(&domain)?;
        let file = self.read(&domain.dir.join("vpasswd"))?;
        let cdb = domain.dir.join("vpasswd.cdb");
        let entry = match existing_entry(&file, name, &domain) {
            Err(_) if self.record(&cdb, name.as_bytes())?.is_some() => {
                // A removal that a crash cut short before its last step.
                return self.publish_accounts(&domain, &file);
            }
            other => other?,
        };
        let home = path_of(&entry.dir);
        self.check_catch_all(&domain, name, &entry.dir)?;
        if !entry.dir.is_empty() {
            self.remove_tree(&domain.dir, &home)?;
        }
        self.publish_accounts(&domain, &vpasswd::without(&file, name.as_bytes()))?;
        self.give_back(&domain.dir, &home)
    }

    /// Changes a password to that of a crypt(3) string.
    ///
    /// # Errors
    /// [`AccountError::PasswordFixed`] where the account's flags or its domain's limits forbid it.
    pub fn set_password(
        &self,
        domain: &DomainName,
        name: &MailboxName,
        crypt: &str,
    ) -> Result<(), AccountError> {
        self.set_passwords(domain, name, (crypt, None))
    }

    /// Changes a password as [`Vpopmail::set_password`], and keeps it readable besides where the
    /// installation wants that.
    ///
    /// # Errors
    /// Fails as that does, and where the clear password does not fit its field.
    pub fn set_passwords(
        &self,
        domain: &DomainName,
        name: &MailboxName,
        (crypt, clear): (&str, Option<&Secret>),
    ) -> Result<(), AccountError> {
        check_crypt(crypt)?;
        self.change(domain, name, |entry, limits| {
            let flags = limits.effective(entry.flags);
            if flags.contains(Flags::NO_PASSWD_CHNG) {
                return false;
            }
            entry.crypt = crypt.as_bytes().to_vec();
            entry.clear = clear.map(|clear| clear.expose().to_vec());
            true
        })
    }

    /// Changes an account's line: description, flags, home, quota, crypt(3) string. No flag forbids
    /// that; it is the administrator's call. The name stays.
    ///
    /// # Errors
    /// Fails where there is no such account, a field does not fit or holds no crypt(3) string, or
    /// the files cannot be changed.
    pub fn edit_user(
        &self,
        domain: &DomainName,
        name: &MailboxName,
        change: impl FnOnce(&mut Entry),
    ) -> Result<(), AccountError> {
        let mut wrong = None;
        self.change(domain, name, |entry, _| {
            let old = entry.crypt.clone();
            change(entry);
            entry.name = name.as_bytes().to_vec();
            if entry.crypt != old {
                wrong = check_crypt(&String::from_utf8_lossy(&entry.crypt)).err();
            }
            wrong.is_none()
        })
        .map_err(|error| wrong.take().unwrap_or(error))
    }

    /// Sets what an account may not do.
    ///
    /// # Errors
    /// Fails where there is no such account, or its files cannot be changed.
    pub fn set_flags(
        &self,
        domain: &DomainName,
        name: &MailboxName,
        flags: Flags,
    ) -> Result<(), AccountError> {
        self.edit_user(domain, name, |entry| entry.flags = flags)
    }

    /// Lists a domain's accounts in the order of their names.
    ///
    /// # Errors
    /// [`AccountError::NoSuchDomain`], or why `vpasswd` cannot be read.
    pub fn users(&self, domain: &DomainName) -> Result<Vec<Entry>, AccountError> {
        let domain = self.existing(domain)?;
        let file = self.read(&domain.dir.join("vpasswd"))?;
        Ok(vpasswd::entries(&file).collect())
    }

    /// Makes `vpasswd.cdb` from `vpasswd`, where that is there (vmkpasswd(8)).
    ///
    /// # Errors
    /// Passes on why a file cannot be read or written.
    pub fn rebuild(&self, domain: &Domain) -> Result<(), AccountError> {
        let _held = self.lock_domain(domain)?;
        let path = domain.dir.join("vpasswd");
        let file = self.files.read(&path, mta_store::atomic::MAX_EDITED);
        let file = file.map_err(doing("reading", &path))?;
        self.publish_cdb(
            &domain.dir.join("vpasswd.cdb"),
            vpasswd::records(&file),
            0o600,
        )
    }

    /// Puts a mailbox, in place of one that is there already.
    pub(super) fn put_user(&self, domain: &Domain, user: &NewUser) -> Result<(), AccountError> {
        let _held = self.lock_domain(domain)?;
        self.put_locked(domain, user)
    }

    fn put_locked(&self, domain: &Domain, user: &NewUser) -> Result<(), AccountError> {
        let file = self.read(&domain.dir.join("vpasswd"))?;
        let begun = vpasswd::find(&file, user.name.as_bytes()).filter(|old| !old.dir.is_empty());
        let place = match begun {
            Some(_) => None,
            None => Some(self.place(&domain.dir)?),
        };
        let home = match (&begun, &place) {
            (Some(old), _) => path_of(&old.dir),
            (None, Some(place)) => place.path(user.name.as_str()),
            (None, None) => domain.dir.join(user.name.as_str()),
        };
        let entry = user.entry(&home, self.limits_in(&domain.dir)?.default_quota())?;
        if begun.is_none() {
            self.check_unoccupied(&home)?;
        }
        if let Some(place) = &place {
            self.make_place(place)?;
        }
        self.make_home(&home)?;
        self.publish_accounts(domain, &vpasswd::with(&file, &entry))?;
        match &place {
            Some(place) => self.keep_placement(place),
            None => Ok(()),
        }
    }

    fn make_home(&self, home: &Path) -> Result<(), AccountError> {
        self.make_dir(home, 0o700)?;
        Maildir::new(Arc::clone(&self.files), home.join("Maildir"))
            .create(self.owner_in(home))
            .map_err(doing("making the Maildir in", home))?;
        self.publish(&home.join("lastauth"), NEVER, 0o600)
    }

    /// A home that a crash left behind is empty; anything else belongs to somebody.
    fn check_unoccupied(&self, home: &Path) -> Result<(), AccountError> {
        let names = |path: PathBuf| match self.files.names(&path) {
            Ok(names) => Ok(names),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(doing("reading", &path)(e)),
        };
        let ours = ["Maildir", "lastauth", "lastauth.tmp"];
        let mut foreign = names(home.to_path_buf())?
            .iter()
            .any(|name| !ours.iter().any(|our| name == our));
        for folder in ["new", "cur"] {
            foreign |= !names(home.join("Maildir").join(folder))?.is_empty();
        }
        if foreign {
            return Err(AccountError::HomeOccupied(home.to_path_buf()));
        }
        Ok(())
    }

    fn change(
        &self,
        domain: &DomainName,
        name: &MailboxName,
        change: impl FnOnce(&mut Entry, &Limits) -> bool,
    ) -> Result<(), AccountError> {
        let domain = self.existing(domain)?;
        let limits = self.limits_in(&domain.dir)?;
        let _held = self.lock_domain(&domain)?;
        let file = self.read(&domain.dir.join("vpasswd"))?;
        let mut entry = existing_entry(&file, name, &domain)?;
        if !change(&mut entry, &limits) {
            let address = format!("{name}@{}", domain.name);
            return Err(AccountError::PasswordFixed(address));
        }
        entry.check()?;
        self.publish_accounts(&domain, &vpasswd::with(&file, &entry))
    }

    /// The text first: it is what the record is made from, and what a repetition starts at.
    fn publish_accounts(&self, domain: &Domain, file: &[u8]) -> Result<(), AccountError> {
        self.publish(&domain.dir.join("vpasswd"), file, 0o600)?;
        self.publish_cdb(
            &domain.dir.join("vpasswd.cdb"),
            vpasswd::records(file),
            0o600,
        )
    }

    fn check_catch_all(
        &self,
        domain: &Domain,
        name: &MailboxName,
        home: &[u8],
    ) -> Result<(), AccountError> {
        let path = domain.dir.join(".qmail-default");
        let file = self.read(&path)?;
        let last = file.trim_ascii_end().rsplit(|b| b" \t".contains(b)).next();
        let target = last.unwrap_or_default();
        let address = format!("{name}@{}", domain.name);
        let by_path = !home.is_empty() && target.strip_suffix(b"/").unwrap_or(target) == home;
        if by_path || target.eq_ignore_ascii_case(address.as_bytes()) {
            return Err(AccountError::CatchAll(address));
        }
        Ok(())
    }

    pub(super) fn existing(&self, name: &DomainName) -> Result<Domain, AccountError> {
        self.domain(name.as_str())?.ok_or_else(|| no_domain(name))
    }

    /// The lock file has the original's name, although the original locks it by fcntl.
    pub(super) fn lock_domain(&self, domain: &Domain) -> Result<F::Lock, AccountError> {
        let path = domain.dir.join(".vpasswd.lock");
        let held = lock_file(&*self.files, &path).map_err(doing("locking", &path))?;
        self.give_away(&path)?;
        Ok(held)
    }
}

fn existing_entry(file: &[u8], name: &MailboxName, domain: &Domain) -> Result<Entry, AccountError> {
    vpasswd::find(file, name.as_bytes())
        .ok_or_else(|| AccountError::NoSuchUser(format!("{name}@{}", domain.name)))
}
