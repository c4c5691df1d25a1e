//! Maildir++ quotas of virtual mailboxes: over quota bounces, nearly full warns once a day (vdelivermail(8), spec vpopmail §4.1).

use super::Accounts;
use super::work::Work;
use mta_auth::maildir_quota::{MaildirQuota, State, WARN_PERCENT};
use mta_auth::vpopmail::AccountError;
use mta_auth::{Quota, Usage};
use mta_core::date;
use mta_core::report::Report;
use mta_store::files::RealFiles;
use std::path::{Path, PathBuf};

const OVER: &[u8] = b"user is over quota\n\n";
const DOMAIN_OVER: &str = "domain is over quota\n";

/// What bounds a delivery into a virtual mailbox.
#[derive(Debug)]
pub(super) struct Bounds<'a> {
    pub(super) accounts: &'a Accounts,
    /// The domain's directory, where its own words are.
    pub(super) domain_dir: &'a Path,
    /// The Maildir that the account's quota is about, where there is an account.
    pub(super) own: Option<(&'a Path, Quota)>,
}

impl Work<'_> {
    /// Delivers into a Maildir unless that is more than it may hold.
    ///
    /// The account's quota bounds its own Maildir; any other is bounded by its `maildirsize`, where
    /// it has one. Accounting that fails is told and keeps no mail out.
    pub(super) fn deliver_within(
        &self,
        bounds: &Bounds<'_>,
        path: PathBuf,
        head: &[Vec<u8>],
    ) -> Result<(), Report> {
        let raw = self.message.metadata().map(|m| m.len()).unwrap_or(0);
        let state = self.state(bounds, &path).unwrap_or_else(|error| {
            tracing::warn!("unable to count {}: {error}", path.display());
            None
        });
        let Some(state) = state else {
            return self.deliver_fresh(path, head);
        };
        if state.is_over_with(Usage::message(raw)) {
            self.warn(bounds, &path, head);
            let own = bounds.accounts.words(bounds.domain_dir, ".over-quota.msg");
            let text = own.ok().flatten().unwrap_or_else(|| OVER.to_vec());
            return Err(Report::failure(text));
        }
        self.deliver_fresh(path.clone(), head)?;
        let prefix: usize = head.iter().map(Vec::len).sum();
        self.note(&path, raw.saturating_add(prefix as u64));
        if state.percent() >= WARN_PERCENT {
            self.warn(bounds, &path, head);
        }
        Ok(())
    }

    /// Refuses where the whole domain holds as much as it may, if the settings ask for that.
    pub(super) fn refuse_over_domain_quota(
        &self,
        accounts: &Accounts,
        domain: &str,
    ) -> Result<(), Report> {
        let over = || -> Result<bool, AccountError> {
            if !accounts.settings()?.domain_quotas {
                return Ok(false);
            }
            let Some(domain) = accounts.domain(domain)? else {
                return Ok(false);
            };
            let quota = accounts.limits(&domain)?.domain_quota();
            if quota.is_none() {
                return Ok(false);
            }
            let raw = self.message.metadata().map(|m| m.len()).unwrap_or(0);
            let usage = accounts.domain_usage(&domain)?;
            Ok(quota.is_over(usage.plus(Usage::message(raw))))
        };
        match over() {
            Ok(false) => Ok(()),
            Ok(true) => Err(Report::failure(DOMAIN_OVER)),
            Err(error) => Err(Report::deferral(format!(
                "vdelivermail: unable to count the domain: {error}. (#4.3.0)\n"
            ))),
        }
    }

    /// What the Maildir may hold and holds; `None` where nothing bounds it.
    fn state(&self, bounds: &Bounds<'_>, path: &Path) -> std::io::Result<Option<State>> {
        let files = RealFiles::new();
        if !path.join("cur").exists() {
            return Ok(None);
        }
        let accounts = MaildirQuota::of(&files, path)?;
        let account = match bounds.own {
            Some((own, quota)) if own == path => {
                if quota.is_none() {
                    return Ok(None);
                }
                quota
            }
            _ if accounts.is_kept()? => Quota::NONE,
            _ => return Ok(None),
        };
        let state = accounts.state(account, self.unique())?;
        Ok(Some(state).filter(|state| !state.quota.is_none()))
    }

    fn note(&self, path: &Path, size: u64) {
        let files = RealFiles::new();
        let noted = MaildirQuota::of(&files, path).and_then(|a| a.add(Usage::message(size)));
        if let Err(error) = noted {
            tracing::warn!("unable to count {}: {error}", path.display());
        }
    }

    /// Puts the administrator's words into a Maildir that is nearly full, at most once a day, even
    /// if there is no room for them. Without words it is only noted.
    fn warn(&self, bounds: &Bounds<'_>, path: &Path, head: &[Vec<u8>]) {
        let files = RealFiles::new();
        let due = MaildirQuota::of(&files, path).and_then(|a| a.take_warning(self.job.now));
        let words = bounds.accounts.words(bounds.domain_dir, ".quotawarn.msg");
        let (Ok(true), Ok(Some(words))) = (due, words) else {
            return;
        };
        let delivered_to = head.get(1).cloned().unwrap_or_default();
        let date = format!("Date: {}\n", date::rfc5322(self.job.now));
        let text = [&delivered_to, date.as_bytes(), &words].concat();
        let maildir = self.tools.maildir_at(path.to_path_buf());
        match maildir.deliver(self.unique(), &[], &text) {
            Ok(delivered) => self.note(path, delivered.size),
            Err(error) => tracing::warn!("unable to warn {}: {error}", path.display()),
        }
    }
}
