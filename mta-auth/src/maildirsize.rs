//! The file `maildirsize` of a Maildir: its quota and a running sum of what it holds (maildirquota(7)).
//!
//! ```text
//! 1048576S,20C\n      the quota
//! 12345 7\n           bytes and messages of a recount
//! 678 1\n             one line for every delivery since, negative for removals
//! ```

use crate::quota::{Quota, Usage};
use mta_core::Unix;

/// A file of this length or more is counted anew, so that it stays small.
pub const MAX_SIZE: u64 = 5120;
/// A file that nobody changed for so many seconds is counted anew, because not everybody who
/// removes mail says so here.
pub const MAX_AGE: u64 = 15 * 60;

/// What the file says.
///
/// ```
/// use mta_auth::{MaildirSize, Usage};
/// let size = MaildirSize::parse(b"1000S,10C\n400 2\n-100 -1\n").unwrap();
/// assert_eq!(size.usage, Usage { bytes: 300, messages: 1 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MaildirSize {
    /// What the mailbox may hold.
    pub quota: Quota,
    /// What it holds; a sum below zero is zero.
    pub usage: Usage,
    /// How many lines follow the first.
    pub lines: usize,
}

/// A file that is to be counted anew: damage, which nobody needs to mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of maildirsize: {expected} was expected")]
#[non_exhaustive]
pub struct MaildirSizeError {
    /// The line, counted from 1.
    pub line: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl MaildirSize {
    /// Reads the file.
    ///
    /// # Errors
    /// Says which line is neither a quota nor two numbers.
    pub fn parse(file: &[u8]) -> Result<Self, MaildirSizeError> {
        let file = file.strip_suffix(b"\n").unwrap_or(file);
        let mut lines = file.split(|&b| b == b'\n');
        // A file that a crash left empty must not read as one without a limit.
        let first = lines.next().filter(|line| !line.is_empty());
        let quota = first
            .and_then(|line| Quota::parse(line).ok())
            .ok_or(MaildirSizeError {
                line: 1,
                expected: "a quota",
            })?;
        let (mut bytes, mut messages, mut count) = (0_i64, 0_i64, 0_usize);
        for line in lines {
            count = count.saturating_add(1);
            let Some((b, m)) = two_numbers(line) else {
                let line = count.saturating_add(1);
                let expected = "bytes and messages as two numbers";
                return Err(MaildirSizeError { line, expected });
            };
            bytes = bytes.saturating_add(b);
            messages = messages.saturating_add(m);
        }
        Ok(Self {
            quota,
            usage: Usage {
                bytes: u64::try_from(bytes).unwrap_or(0),
                messages: u64::try_from(messages).unwrap_or(0),
            },
            lines: count,
        })
    }

    /// Tells whether a file of that length and age is to be counted anew whatever it says.
    #[must_use]
    pub const fn is_stale(length: u64, changed: Unix, now: Unix) -> bool {
        length >= MAX_SIZE || now.0.saturating_sub(changed.0) > MAX_AGE
    }
}

/// Writes the file after a recount.
#[must_use]
pub fn recounted(quota: Quota, usage: Usage) -> Vec<u8> {
    format!("{quota}\n{} {}\n", usage.bytes, usage.messages).into_bytes()
}

/// Writes the line of mail that came.
#[must_use]
pub fn added(usage: Usage) -> Vec<u8> {
    format!("{} {}\n", usage.bytes, usage.messages).into_bytes()
}

/// Writes the line of mail that went.
#[must_use]
pub fn removed(usage: Usage) -> Vec<u8> {
    // Both numbers are sums of file sizes and fit; the sign is written, not computed.
    format!("-{} -{}\n", usage.bytes, usage.messages).into_bytes()
}

fn two_numbers(line: &[u8]) -> Option<(i64, i64)> {
    let text = std::str::from_utf8(line).ok()?;
    let mut words = text.split_ascii_whitespace();
    let numbers = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    words.next().is_none().then_some(numbers)
}
