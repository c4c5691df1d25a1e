//! Joins what RCPT said of a recipient to the address it was routed to (RFC 3461 §4).

use super::action::Pending;
use crate::envelope::Recipient;
use crate::rewrite::Routing;
use std::collections::HashMap;

/// Gives each pending recipient the parameters that it came with.
///
/// The queue keeps recipients as they were routed, parameters as they were given; a recipient is
/// found under what `routing` makes of it. Where the control files changed since it was routed it
/// may not be found, and counts as one of whom nothing was said.
///
/// ```
/// use mta_core::Address;
/// use mta_core::control::VirtualDomains;
/// use mta_core::envelope::{Notify, RcptParams, Recipient};
/// use mta_core::queue::{Pending, attach};
/// use mta_core::rewrite::Routing;
/// let mut routing = Routing::default();
/// routing.virtualdomains = VirtualDomains::parse(b"shop.example:shop\n");
/// let mut pending = [Pending::new(0, Address::new("shop-joe@shop.example").unwrap())];
/// let params = RcptParams { notify: Some(Notify::default()), orcpt: None };
/// let given = Recipient { address: Address::new("joe@shop.example").unwrap(), params };
/// attach(&mut pending, &[given], &routing);
/// assert_eq!(pending[0].params.notify, Some(Notify::default()));
/// ```
pub fn attach(pending: &mut [Pending], given: &[Recipient], routing: &Routing) {
    if given.is_empty() {
        return;
    }
    let mut known = HashMap::with_capacity(given.len());
    for one in given {
        let routed = routing.route(&one.address).address;
        known.entry(routed).or_insert(&one.params);
    }
    for one in pending {
        if let Some(params) = known.get(&one.address) {
            one.params.clone_from(params);
        }
    }
}
