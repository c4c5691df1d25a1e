//! Checking a login, and noting when and from where it was (vchkpw(8)).

use super::error::doing;
use super::{AccountError, Mailbox, Vpopmail};
use crate::password::{self, HashError};
use crate::sasl::{Secret, apop_digest, cram_md5_digest, digests_equal};
use crate::{DomainName, Flags, LoginName, MailboxName};
use mta_core::Unix;
use mta_store::files::{Access, Files, OpenFile};
use std::io;

/// What a client logs in to; an account's flags forbid each apart.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Fetching mail by POP3.
    Pop,
    /// Reading mail by IMAP.
    Imap,
    /// Reading mail in a browser.
    Webmail,
    /// Sending mail.
    Smtp,
}

impl Service {
    pub(super) const fn forbidden_by(self) -> Flags {
        match self {
            Self::Pop => Flags::NO_POP,
            Self::Imap => Flags::NO_IMAP,
            Self::Webmail => Flags::NO_WEBMAIL,
            Self::Smtp => Flags::NO_SMTP,
        }
    }
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Login {
    /// The password is right and the service is allowed.
    Accepted(Box<Mailbox>),
    /// It is not; the reason is for the log and never for the client.
    Refused(Refusal),
}

/// Why a login was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No such domain or mailbox.
    #[error("vpopmail user not found")]
    NotFound,
    /// The password is wrong.
    #[error("password fail")]
    Password,
    /// The stored password cannot be verified.
    #[error("{0}")]
    Stored(HashError),
    /// The account's flags forbid the service.
    #[error("access denied")]
    Denied,
}

/// The longest `lastauth`.
const MAX_LAST: usize = 1024;

impl<F: Files> Vpopmail<F> {
    /// Checks a name and a clear password.
    ///
    /// A name that is not there takes the time of one that is. A name without a domain is in the
    /// one of `etc/defaultdomain`, if that says one.
    ///
    /// # Errors
    /// Fails where the account files cannot be read, which is no refusal: trying later may help.
    pub fn verify(
        &self,
        name: &LoginName,
        password: &[u8],
        service: Service,
    ) -> Result<Login, AccountError> {
        self.verify_answer(name, (password, b""), service)
    }

    /// Checks a name and what a client answered to a challenge: the digest that CRAM-MD5 has for
    /// mail that is sent and APOP for mail that is fetched, where the clear password is kept, or
    /// the clear password itself. An empty challenge is none.
    ///
    /// # Errors
    /// Fails as [`Vpopmail::verify`] does.
    pub fn verify_answer(
        &self,
        name: &LoginName,
        (answer, challenge): (&[u8], &[u8]),
        service: Service,
    ) -> Result<Login, AccountError> {
        let Some(mailbox) = self.named(name)? else {
            password::verify_nobody(answer);
            return Ok(Login::Refused(Refusal::NotFound));
        };
        let right = password::verify(answer, &mailbox.hash);
        let refusal = match right {
            right if right == Ok(true) || is_digest(&mailbox, (answer, challenge), service) => {
                let flags = self.effective_flags(&mailbox)?;
                if !flags.contains(service.forbidden_by()) {
                    return Ok(Login::Accepted(Box::new(mailbox)));
                }
                Refusal::Denied
            }
            Ok(_) => Refusal::Password,
            Err(error) => {
                password::verify_nobody(answer);
                Refusal::Stored(error)
            }
        };
        Ok(Login::Refused(refusal))
    }

    /// Checks a name by what only its clear password can have made, as CRAM-MD5 and APOP do. An
    /// account whose clear password is not kept is refused.
    ///
    /// # Errors
    /// Fails as [`Self::verify`] does.
    pub fn verify_clear(
        &self,
        name: &LoginName,
        service: Service,
        belongs: impl FnOnce(&[u8]) -> bool,
    ) -> Result<Login, AccountError> {
        let Some(mailbox) = self.named(name)? else {
            return Ok(Login::Refused(Refusal::NotFound));
        };
        let clear = mailbox.clear.as_ref().map(Secret::expose);
        if !clear.is_some_and(|clear| !clear.is_empty() && belongs(clear)) {
            return Ok(Login::Refused(Refusal::Password));
        }
        if self
            .effective_flags(&mailbox)?
            .contains(service.forbidden_by())
        {
            return Ok(Login::Refused(Refusal::Denied));
        }
        Ok(Login::Accepted(Box::new(mailbox)))
    }

