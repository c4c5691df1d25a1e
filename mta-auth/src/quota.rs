//! How much a mailbox may hold: `1048576S,20C`, or `NOQUOTA` (vsetuserquota(8), maildirquota(7)).

use crate::vpasswd::NO_QUOTA;

/// A limit in bytes, in messages, in both or in neither.
///
/// ```
/// use mta_auth::Quota;
/// let quota = Quota::parse(b"1mb,20c").unwrap();
/// assert_eq!((quota.bytes, quota.messages), (Some(1_048_576), Some(20)));
/// assert_eq!(quota.to_string(), "1048576S,20C");
/// assert_eq!(Quota::parse(b"NOQUOTA").unwrap(), Quota::NONE);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "maildirquota knows these two and callers build it"
)]
pub struct Quota {
    /// The most bytes of all messages together.
    pub bytes: Option<u64>,
    /// The most messages.
    pub messages: Option<u64>,
}

/// A text that is no quota: the caller's or the file's fault, permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a quota was expected: NOQUOTA, bytes with an optional K or M, messages with C, or both with a comma"
)]
#[non_exhaustive]
pub struct QuotaError;

impl Quota {
    /// No limit.
    pub const NONE: Self = Self {
        bytes: None,
        messages: None,
    };

    /// Reads a quota as an administrator writes it or an account has it: numbers with `S`, `B`,
    /// `K`, `KB`, `M`, `MB` are sizes, with `C` they count messages, a bare number is a size, and
    /// zero is no limit. Letters may be small.
    ///
    /// # Errors
    /// Fails where a part is none of these or does not fit 64 bits; the original takes what it can
    /// read of it.
    pub fn parse(text: &[u8]) -> Result<Self, QuotaError> {
        let text = text.trim_ascii();
        if text.is_empty() || text.eq_ignore_ascii_case(NO_QUOTA) {
            return Ok(Self::NONE);
        }
        let mut quota = Self::NONE;
        for part in text.split(|&b| b == b',') {
            let digits = part.iter().take_while(|b| b.is_ascii_digit()).count();
            let (number, unit) = part.split_at_checked(digits).ok_or(QuotaError)?;
            let number: u64 = std::str::from_utf8(number)
                .ok()
                .and_then(|number| number.parse().ok())
                .ok_or(QuotaError)?;
            let (kind, factor) = unit_of(unit).ok_or(QuotaError)?;
            let number = number.checked_mul(factor).ok_or(QuotaError)?;
            let place = match kind {
                Kind::Bytes => &mut quota.bytes,
                Kind::Messages => &mut quota.messages,
            };
            *place = Some(number).filter(|&n| n != 0);
        }
        Ok(quota)
    }

    /// Tells whether nothing is limited.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.bytes.is_none() && self.messages.is_none()
    }

    /// Tells whether `usage` is more than is allowed; exactly as much fits.
    #[must_use]
    pub fn is_over(self, usage: Usage) -> bool {
        let over = |limit: Option<u64>, used: u64| limit.is_some_and(|limit| limit < used);
        over(self.bytes, usage.bytes) || over(self.messages, usage.messages)
    }

    /// How full `usage` makes the mailbox, in percent: the fuller of size and count, at most 100.
    #[must_use]
    pub fn percent(self, usage: Usage) -> u8 {
        let part = |limit: Option<u64>, used: u64| match limit {
            Some(limit) if used < limit => {
                u8::try_from(u128::from(used) * 100 / u128::from(limit)).unwrap_or(100)
            }
            Some(_) => 100,
            None => 0,
        };
        part(self.bytes, usage.bytes).max(part(self.messages, usage.messages))
    }
}

impl std::fmt::Display for Quota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.bytes, self.messages) {
            (None, None) => f.write_str("NOQUOTA"),
            (Some(bytes), None) => write!(f, "{bytes}S"),
            (None, Some(messages)) => write!(f, "{messages}C"),
            (Some(bytes), Some(messages)) => write!(f, "{bytes}S,{messages}C"),
        }
    }
}

/// What a mailbox holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "maildirsize counts these two and callers build it"
)]
pub struct Usage {
    /// Bytes of all messages together.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
}

impl Usage {
    /// What one message of so many bytes is.
    #[must_use]
    pub const fn message(bytes: u64) -> Self {
        Self { bytes, messages: 1 }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            messages: self.messages.saturating_add(other.messages),
        }
    }
}

enum Kind {
    Bytes,
    Messages,
}

fn unit_of(unit: &[u8]) -> Option<(Kind, u64)> {
    let unit = unit.to_ascii_uppercase();
    Some(match unit.as_slice() {
        b"" | b"S" | b"B" | b"BS" => (Kind::Bytes, 1),
        b"K" | b"KB" | b"KS" | b"KBS" => (Kind::Bytes, 1024),
        b"M" | b"MB" | b"MS" | b"MBS" => (Kind::Bytes, 1024 * 1024),
        b"C" => (Kind::Messages, 1),
        _ => return None,
    })
}
