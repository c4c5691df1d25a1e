//! Quotas of mailboxes and of whole domains on disk (vsetuserquota(8), vdelivermail(8)).

use super::error::doing;
use super::{AccountError, Domain, Mailbox, Vpopmail, path_of};
use crate::maildir_quota::{MaildirQuota, State};
use crate::{DomainName, MailboxName, Quota, Usage, vpasswd};
use mta_store::files::Files;
use mta_store::maildir::UniqueName;

impl<F: Files> Vpopmail<F> {
    /// Limits a mailbox anew. `unique` names the scratch file of the recount.
    ///
    /// The running sum with the old limit goes first, then the account changes, then the sum is
    /// made anew: what a crash leaves is the old limit or the new one, never the account's beside
    /// another in `maildirsize`.
    ///
    /// # Errors
    /// Fails where there is no such account, or its files cannot be changed.
    pub fn set_quota(
        &self,
        domain: &DomainName,
        name: &MailboxName,
        (quota, unique): (Quota, UniqueName<'_>),
    ) -> Result<(), AccountError> {
        let Some(mailbox) = self.find(name.as_str(), domain.as_str())? else {
            let address = format!("{name}@{domain}");
            return Err(AccountError::NoSuchUser(address));
        };
        let trouble = |e| doing("accounting in", &mailbox.maildir)(e);
        let there = self.files.exists(&mailbox.maildir).map_err(trouble)?;
        let accounts = MaildirQuota::of(&*self.files, &mailbox.maildir).map_err(trouble)?;
        if there {
            accounts.forget().map_err(trouble)?;
            let synced = self.files.sync_dir(&mailbox.maildir);
            synced.map_err(trouble)?;
        }
        self.edit_user(domain, name, |entry| {
            entry.quota = quota.to_string().into_bytes();
        })?;
        if there {
            accounts.recount(quota, unique).map_err(trouble)?;
        }
        Ok(())
    }

    /// Tells what a mailbox may hold and holds; `None` where nothing limits it, and nothing is
    /// counted.
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn quota_state(
        &self,
        mailbox: &Mailbox,
        unique: UniqueName<'_>,
    ) -> Result<Option<State>, AccountError> {
        let quota = account_quota(&mailbox.quota);
        if quota.is_none() {
            return Ok(None);
        }
        let trouble = |e| doing("accounting in", &mailbox.maildir)(e);
        let accounts = MaildirQuota::of(&*self.files, &mailbox.maildir).map_err(trouble)?;
        accounts.state(quota, unique).map(Some).map_err(trouble)
    }

    /// Sums up all mailboxes of a domain, message by message.
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn domain_usage(&self, domain: &Domain) -> Result<Usage, AccountError> {
        let file = self.read(&domain.dir.join("vpasswd"))?;
        let mut sum = Usage::default();
        for entry in vpasswd::entries(&file).filter(|entry| !entry.dir.is_empty()) {
            let maildir = path_of(&entry.dir).join("Maildir");
            let trouble = |e| doing("counting", &maildir)(e);
            if self.files.exists(&maildir).map_err(trouble)? {
                let accounts = MaildirQuota::of(&*self.files, &maildir).map_err(trouble)?;
                sum = sum.plus(accounts.usage().map_err(trouble)?);
            }
        }
        Ok(sum)
    }
}

/// The quota in an account's line. One that cannot be read limits nothing: the mail of somebody
/// whose line an old tool wrote is not lost for it.
pub(super) fn account_quota(text: &[u8]) -> Quota {
    Quota::parse(text).unwrap_or(Quota::NONE)
}