    /// Replaces the crypt(3) string of somebody who has just logged in, unless it was changed
    /// meanwhile or the account's password is fixed. Tells whether it did.
    ///
    /// # Errors
    /// Fails where the files cannot be changed; the login is good all the same.
    pub fn rehash(&self, mailbox: &Mailbox, crypt: &str) -> Result<bool, AccountError> {
        let fixed = self
            .effective_flags(mailbox)?
            .contains(Flags::NO_PASSWD_CHNG);
        let domain = DomainName::parse(mailbox.domain.as_bytes());
        let name = MailboxName::parse(mailbox.name.as_bytes());
        let (Ok(domain), Ok(name), false) = (domain, name, fixed) else {
            return Ok(false);
        };
        let mut done = false;
        self.edit_user(&domain, &name, |entry| {
            if entry.crypt == mailbox.hash {
                entry.crypt = crypt.as_bytes().to_vec();
                done = true;
            }
        })?;
        Ok(done)
    }

    pub(super) fn named(&self, name: &LoginName) -> Result<Option<Mailbox>, AccountError> {
        let domain = match name.domain() {
            Some(domain) => Some(domain.to_owned()),
            None => self.default_domain()?,
        };
        match domain {
            Some(domain) => self.find(name.local(), &domain),
            None => Ok(None),
        }
    }

    /// Notes a login in `lastauth`: the client's address as contents, the time as the file's own.
    ///
    /// It is a hint and not synced; a crash may lose it.
    ///
    /// # Errors
    /// Passes on why the file cannot be written; the login is good all the same.
    pub fn note_login(&self, mailbox: &Mailbox, ip: &str) -> Result<(), AccountError> {
        let path = mailbox.home.join("lastauth");
        let ip: String = ip
            .strip_prefix("::ffff:")
            .unwrap_or(ip)
            .chars()
            .take(45)
            .map(|c| {
                if c.is_ascii_hexdigit() || ".:".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let write = || -> io::Result<()> {
            let file = match self.files.open(&path, Access::ReadWrite) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    self.files.create_new(&path, 0o600)?
                }
                other => other?,
            };
            file.write_all_at(ip.as_bytes(), 0)?;
            file.truncate(ip.len() as u64)
        };
        write().map_err(doing("writing", &path))
    }

    /// Tells when a mailbox was logged in to last, and from where; without an address it is when it
    /// was made. `None` where nothing tells.
    ///
    /// # Errors
    /// Passes on why `lastauth` cannot be read.
    pub fn last_login(
        &self,
        mailbox: &Mailbox,
    ) -> Result<Option<(Unix, Option<String>)>, AccountError> {
        let path = mailbox.home.join("lastauth");
        let read = || -> io::Result<_> {
            let file = self.files.open(&path, Access::Read)?;
            Ok((file.stat()?.mtime, file.read_all(MAX_LAST)?))
        };
        let (time, text) = match read() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(doing("reading", &path))?,
        };
        let ip = String::from_utf8_lossy(text.trim_ascii()).into_owned();
        let never = ip.is_empty() || ip.as_bytes() == super::users::NEVER;
        Ok(Some((time, Some(ip).filter(|_| !never))))
    }

    /// The domain of names without one: the first line of `etc/defaultdomain`.
    ///
    /// # Errors
    /// Passes on why the file cannot be read.
    pub fn default_domain(&self) -> Result<Option<String>, AccountError> {
        let file = self.read(&self.layout.vpopmail.join("etc/defaultdomain"))?;
        let line = file.split(|&b| b == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line.trim_ascii()).into_owned();
        Ok(Some(line).filter(|line| !line.is_empty()))
    }
}

fn is_digest(mailbox: &Mailbox, (answer, challenge): (&[u8], &[u8]), service: Service) -> bool {
    let Some(clear) = mailbox.clear.as_ref().filter(|_| !challenge.is_empty()) else {
        return false;
    };
    let computed = match service {
        Service::Pop => apop_digest(clear.expose(), challenge),
        _ => cram_md5_digest(clear.expose(), challenge),
    };
    digests_equal(&computed, answer)
}
