//! The one decision whether somebody may change something in a domain: its limits and its permissions (vmoddomlimits(8), qmailadmin(8)).
//!
//! Web pages, daemons and tools ask here with the numbers they see; none decides by itself. The
//! command line's tools are the administrator's of the host, whom limits do not bind, and do not
//! ask.

use crate::flags::Flags;
use crate::limits::Limits;

/// What a domain has that is created, modified and deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// Mailboxes.
    Account,
    /// Aliases of mailboxes.
    Alias,
    /// Forwards to elsewhere.
    Forward,
    /// Autoresponders.
    Autoresponder,
    /// Mailing lists.
    MailingList,
    /// Subscribers of a mailing list.
    MailingListUsers,
    /// Moderators of a mailing list.
    MailingListModerators,
    /// A mailbox's quota.
    Quota,
    /// The quota of new mailboxes.
    DefaultQuota,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Account,
        Self::Alias,
        Self::Forward,
        Self::Autoresponder,
        Self::MailingList,
        Self::MailingListUsers,
        Self::MailingListModerators,
        Self::Quota,
        Self::DefaultQuota,
    ];

    /// The most that the domain may have of it; `None` is no limit.
    const fn limit(self, limits: &Limits) -> Option<u64> {
        match self {
            Self::Account => limits.max_accounts,
            Self::Alias => limits.max_aliases,
            Self::Forward => limits.max_forwards,
            Self::Autoresponder => limits.max_autoresponders,
            Self::MailingList => limits.max_mailing_lists,
            Self::MailingListUsers
            | Self::MailingListModerators
            | Self::Quota
            | Self::DefaultQuota => None,
        }
    }
}

/// What is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the limits file knows these three")]
pub enum Operation {
    /// It is made.
    Create,
    /// It is changed.
    Modify,
    /// It is removed.
    Delete,
}

/// The operations that are denied: bits 1, 2 and 4 of a `perm_` line.
///
/// ```
/// use mta_auth::permission::{Denied, Operation};
/// let denied = Denied::from_bits(5);
/// assert!(denied.contains(Operation::Create) && denied.contains(Operation::Delete));
/// assert!(!denied.contains(Operation::Modify));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Denied(u8);

impl Denied {
    /// Everything.
    pub const ALL: Self = Self(7);

    /// Takes the lowest three bits of a number.
    #[must_use]
    pub const fn from_bits(bits: i64) -> Self {
        Self((bits & 7) as u8)
    }

    /// Denies this too.
    #[must_use]
    pub const fn with(self, operation: Operation) -> Self {
        Self(self.0 | bit(operation))
    }

    /// Tells whether this is denied.
    #[must_use]
    pub const fn contains(self, operation: Operation) -> bool {
        self.0 & bit(operation) != 0
    }

    /// The three bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }
}

const fn bit(operation: Operation) -> u8 {
    match operation {
        Operation::Create => 1,
        Operation::Modify => 2,
        Operation::Delete => 4,
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "every rank is judged differently")]
pub enum Actor {
    /// Somebody who only has a mailbox.
    User,
    /// An administrator of the domain with these own flags, not postmaster.
    Admin(Flags),
    /// The mailbox `postmaster` of the domain.
    Postmaster,
    /// An administrator of all domains.
    System,
}

impl Actor {
    /// Ranks the account `name` with its own flags in its own domain.
    #[must_use]
    pub fn of(name: &str, flags: Flags) -> Self {
        if flags.contains(Flags::SA_ADMIN) {
            Self::System
        } else if name == "postmaster" {
            Self::Postmaster
        } else if flags.contains(Flags::QA_ADMIN) {
            Self::Admin(flags)
        } else {
            Self::User
        }
    }
}

/// Why something may not be done: the actor's fault, permanent until somebody with more rights
/// changes the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// He does not administer the domain.
    #[error("an administrator of the domain was expected")]
    NotAdmin,
    /// The limits deny the operation to administrators other than postmaster.
    #[error("the domain's limits deny this to administrators other than postmaster")]
    Denied,
    /// The domain has as many as it may.
    #[error("the domain may have at most {0} of these and has them")]
    Full(u64),
}

/// Decides whether `actor` may do `operation` to one `resource` of a domain that has `existing` of
/// them and these limits.
///
/// Only a creation is counted; postmaster is bound by numbers and not by denials, an administrator
/// of all domains by neither. A domain's administrator with the flag `V_OVERRIDE` is bound as
/// others are: that flag frees his own mailbox, not what he gives to others.
///
/// # Errors
/// Says why not.
///
/// ```
/// use mta_auth::permission::{Actor, Operation, Refused, Resource, decide};
/// use mta_auth::{Flags, Limits};
/// let limits = Limits::parse(b"maxpopaccounts 2\nperm_alias 1\n");
/// let admin = Actor::Admin(Flags::QA_ADMIN);
/// let create = Operation::Create;
/// assert_eq!(decide(&limits, admin, (create, Resource::Account), 1), Ok(()));
/// assert_eq!(decide(&limits, admin, (create, Resource::Account), 2), Err(Refused::Full(2)));
/// assert_eq!(decide(&limits, admin, (create, Resource::Alias), 0), Err(Refused::Denied));
/// assert_eq!(decide(&limits, Actor::Postmaster, (create, Resource::Alias), 0), Ok(()));
/// ```
pub fn decide(
    limits: &Limits,
    actor: Actor,
    (operation, resource): (Operation, Resource),
    existing: u64,
) -> Result<(), Refused> {
    match actor {
        Actor::System => return Ok(()),
        Actor::User => return Err(Refused::NotAdmin),
        Actor::Admin(_) if limits.denied.of(resource).contains(operation) => {
            return Err(Refused::Denied);
        }
        Actor::Admin(_) | Actor::Postmaster => {}
    }
    match resource.limit(limits) {
        Some(limit) if operation == Operation::Create && existing >= limit => {
            Err(Refused::Full(limit))
        }
        _ => Ok(()),
    }
}
