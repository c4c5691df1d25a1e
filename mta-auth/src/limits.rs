//! What a domain allows its accounts and its administrators: `.qmailadmin-limits` (vmoddomlimits(8), vlimits.default).
//!
//! ```text
//! key [ \t:]+ value\n     one line each; `#` begins a comment
//! disable_pop\n           a switch needs no value, and a value does not switch it off
//! ```
//!
//! Who asks what a limit means for him calls [`crate::permission::decide`]; nothing else judges.

use crate::flags::Flags;
use crate::permission::{Denied, Resource};
use crate::quota::Quota;

/// The longest file that is read; the original reads lines of at most 2048 bytes.
pub const MAX_FILE: usize = 64 * 1024;

/// The limits of one domain.
///
/// ```
/// use mta_auth::{Flags, Limits};
/// let limits = Limits::parse(b"maxforwards 5\ndisable_pop\nperm_alias: 1");
/// assert_eq!(limits.max_forwards, Some(5));
/// assert!(limits.flags.contains(Flags::NO_POP));
/// assert_eq!(Limits::parse(limits.to_string().as_bytes()), limits);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most mailboxes, postmaster's among them; 0 hides the feature, `None` is no limit. So
    /// with the four below.
    pub max_accounts: Option<u64>,
    /// The most aliases.
    pub max_aliases: Option<u64>,
    /// The most forwards.
    pub max_forwards: Option<u64>,
    /// The most autoresponders.
    pub max_autoresponders: Option<u64>,
    /// The most mailing lists.
    pub max_mailing_lists: Option<u64>,
    /// What all mailboxes together may hold, in megabytes; 0 is no limit.
    pub domain_megabytes: u64,
    /// How many messages all mailboxes together may hold; 0 is no limit.
    pub domain_messages: u64,
    /// What a new mailbox may hold, in bytes; 0 is no limit.
    pub default_bytes: u64,
    /// How many messages a new mailbox may hold; 0 is no limit.
    pub default_messages: u64,
    /// What every account of the domain may not do, besides its own flags.
    pub flags: Flags,
    /// What administrators other than postmaster may not do, by resource.
    pub denied: DeniedAll,
}

/// What is denied, for every resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeniedAll([Denied; Resource::ALL.len()]);

impl DeniedAll {
    /// What is denied with one resource.
    #[must_use]
    pub fn of(self, resource: Resource) -> Denied {
        self.0.get(resource as usize).copied().unwrap_or_default()
    }

    /// Denies with one resource exactly this.
    pub fn set(&mut self, resource: Resource, denied: Denied) {
        if let Some(place) = self.0.get_mut(resource as usize) {
            *place = denied;
        }
    }
}

/// The switches in the order in which they are written.
const SWITCHES: [(&str, Flags); 10] = [
    ("disable_pop", Flags::NO_POP),
    ("disable_imap", Flags::NO_IMAP),
    ("disable_dialup", Flags::NO_DIALUP),
    ("disable_password_changing", Flags::NO_PASSWD_CHNG),
    ("disable_webmail", Flags::NO_WEBMAIL),
    ("disable_external_relay", Flags::NO_RELAY),
    ("disable_smtp", Flags::NO_SMTP),
    ("disable_spamassassin", Flags::NO_SPAMASSASSIN),
    ("delete_spam", Flags::DELETE_SPAM),
    ("disable_maildrop", Flags::NO_MAILDROP),
];

/// The permissions that have a line of their own, in the order in which they are written.
const PERMISSIONS: [(&str, Resource); 7] = [
    ("perm_account", Resource::Account),
    ("perm_alias", Resource::Alias),
    ("perm_forward", Resource::Forward),
    ("perm_autoresponder", Resource::Autoresponder),
    ("perm_maillist", Resource::MailingList),
    ("perm_quota", Resource::Quota),
    ("perm_defaultquota", Resource::DefaultQuota),
];

/// `perm_maillist` holds three permissions of so many bits each.
const PACKED_BITS: u32 = 3;

impl Limits {
    /// Reads a file. A key that is not known, and a value that is no number, say nothing; the last
    /// line needs no end.
    #[must_use]
    pub fn parse(file: &[u8]) -> Self {
        let mut limits = Self::default();
        for line in file.split(|&b| matches!(b, b'\n' | b'\r')) {
            if line.starts_with(b"#") {
                continue;
            }
            let is_blank = |b: &u8| matches!(b, b' ' | b'\t' | b':');
            let end = line.iter().position(is_blank).unwrap_or(line.len());
            let (key, rest) = line.split_at_checked(end).unwrap_or((line, b""));
            let start = rest.iter().position(|b| !is_blank(b));
            let value = start.and_then(|start| rest.get(start..));
            limits.take(key, value.map(number));
        }
        limits
    }

