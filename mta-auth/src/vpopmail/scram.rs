//! SCRAM's keys of a mailbox: a file in its home, bound to the crypt(3) string that they were made beside (RFC 5802 §3, RFC 5803 §2).
//!
//! ```text
//! .scram-sha-256:  SHA-256 of the crypt string, in hexadecimal SP SCRAM-SHA-256$… LF
//! ```
//! The originals know nothing of it. A password that they change makes it void.

use super::{AccountError, Mailbox, Service, Vpopmail};
use crate::LoginName;
use crate::sasl::ScramKeys;
use mta_store::files::Files;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

const FILE: &str = ".scram-sha-256";

impl<F: Files> Vpopmail<F> {
    /// Reads the keys of a mailbox; `None` where it has none, or none that belong to its password.
    ///
    /// # Errors
    /// Fails where the file is there but cannot be read: trying later may help.
    pub fn scram_keys(&self, mailbox: &Mailbox) -> Result<Option<ScramKeys>, AccountError> {
        let Some(bound) = bound(mailbox) else {
            return Ok(None);
        };
        let file = self.read(&path(mailbox))?;
        let keys = || {
            let text = std::str::from_utf8(&file).ok()?.strip_suffix('\n')?;
            let (to, keys) = text.split_once(' ')?;
            keys.parse().ok().filter(|_| to == bound)
        };
        Ok(keys())
    }

    /// Keeps keys that were made of a mailbox's password as it is now, durably and in place of
    /// older ones. A mailbox without a password keeps none.
    ///
    /// # Errors
    /// Fails where the file cannot be written; the password is as good as before.
    pub fn keep_scram_keys(&self, mailbox: &Mailbox, keys: &ScramKeys) -> Result<(), AccountError> {
        match bound(mailbox) {
            Some(bound) => {
                let line = format!("{bound} {keys}\n");
                self.publish(&path(mailbox), line.as_bytes(), 0o600)
            }
            None => Ok(()),
        }
    }

    /// Finds the mailbox that a name logs in to with its keys; `None` where there is none, it has
    /// none, or its flags forbid the service. Which of them must not be told.
    ///
    /// # Errors
    /// Fails where the account files cannot be read: trying later may help.
    pub fn scram_login(
        &self,
        name: &LoginName,
        service: Service,
    ) -> Result<Option<(Mailbox, ScramKeys)>, AccountError> {
        let Some(mailbox) = self.named(name)? else {
            return Ok(None);
        };
        let keys = self.scram_keys(&mailbox)?;
        let flags = self.effective_flags(&mailbox)?;
        let keys = keys.filter(|_| !flags.contains(service.forbidden_by()));
        Ok(keys.map(|keys| (mailbox, keys)))
    }
}

fn path(mailbox: &Mailbox) -> PathBuf {
    mailbox.home.join(FILE)
}

/// What binds keys to a password.
fn bound(mailbox: &Mailbox) -> Option<String> {
    let digest = Sha256::digest(&mailbox.hash);
    let text = digest.iter().map(|b| format!("{b:02x}")).collect();
    (!mailbox.hash.is_empty()).then_some(text)
}
