//! A domain's lines in rcpthosts, morercpthosts, virtualdomains and locals (qmail-smtpd(8), qmail-send(8)).

use super::error::doing;
use super::{AccountError, Vpopmail};
use crate::domain_order::{contains, count, with, without};
use mta_core::control::morercpthosts_keys;
use mta_store::files::Files;

/// How many domains rcpthosts holds before further ones go to morercpthosts.
pub const MAX_RCPTHOSTS: usize = 50;

impl<F: Files> Vpopmail<F> {
    /// Takes mail for `domain`: in rcpthosts, or from the 51st line on in morercpthosts.
    pub(super) fn take_mail(&self, domain: &str) -> Result<(), AccountError> {
        let path = self.control("rcpthosts");
        let _held = self.lock(&path)?;
        let listed = self.read(&path)?;
        let more = self.control("morercpthosts");
        let _held_more = self.lock(&more)?;
        let further = self.read(&more)?;
        let here = contains(&listed, domain.as_bytes());
        let there = contains(&further, domain.as_bytes());
        if here || (!there && count(&listed) < MAX_RCPTHOSTS) {
            return self.publish(&path, &with(&listed, domain.as_bytes()), 0o644);
        }
        let further = with(&further, domain.as_bytes());
        self.publish(&more, &further, 0o644)?;
        self.publish_morercpthosts_cdb(&further)
    }

    /// Takes no more mail for `domain`.
    pub(super) fn refuse_mail(&self, domain: &str) -> Result<(), AccountError> {
        let path = self.control("rcpthosts");
        let _held = self.lock(&path)?;
        let listed = self.read(&path)?;
        if contains(&listed, domain.as_bytes()) {
            self.publish(&path, &without(&listed, domain.as_bytes()), 0o644)?;
        }
        let more = self.control("morercpthosts");
        let _held_more = self.lock(&more)?;
        let further = self.read(&more)?;
        let cdb = self.control("morercpthosts.cdb");
        let there = self.record(&cdb, domain.as_bytes())?.is_some();
        if !there && !contains(&further, domain.as_bytes()) {
            return Ok(());
        }
        let further = without(&further, domain.as_bytes());
        // The cdb is what qmail-smtpd reads, so it changes first and a repetition finds the line.
        if further.is_empty() {
            self.unlink(&cdb)?;
            return self.unlink(&more);
        }
        self.publish_morercpthosts_cdb(&further)?;
        self.publish(&more, &further, 0o644)
    }

    /// Tells whether mail for `domain` is taken because of a line of its own.
    pub(super) fn takes_mail(&self, domain: &str) -> Result<bool, AccountError> {
        let listed = self.read(&self.control("rcpthosts"))?;
        if contains(&listed, domain.as_bytes()) {
            return Ok(true);
        }
        let cdb = self.control("morercpthosts.cdb");
        Ok(self.record(&cdb, domain.as_bytes())?.is_some())
    }

    /// Changes one control file under its lock.
    pub(super) fn edit_control(
        &self,
        name: &str,
        change: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
    ) -> Result<(), AccountError> {
        let path = self.control(name);
        let _held = self.lock(&path)?;
        match change(&self.read(&path)?) {
            Some(new) => self.publish(&path, &new, 0o644),
            None => Ok(()),
        }
    }

    fn publish_morercpthosts_cdb(&self, further: &[u8]) -> Result<(), AccountError> {
        let keys = morercpthosts_keys(further);
        let records = keys.into_iter().map(|key| (key, b""));
        self.publish_cdb(&self.control("morercpthosts.cdb"), records, 0o644)
    }

    fn unlink(&self, path: &std::path::Path) -> Result<(), AccountError> {
        let removed = self.files.unlink_if_there(path);
        removed.map_err(doing("removing", path))?;
        let dir = self.layout.qmail.join("control");
        self.files.sync_dir(&dir).map_err(doing("syncing", &dir))
    }
}
