//! When a deferred message is tried again: qmail-send's quadratic schedule and its end (qmail-send(8), THOUGHTS §7).

use crate::Unix;
use crate::rewrite::Channel;

/// How long a message may stay in the queue where control/queuelifetime does not say: a week.
pub const LIFETIME: u64 = 604_800;

/// Seconds until a step that failed for a reason of this host's own is tried again.
pub const SYSTEM_RETRY: u64 = 123;

/// Returns by how much the square root of a message's age grows from one attempt to the next.
#[must_use]
pub const fn skip(channel: Channel) -> u64 {
    match channel {
        Channel::Local => 10,
        Channel::Remote => 20,
    }
}

/// Returns when the attempt after the one that begins `now` is due.
///
/// The ages of the attempts are squares, so that a young message is tried often and an old one
/// seldom: `birth + (isqrt(now - birth) + skip)²`. A clock that was set back before the birth
/// counts as an age of zero.
///
/// ```
/// use mta_core::{Unix, rewrite::Channel, schedule::next_attempt};
/// let birth = Unix(1_000_000);
/// assert_eq!(next_attempt(birth, birth, Channel::Remote), birth + 400);
/// assert_eq!(next_attempt(birth, birth + 200, Channel::Local), birth + 576);
/// ```
#[must_use]
pub fn next_attempt(birth: Unix, now: Unix, channel: Channel) -> Unix {
    let root = (now - birth).isqrt().saturating_add(skip(channel));
    birth + root.saturating_mul(root)
}

/// Tells whether an attempt that begins `now` is the last: then a deferral becomes a failure.
///
/// ```
/// use mta_core::{Unix, schedule::{LIFETIME, is_dying}};
/// assert!(!is_dying(Unix(5), Unix(5) + LIFETIME, LIFETIME));
/// assert!(is_dying(Unix(5), Unix(6) + LIFETIME, LIFETIME));
/// ```
#[must_use]
pub fn is_dying(birth: Unix, now: Unix, lifetime: u64) -> bool {
    now > birth + lifetime
}
