//! A domain that is to be made: whose it is, where, and what its postmaster gets (vadddomain(8)).

use super::CatchAll;
use crate::sasl::Secret;
use crate::{DomainName, Quota};
use std::path::PathBuf;

/// A domain that is to be made, with its mailbox postmaster.
#[derive(Clone)]
pub struct NewDomain {
    pub(super) name: DomainName,
    pub(super) crypt: String,
    pub(super) clear: Option<Secret>,
    pub(super) quota: Option<Quota>,
    pub(super) unknown: Unknown,
    pub(super) owner: Option<(u32, u32)>,
    pub(super) base: Option<PathBuf>,
}

/// Where mail for nobody goes; a mailbox's directory is known only when the domain's is.
#[derive(Clone, Debug)]
pub(super) enum Unknown {
    Action(CatchAll),
    Mailbox(crate::MailboxName),
}

impl std::fmt::Debug for NewDomain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewDomain({})", self.name)
    }
}

impl NewDomain {
    /// A domain of the installation's owner below its home that bounces mail for nobody;
    /// `crypt` is postmaster's crypt(3) string.
    #[must_use]
    pub const fn new(name: DomainName, crypt: String) -> Self {
        Self {
            name,
            crypt,
            clear: None,
            quota: None,
            unknown: Unknown::Action(CatchAll::Bounce),
            owner: None,
            base: None,
        }
    }

    /// Gives postmaster this crypt(3) string.
    #[must_use]
    pub fn crypt(mut self, crypt: String) -> Self {
        self.crypt = crypt;
        self
    }

    /// Keeps postmaster's password readable besides, where the installation wants that.
    #[must_use]
    pub fn clear(mut self, clear: Option<Secret>) -> Self {
        self.clear = clear;
        self
    }

    /// Limits postmaster's mailbox; otherwise the default limits say how.
    #[must_use]
    pub const fn quota(mut self, quota: Quota) -> Self {
        self.quota = Some(quota);
        self
    }

    /// Lets this happen to mail for nobody.
    #[must_use]
    pub fn catch_all(mut self, action: CatchAll) -> Self {
        self.unknown = Unknown::Action(action);
        self
    }

    /// Puts mail for nobody into a mailbox of the domain, which need not be there yet.
    #[must_use]
    pub fn catch_all_mailbox(mut self, name: crate::MailboxName) -> Self {
        self.unknown = Unknown::Mailbox(name);
        self
    }

    /// Gives it to another user and group.
    #[must_use]
    pub const fn owner(mut self, owner: (u32, u32)) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Puts it below `DIR/domains` instead of the installation's home.
    #[must_use]
    pub fn base(mut self, dir: PathBuf) -> Self {
        self.base = Some(dir);
        self
    }
}
