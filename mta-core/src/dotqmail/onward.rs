//! What a forwarded message keeps of the parameters that it came with (RFC 3461 §5.2.7, RFC 6531).

use crate::Address;
use crate::envelope::{MailParams, Notify, RcptParams};
use crate::report::Handover;

/// What the lines of a .qmail file make of an address, as RFC 3461 §5.2.7 tells it apart.
///
/// ```
/// use mta_core::Address;
/// use mta_core::dotqmail::Onward;
/// use mta_core::report::Handover;
/// let sender = Address::new("joe@far.example").unwrap();
/// let alias = Onward::new(&sender, &sender, false, 1);
/// assert_eq!(alias.handover(), Handover::PassedOn);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Onward {
    /// One other address and nothing else: whoever delivers there reports, in the same words.
    Alias,
    /// Several other addresses: they report failures and delays, the success is reported here.
    Aliases,
    /// The message is delivered here as well, and its copies as those of [`Self::Aliases`].
    Copies,
    /// A list, with a reverse-path of its own: for the sender the message has arrived.
    List,
}

impl Onward {
    /// Judges a forward to `others` addresses in all; `kept` where a file or program has the
    /// message too.
    #[must_use]
    pub fn new(sender: &Address, new_sender: &Address, kept: bool, others: usize) -> Self {
        if sender != new_sender {
            Self::List
        } else if kept {
            Self::Copies
        } else if others == 1 {
            Self::Alias
        } else {
            Self::Aliases
        }
    }

    /// Returns how far the message got by this.
    #[must_use]
    pub const fn handover(self) -> Handover {
        match self {
            Self::Alias => Handover::PassedOn,
            Self::Aliases => Handover::Expanded,
            Self::Copies | Self::List => Handover::Delivered,
        }
    }

    /// Returns the parameters of MAIL for the forward: whatever the body needs on its way it needs
    /// on the next one as well.
    #[must_use]
    pub fn mail(self, came_with: &MailParams) -> MailParams {
        match self {
            Self::List => MailParams {
                ret: None,
                envid: None,
                ..came_with.clone()
            },
            _ => came_with.clone(),
        }
    }

    /// Returns the parameters of RCPT for each address of the forward.
    #[must_use]
    pub fn rcpt(self, came_with: &RcptParams) -> RcptParams {
        match self {
            Self::List => RcptParams::default(),
            Self::Alias => came_with.clone(),
            Self::Aliases | Self::Copies => RcptParams {
                notify: came_with.notify.map(|notify| Notify {
                    success: false,
                    ..notify
                }),
                orcpt: came_with.orcpt.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{Body, Ret};

    #[test]
    fn each_kind_of_forward_keeps_what_its_reports_need() {
        let joe = Address::new("joe@far.example").unwrap();
        let owner = Address::new("list-owner@here.example").unwrap();
        let mail = MailParams {
            body: Some(Body::EightBit),
            smtputf8: true,
            ret: Some(Ret::Headers),
            envid: Some(b"QQ".to_vec()),
        };
        let rcpt = RcptParams {
            notify: Some(Notify {
                success: true,
                failure: true,
                delay: false,
            }),
            orcpt: Some(b"rfc822;x@y".to_vec()),
        };
        let table = [
            ("alias", &joe, false, 1, Onward::Alias, Handover::PassedOn),
            (
                "aliases",
                &joe,
                false,
                2,
                Onward::Aliases,
                Handover::Expanded,
            ),
            ("copy", &joe, true, 1, Onward::Copies, Handover::Delivered),
            ("list", &owner, false, 1, Onward::List, Handover::Delivered),
        ];
        for (name, new_sender, kept, others, kind, handover) in table {
            let onward = Onward::new(&joe, new_sender, kept, others);
            assert_eq!((onward, onward.handover()), (kind, handover), "{name}");
            let (to, with) = (onward.rcpt(&rcpt), onward.mail(&mail));
            assert!(with.smtputf8 && with.body.is_some(), "{name}");
            let own = kind != Onward::List;
            assert_eq!(with.envid.is_some() && with.ret.is_some(), own, "{name}");
            assert_eq!(to.orcpt.is_some(), own, "{name}");
            let success = to.notify.map(|n| n.success);
            assert_eq!(success, own.then_some(kind == Onward::Alias), "{name}");
            assert_eq!(to.notify.is_some_and(|n| n.failure), own, "{name}");
        }
    }
}
