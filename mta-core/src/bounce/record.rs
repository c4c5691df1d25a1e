//! One failed recipient's paragraph in queue/bounce (qmail-send(8), QSBMF).

use crate::Address;

/// The longest line that a record keeps whole; a longer one is cut into several, because RFC 5322
/// §2.1.1 allows no more than 998 bytes and the bounce carries the records unencoded.
pub const LINE_MAX: usize = 990;

/// A recipient that failed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The recipient as it was routed.
    pub recipient: Address,
    /// What the delivery reported.
    pub text: Vec<u8>,
}

/// Returns the paragraph for one failed recipient, `address` being the name by which the sender
/// knows it (a virtual domain's prepend taken off again).
///
/// It is exactly one paragraph: empty lines become `/`. Unlike qmail, that holds even where the
/// text ends in one, so that the next record never joins this one.
///
/// ```
/// use mta_core::{Address, bounce::record};
/// let to = Address::new(b"x@dest.example".to_vec()).unwrap();
/// let paragraph = record(&to, b"Sorry, no mailbox here by that name. (#5.1.1)");
/// assert_eq!(paragraph, b"<x@dest.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n");
/// ```
#[must_use]
pub fn record(address: &Address, text: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(address.as_bytes().len() + text.len() + 6);
    whole.push(b'<');
    let shown = address.as_bytes().iter();
    whole.extend(shown.map(|&b| if b == b'\n' { b'_' } else { b }));
    whole.extend_from_slice(b">:\n");
    let mut column = 0;
    let mut previous = b'\n';
    for &byte in text {
        if column == LINE_MAX && byte != b'\n' {
            whole.push(b'\n');
            column = 0;
        }
        let empty_line = byte == b'\n' && previous == b'\n';
        whole.push(if empty_line { b'/' } else { byte });
        column = if byte == b'\n' && !empty_line {
            0
        } else {
            column + 1
        };
        previous = byte;
    }
    if whole.last() != Some(&b'\n') {
        whole.push(b'\n');
    }
    whole.push(b'\n');
    whole
}
