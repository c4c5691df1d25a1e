//! Whether mail to a recipient is taken: policy first, then whether there is such a mailbox (qmail-smtpd(8)).

use crate::server::{Server, Snapshot};
use mta_core::Address;
use mta_core::policy::{Client, Policy, Refusal};
use mta_core::ports::directory::Presence;
use mta_core::rewrite::Channel;

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Taken, under this address.
    Taken(Address),
    /// The policy is against it.
    Refused(Refusal),
    /// There is no such mailbox.
    Unknown,
    /// Nobody can say now whether there is.
    Unsure(String),
}

/// Judges a recipient by the control files of `snapshot`.
pub(crate) async fn judge(
    server: &Server,
    snapshot: &Snapshot,
    client: &Client<'_>,
    sender: &Address,
    to: &Address,
) -> Judged {
    let policy = Policy::new(&snapshot.controls, server.config().policy());
    let accepted = match policy.rcpt(client, sender, to) {
        Ok(accepted) => accepted,
        Err(refusal) => return Judged::Refused(refusal),
    };
    if accepted.routed.channel != Channel::Local || accepted.postmaster {
        return Judged::Taken(accepted.address);
    }
    match server.directory().presence(&accepted.routed.address).await {
        Presence::Known => Judged::Taken(accepted.address),
        Presence::Unknown => Judged::Unknown,
        Presence::Unsure(why) => Judged::Unsure(why.to_string()),
        _ => Judged::Unsure("no answer".to_owned()),
    }
}

/// The address with our own IP address replaced by our name (control/localiphost).
pub(crate) fn localiphost(server: &Server, snapshot: &Snapshot, to: &Address) -> Address {
    let policy = Policy::new(&snapshot.controls, server.config().policy());
    policy.localiphost(to, |ip| server.is_own_address(ip))
}
