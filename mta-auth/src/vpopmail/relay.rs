//! Who fetched mail may send for a while: `open-smtp`, and tcpserver's rules made anew (vchkpw(8), clearopensmtp(8)).

use super::error::doing;
use super::{AccountError, Vpopmail};
use crate::Settings;
use crate::open_smtp::{MAX_FILE, OpenSmtp};
use crate::settings;
use mta_core::Unix;
use mta_core::tcprules::{Parser, Syntax};
use mta_store::atomic::{MAX_EDITED, lock_file, read_if_there};
use mta_store::files::{Files, Stat};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

impl<F: Files> Vpopmail<F> {
    /// Reads the settings; a missing file says nothing.
    ///
    /// # Errors
    /// [`AccountError::Damaged`] where a line is not understood.
    pub fn settings(&self) -> Result<Settings, AccountError> {
        let path = self.etc("vpopmail.conf");
        let file = read_if_there(&*self.files, &path, settings::MAX_FILE);
        let file = file.map_err(doing("reading", &path))?;
        Settings::parse(&file.unwrap_or_default())
            .map_err(|e| AccountError::damaged(&path, e.to_string()))
    }

    /// Where tcpserver's rules for SMTP are written by an administrator; `.cdb` behind it is what
    /// tcpserver reads.
    #[must_use]
    pub fn rules_file(&self, settings: &Settings) -> PathBuf {
        let usual = || self.etc("tcp.smtp");
        settings.tcpserver_file.clone().unwrap_or_else(usual)
    }

    /// Lets an address send from now on, where [`opens`](crate::open_smtp::opens) and
    /// [`is_openable`](crate::open_smtp::is_openable) say that a login does; `rebuild` makes the rules' database from their source,
    /// [`Vpopmail::publish_rules`] or a program that does, where they change.
    ///
    /// The lock is held over all of it, so that whoever clears the list at that moment neither
    /// loses the address nor publishes older rules.
    ///
    /// # Errors
    /// Passes on what failed; the login is good all the same.
    pub fn open_relay(
        &self,
        settings: &Settings,
        (client, now): (IpAddr, Unix),
        rebuild: impl FnOnce(&[u8]) -> Result<(), AccountError>,
    ) -> Result<(), AccountError> {
        let _held = self.lock_open_smtp()?;
        let (path, mut open) = self.read_open_smtp()?;
        let new = open.see(client, now);
        self.publish(&path, &open.format(), 0o644)?;
        if !new {
            return Ok(());
        }
        rebuild(&self.rules_source(settings, &open)?)
    }

    /// Forgets the addresses whose time is over, and always makes the rules' database anew.
    ///
    /// # Errors
    /// Passes on what failed.
    pub fn clear_relay(
        &self,
        settings: &Settings,
        now: Unix,
        rebuild: impl FnOnce(&[u8]) -> Result<(), AccountError>,
    ) -> Result<(), AccountError> {
        let _held = self.lock_open_smtp()?;
        let (path, mut open) = self.read_open_smtp()?;
        open.expire(now, settings.relay_clear_minutes);
        self.publish(&path, &open.format(), 0o644)?;
        rebuild(&self.rules_source(settings, &open)?)
    }

    /// Reads who was seen, for a server that keeps its own list from there on.
    ///
    /// # Errors
    /// Passes on why the file cannot be read.
    pub fn open_addresses(&self) -> Result<OpenSmtp, AccountError> {
        self.read_open_smtp().map(|(_, open)| open)
    }

    /// What changes when the list does: its file's inode, size and time; `None` where it is missing.
    ///
    /// # Errors
    /// Passes on why the file cannot be looked at.
    pub fn open_smtp_stat(&self) -> Result<Option<Stat>, AccountError> {
        let path = self.etc("open-smtp");
        match self.files.stat(&path) {
            Ok(stat) => Ok(Some(stat)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(doing("reading", &path)(e)),
        }
    }

    /// Compiles rules and puts them in place, mode 0644, since tcpserver reads them as another user.
    ///
    /// # Errors
    /// [`AccountError::Damaged`] where a line is no rule; the old database stays then.
    pub fn publish_rules(&self, settings: &Settings, source: &[u8]) -> Result<(), AccountError> {
        let file = self.rules_file(settings);
        let mut records = Vec::new();
        for rule in Parser::new(source, Syntax::Original) {
            let rule = rule.map_err(|e| {
                let expected = format!("{} in line {}", e.expected, e.line);
                AccountError::damaged(&file, expected)
            })?;
            records.push((rule.key, rule.data));
        }
        self.publish_cdb(&rules_cdb(&file), records, 0o644)
    }

    fn rules_source(&self, settings: &Settings, open: &OpenSmtp) -> Result<Vec<u8>, AccountError> {
        let path = self.rules_file(settings);
        let own = read_if_there(&*self.files, &path, MAX_EDITED);
        let own = own.map_err(doing("reading", &path))?.unwrap_or_default();
        Ok(open.rules_after(&own))
    }

    fn read_open_smtp(&self) -> Result<(PathBuf, OpenSmtp), AccountError> {
        let path = self.etc("open-smtp");
        let file = read_if_there(&*self.files, &path, MAX_FILE);
        let file = file.map_err(doing("reading", &path))?;
        Ok((path, OpenSmtp::parse(&file.unwrap_or_default())))
    }

    fn lock_open_smtp(&self) -> Result<F::Lock, AccountError> {
        self.make_dir(&self.layout.vpopmail.join("etc"), 0o755)?;
        let path = self.etc("open-smtp.lock");
        let held = lock_file(&*self.files, &path).map_err(doing("locking", &path))?;
        self.give_away(&path)?;
        Ok(held)
    }
}

/// The database beside the rules.
#[must_use]
pub fn rules_cdb(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_os_string();
    name.push(".cdb");
    PathBuf::from(name)
}
