//! Whether mail to a recipient is taken: policy first, then whether there is such a mailbox (qmail-smtpd(8)).

use super::refused::Refused;
use crate::server::{Server, Snapshot};
use mta_core::Address;
use mta_core::policy::{Client, Policy};
use mta_core::ports::directory::Presence;
use mta_core::rewrite::Channel;

/// Judges a recipient; returns the address for the envelope.
pub(super) async fn judge(
    server: &Server,
    policy: &Policy<'_>,
    client: &Client<'_>,
    sender: &Address,
    to: &Address,
) -> Result<Address, Refused> {
    let accepted = policy.rcpt(client, sender, to)?;
    if accepted.routed.channel != Channel::Local || accepted.postmaster {
        return Ok(accepted.address);
    }
    let why = match server.directory().presence(&accepted.routed.address).await {
        Presence::Known => return Ok(accepted.address),
        Presence::Unknown => return Err(Refused::NO_MAILBOX),
        Presence::Unsure(why) => why.to_string(),
        _ => "no answer".to_owned(),
    };
    tracing::warn!("unable to look a recipient up: {why}");
    Err(Refused::UNSURE)
}

/// The address with our own IP address replaced by our name (control/localiphost).
pub(super) fn localiphost(server: &Server, snapshot: &Snapshot, address: &Address) -> Address {
    let policy = Policy::new(&snapshot.controls, server.config().policy());
    policy.localiphost(address, |ip| server.is_own_address(ip))
}