    fn take(&mut self, key: &[u8], value: Option<i64>) {
        if let Some((_, flag)) = SWITCHES.iter().find(|(name, _)| name.as_bytes() == key) {
            self.flags = self.flags | *flag;
            return;
        }
        let Some(value) = value else { return };
        if let Some((_, resource)) = PERMISSIONS.iter().find(|(name, _)| name.as_bytes() == key) {
            self.take_permission(*resource, value);
            return;
        }
        let count = u64::try_from(value).ok();
        let amount = count.unwrap_or(0);
        match key {
            b"maxpopaccounts" => self.max_accounts = count,
            b"maxaliases" => self.max_aliases = count,
            b"maxforwards" => self.max_forwards = count,
            b"maxautoresponders" => self.max_autoresponders = count,
            b"maxmailinglists" => self.max_mailing_lists = count,
            b"quota" => self.domain_megabytes = amount,
            b"maxmsgcount" => self.domain_messages = amount,
            b"default_quota" => self.default_bytes = amount,
            b"default_maxmsgcount" => self.default_messages = amount,
            _ => {}
        }
    }

    fn take_permission(&mut self, resource: Resource, value: i64) {
        self.denied.set(resource, Denied::from_bits(value));
        if resource == Resource::MailingList {
            let (users, moderators) = (value >> PACKED_BITS, value >> (2 * PACKED_BITS));
            self.denied
                .set(Resource::MailingListUsers, Denied::from_bits(users));
            self.denied.set(
                Resource::MailingListModerators,
                Denied::from_bits(moderators),
            );
        }
    }

    /// What a new mailbox may hold.
    #[must_use]
    pub fn default_quota(&self) -> Quota {
        Quota {
            bytes: Some(self.default_bytes).filter(|&n| n != 0),
            messages: Some(self.default_messages).filter(|&n| n != 0),
        }
    }

    /// What all mailboxes together may hold.
    #[must_use]
    pub fn domain_quota(&self) -> Quota {
        let bytes = self.domain_megabytes.saturating_mul(1024 * 1024);
        Quota {
            bytes: Some(bytes).filter(|&n| n != 0),
            messages: Some(self.domain_messages).filter(|&n| n != 0),
        }
    }

    /// What an account with these own flags may not do: the domain's limits bind it besides, unless
    /// it overrides them.
    #[must_use]
    pub fn effective(&self, own: Flags) -> Flags {
        if own.contains(Flags::V_OVERRIDE) {
            own
        } else {
            own | self.flags
        }
    }
}

/// Writes the file, every number and the switches that are on.
///
/// Unlike vmoddomlimits, which puts what is denied with a list's users and moderators into
/// `perm_quota`, it stands in `perm_maillist`, where it is read.
impl std::fmt::Display for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = [
            ("maxpopaccounts", self.max_accounts),
            ("maxaliases", self.max_aliases),
            ("maxforwards", self.max_forwards),
            ("maxautoresponders", self.max_autoresponders),
            ("maxmailinglists", self.max_mailing_lists),
        ];
        for (key, count) in counts {
            match count {
                Some(count) => writeln!(f, "{key}: {count}")?,
                None => writeln!(f, "{key}: -1")?,
            }
        }
        let amounts = [
            ("quota", self.domain_megabytes),
            ("maxmsgcount", self.domain_messages),
            ("default_quota", self.default_bytes),
            ("default_maxmsgcount", self.default_messages),
        ];
        for (key, amount) in amounts {
            writeln!(f, "{key}: {amount}")?;
        }
        for (key, flag) in SWITCHES {
            if self.flags.contains(flag) {
                writeln!(f, "{key}")?;
            }
        }
        for (key, resource) in PERMISSIONS {
            let mut bits = u32::from(self.denied.of(resource).bits());
            if resource == Resource::MailingList {
                let of = |resource| u32::from(self.denied.of(resource).bits());
                bits |= of(Resource::MailingListUsers) << PACKED_BITS;
                bits |= of(Resource::MailingListModerators) << (2 * PACKED_BITS);
            }
            writeln!(f, "{key}: {bits}")?;
        }
        Ok(())
    }
}

/// The number at the start of a value, as atoi reads it: what is none is 0.
fn number(value: &[u8]) -> i64 {
    let value = value.trim_ascii_start();
    let (negative, digits) = match value.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, value),
    };
    let mut number = 0_i64;
    for digit in digits.iter().take_while(|b| b.is_ascii_digit()) {
        number = number
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'));
    }
    if negative { -number } else { number }
}
