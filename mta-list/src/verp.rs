//! Variable envelope return paths: the recipient inside the sender's local part (addresses(5), ezmlm-return(1)).

use mta_core::Address;

/// Puts `recipient` into a return path: `prefix` + `box=host` + `@` + `host`.
///
/// Without `@` in the recipient, or with a NUL anywhere, there is no such path.
///
/// ```
/// use mta_core::Address;
/// use mta_list::verp;
/// let ann = Address::new("ann@example.com").unwrap();
/// let path = verp::encode(b"birds-return-42-", &ann, b"lists.example").unwrap();
/// assert_eq!(path.as_bytes(), b"birds-return-42-ann=example.com@lists.example");
/// assert_eq!(verp::decode(b"birds-return-42-", path.local()), Some(ann));
/// ```
#[must_use]
pub fn encode(prefix: &[u8], recipient: &Address, host: &[u8]) -> Option<Address> {
    let domain = recipient.domain()?;
    let path = [prefix, recipient.local(), b"=", domain, b"@", host].concat();
    Address::new(path).ok()
}

/// Finds the recipient in the local part of a return path again.
///
/// The prefix counts in any case of its letters, because some hosts change it. The last `=`
/// stands for the `@`, since a host name holds none.
#[must_use]
pub fn decode(prefix: &[u8], local: &[u8]) -> Option<Address> {
    let (start, rest) = local.split_at_checked(prefix.len())?;
    if !start.eq_ignore_ascii_case(prefix) {
        return None;
    }
    let at = rest.iter().rposition(|&b| b == b'=')?;
    let (recipient, host) = rest.split_at(at);
    let host = host.get(1..).filter(|h| !h.is_empty())?;
    Address::new([recipient, b"@", host].concat()).ok()
}
