//! Variable envelope return paths as qmail-send expands them: one sender for each recipient (addresses(5), spec §5.7).

use crate::Address;

/// What a sender ends with that wants to be expanded for each recipient.
pub const MARK: &[u8] = b"-@[]";

/// The sender of a double bounce, to which nothing is ever bounced.
pub const DOUBLE_BOUNCE_SENDER: &[u8] = b"#@[]";

/// Tells whether `sender` has the form `pre@host-@[]`, so that each recipient gets its own sender.
#[must_use]
pub fn is_expandable(sender: &Address) -> bool {
    parts(sender).is_some()
}

/// Returns the sender that a delivery to `recipient` bears.
///
/// `pre@host-@[]` and `box@dom` give `prebox=dom@host`; any other sender, or a recipient
/// without `@`, leaves the sender as it is.
///
/// ```
/// use mta_core::{Address, verp};
/// let list = Address::new(b"joe-l-owner-@lists.example-@[]".to_vec()).unwrap();
/// let to = Address::new(b"x@dest.example".to_vec()).unwrap();
/// assert_eq!(verp::expand(&list, &to).as_bytes(), b"joe-l-owner-x=dest.example@lists.example");
/// ```
#[must_use]
pub fn expand(sender: &Address, recipient: &Address) -> Address {
    let (Some((pre, host)), Some(domain)) = (parts(sender), recipient.domain()) else {
        return sender.clone();
    };
    let whole = [pre, recipient.local(), b"=", domain, b"@", host].concat();
    Address::new(whole).unwrap_or_else(|_| sender.clone())
}

/// Returns where a bounce to `sender` goes: `pre@host` for `pre@host-@[]`, else the sender itself.
#[must_use]
pub fn bounce_address(sender: &Address) -> Address {
    match sender.as_bytes().strip_suffix(MARK) {
        Some(rest) => Address::new(rest).unwrap_or_else(|_| sender.clone()),
        None => sender.clone(),
    }
}

/// Splits `pre@host-@[]` into `pre` and `host`.
fn parts(sender: &Address) -> Option<(&[u8], &[u8])> {
    let rest = sender.as_bytes().strip_suffix(MARK)?;
    let at = rest.iter().rposition(|&b| b == b'@')?;
    let (pre, host) = rest.split_at(at);
    Some((pre, host.get(1..)?))
}
