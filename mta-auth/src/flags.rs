//! The flag bitmap that vpasswd keeps in its gid field (vmoduser(8)).

use std::ops::BitOr;

/// What an account may not do, and what it is.
///
/// ```
/// use mta_auth::Flags;
/// let flags = Flags::NO_POP | Flags::NO_SMTP;
/// assert!(flags.contains(Flags::NO_POP));
/// assert!(!flags.contains(Flags::BOUNCE_MAIL));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u32);

impl Flags {
    /// The password cannot be changed, not even by the administrator's tool.
    pub const NO_PASSWD_CHNG: Self = Self(0x1);
    /// No login by POP3.
    pub const NO_POP: Self = Self(0x2);
    /// No login by webmail.
    pub const NO_WEBMAIL: Self = Self(0x4);
    /// No login by IMAP.
    pub const NO_IMAP: Self = Self(0x8);
    /// Mail for it bounces.
    pub const BOUNCE_MAIL: Self = Self(0x10);
    /// A POP login does not open the relay.
    pub const NO_RELAY: Self = Self(0x20);
    /// No dial-in.
    pub const NO_DIALUP: Self = Self(0x40);
    /// Free for the installation's own use, first of four.
    pub const V_USER0: Self = Self(0x80);
    /// Free for the installation's own use, second of four.
    pub const V_USER1: Self = Self(0x100);
    /// Free for the installation's own use, third of four.
    pub const V_USER2: Self = Self(0x200);
    /// Free for the installation's own use, fourth of four.
    pub const V_USER3: Self = Self(0x400);
    /// No login by SMTP.
    pub const NO_SMTP: Self = Self(0x800);
    /// Administers its domain.
    pub const QA_ADMIN: Self = Self(0x1000);
    /// The domain's limits do not bind it.
    pub const V_OVERRIDE: Self = Self(0x2000);
    /// Its mail is not filtered for spam.
    pub const NO_SPAMASSASSIN: Self = Self(0x4000);
    /// Its spam is thrown away.
    pub const DELETE_SPAM: Self = Self(0x8000);
    /// Administers every domain.
    pub const SA_ADMIN: Self = Self(0x10000);
    /// Sees the expert's settings.
    pub const SA_EXPERT: Self = Self(0x20000);
    /// Its mail is not passed through maildrop.
    pub const NO_MAILDROP: Self = Self(0x40000);

    /// Tells whether every bit of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}
