//! Which recipients of one message go out in one delivery (RFC 5321 §4.5.4.1, qmail-rspawn(8)).

use super::action::Pending;
use crate::rewrite::Channel;
use crate::{Address, verp};
use std::collections::{HashMap, VecDeque};

/// Groups recipients into deliveries, in the order in which each group's first one stands.
///
/// Unlike qmail, which runs one delivery for each recipient, remote recipients of the same host
/// share a transaction of at most `most` recipients. Local ones stay alone, because each may run
/// as another user, and so do those whose sender is expanded for each recipient.
pub(super) fn batches(
    channel: Channel,
    sender: &Address,
    pending: Vec<Pending>,
    most: usize,
) -> VecDeque<Vec<Pending>> {
    if channel == Channel::Local || verp::is_expandable(sender) {
        return pending.into_iter().map(|one| vec![one]).collect();
    }
    let mut found: Vec<Vec<Pending>> = Vec::new();
    let mut open: HashMap<Option<Vec<u8>>, usize> = HashMap::new();
    for one in pending {
        let host = one.address.domain().map(<[u8]>::to_ascii_lowercase);
        let at = open.get(&host).copied();
        match at.and_then(|at| found.get_mut(at)) {
            Some(group) if group.len() < most => group.push(one),
            _ => {
                open.insert(host, found.len());
                found.push(vec![one]);
            }
        }
    }
    found.into()
}
