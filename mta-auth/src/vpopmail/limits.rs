//! The limits of domains on disk: a file of the domain's own, else the installation's default (vmoddomlimits(8)).

use super::error::doing;
use super::{AccountError, Domain, Mailbox, Vpopmail};
use crate::limits::MAX_FILE;
use crate::{Flags, Limits};
use mta_store::atomic::read_if_there;
use mta_store::files::Files;
use std::path::Path;

/// The domain's own file.
const OWN: &str = ".qmailadmin-limits";
/// The name that a well-known guide prints; it is read where the right one is missing.
const ALIAS: &str = ".qmailadmin-vlimits";
/// The file of the installation.
const DEFAULT: &str = "vlimits.default";

impl<F: Files> Vpopmail<F> {
    /// Reads a domain's limits. Its own file replaces the default as a whole.
    ///
    /// Unlike the original, a missing default limits nothing, instead of failing.
    ///
    /// # Errors
    /// Passes on why a file that is there cannot be read.
    pub fn limits(&self, domain: &Domain) -> Result<Limits, AccountError> {
        self.limits_in(&domain.dir)
    }

    /// Tells whether the domain has limits of its own.
    ///
    /// # Errors
    /// Passes on why that cannot be told.
    pub fn has_own_limits(&self, domain: &Domain) -> Result<bool, AccountError> {
        for name in [OWN, ALIAS] {
            if self.read_limits(&domain.dir.join(name))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn limits_in(&self, dir: &Path) -> Result<Limits, AccountError> {
        for path in [dir.join(OWN), dir.join(ALIAS)] {
            if let Some(limits) = self.read_limits(&path)? {
                return Ok(limits);
            }
        }
        self.default_limits()
    }

    /// Reads the limits of domains without limits of their own.
    ///
    /// # Errors
    /// Passes on why a file that is there cannot be read.
    pub fn default_limits(&self) -> Result<Limits, AccountError> {
        let limits = self.read_limits(&self.etc(DEFAULT))?;
        Ok(limits.unwrap_or_default())
    }

    /// Gives a domain limits of its own.
    ///
    /// # Errors
    /// Passes on why the file cannot be written.
    pub fn set_limits(&self, domain: &Domain, limits: &Limits) -> Result<(), AccountError> {
        let _held = self.lock_domain(domain)?;
        let text = limits.to_string();
        self.publish(&domain.dir.join(OWN), text.as_bytes(), 0o600)
    }

    /// Lets the default bind a domain; tells whether it had limits of its own.
    ///
    /// # Errors
    /// Passes on why a file cannot be removed.
    pub fn remove_limits(&self, domain: &Domain) -> Result<bool, AccountError> {
        let _held = self.lock_domain(domain)?;
        let mut there = false;
        // The one that counts goes last, so that a removal cut short leaves the limits as they are.
        for name in [ALIAS, OWN] {
            let path = domain.dir.join(name);
            let removed = self.files.unlink_if_there(&path);
            there |= removed.map_err(doing("removing", &path))?;
        }
        let synced = self.files.sync_dir(&domain.dir);
        synced.map_err(doing("syncing", &domain.dir))?;
        Ok(there)
    }

    /// Sets the limits of domains without limits of their own.
    ///
    /// # Errors
    /// Passes on why the file cannot be written.
    pub fn set_default_limits(&self, limits: &Limits) -> Result<(), AccountError> {
        let path = self.etc(DEFAULT);
        self.make_dir(&self.layout.vpopmail.join("etc"), 0o755)?;
        let _held = self.lock(&path)?;
        self.publish(&path, limits.to_string().as_bytes(), 0o644)
    }

    /// What a mailbox may not do: its own flags and, unless it overrides them, its domain's limits.
    ///
    /// # Errors
    /// Passes on why the limits cannot be read; nobody is let in meanwhile.
    pub fn effective_flags(&self, mailbox: &Mailbox) -> Result<Flags, AccountError> {
        if mailbox.flags.contains(Flags::V_OVERRIDE) {
            return Ok(mailbox.flags);
        }
        let limits = self.limits_in(&mailbox.domain_dir)?;
        Ok(limits.effective(mailbox.flags))
    }

    fn read_limits(&self, path: &Path) -> Result<Option<Limits>, AccountError> {
        let file = read_if_there(&*self.files, path, MAX_FILE).map_err(doing("reading", path))?;
        Ok(file.map(|file| Limits::parse(&file)))
    }
}
