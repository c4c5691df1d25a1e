//! Who may send to whom by SMTP: the decision at RCPT (qmail-smtpd(8), spec §8.4, §8.6, §8.7; RFC 5321 §4.5.1).
//!
//! Everything here is a function of the control files and of what the client said. Whether a
//! mailbox exists is not known here: [`Accepted::routed`] says where to ask.

mod variables;

pub use variables::{BadHelo, Variables};

use crate::Address;
use crate::address::literal;
use crate::control::{BadList, Controls, Matching};
use crate::rewrite::{Channel, Routed};
use std::net::IpAddr;

/// What a client may do beyond sending to our own domains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Relay {
    /// Only to rcpthosts, as any stranger.
    #[default]
    Refused,
    /// To anywhere: RELAYCLIENT is set, or the client's network is listed.
    Allowed,
    /// To anywhere, with this text appended to each recipient (a non-empty RELAYCLIENT).
    Appending(Vec<u8>),
}

/// What the absence of control/rcpthosts means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissingRcptHosts {
    /// Mail is taken for what is delivered here, by locals and virtualdomains. Unlike qmail, which
    /// then relays for everybody.
    #[default]
    OwnDomains,
    /// Mail is taken for everybody from everybody, as in qmail: an open relay.
    Anything,
}

/// Whether local parts with a second `@`, a `%` or a `!` are refused (the relay-reject patch).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceRoutes {
    /// Refused from everybody, relay clients included.
    #[default]
    Refuse,
    /// Taken as part of the name.
    Accept,
}

/// Settings of the decision that no control file holds.
///
/// `mtad` has them in mtad.toml, the programs in the environment: [`Settings::from_variables`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Settings {
    /// What a missing rcpthosts means.
    pub missing_rcpthosts: MissingRcptHosts,
    /// Whether `user%host` and the like are refused.
    pub source_routes: SourceRoutes,
    /// Whether the lines of badmailfrom, badmailto and badhelo are patterns.
    pub matching: Matching,
}

/// What is known of a client when it names a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Client<'a> {
    /// What it may do beyond sending to our own domains.
    pub relay: &'a Relay,
    /// The argument of its last HELO or EHLO. `None` where it said none, where the protocol has
    /// none, and where NOBADHELO is set.
    pub hello: Option<&'a [u8]>,
}

impl<'a> Client<'a> {
    /// A client that said no HELO.
    #[must_use]
    pub const fn silent(relay: &'a Relay) -> Self {
        Self { relay, hello: None }
    }
}

/// A recipient that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The address that goes into the envelope.
    pub address: Address,
    /// Where it will go. On the local channel the mailbox is ours, and the caller asks whether it
    /// exists before it says 250.
    pub routed: Routed,
    /// It is the postmaster of this host or of a domain of ours: whoever sends, and even where no
    /// mailbox has that name (RFC 5321 §4.5.1).
    pub postmaster: bool,
}

/// Why a recipient is refused. Its text is the reply's; [`Refusal::code`] and
/// [`Refusal::enhanced`] go before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The sender stands in badmailfrom, whose lines are no patterns.
    #[error("sorry, your envelope sender is in my badmailfrom list (#5.7.1)")]
    BadMailFrom,
    /// The sender matches badmailfrom or badmailfromnorelay.
    #[error("sorry, your envelope sender has been denied (#5.7.1)")]
    SenderDenied,
    /// The recipient matches badmailto or badmailtonorelay.
    #[error("sorry, your envelope recipient has been denied (#5.7.1)")]
    RecipientDenied,
    /// The argument of HELO matches badhelo.
    #[error("sorry, your HELO host name has been denied (#5.7.1)")]
    HelloDenied,
    /// The domain is not in rcpthosts and the client may not relay.
    #[error("sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)")]
    NotInRcptHosts,
    /// The local part routes onward.
    #[error("we don't relay (#5.7.1)")]
    SourceRoute,
    /// The recipient is empty, or too long once completed.
    #[error("sorry, I can't handle that recipient (#5.1.3)")]
    BadRecipient,
    /// morercpthosts.cdb is damaged; ours to mend, so the client may try again.
    #[error("unable to read controls (#4.3.0)")]
    Controls,
}

impl Refusal {
    /// Returns the reply code.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Controls => 451,
            Self::BadRecipient
            | Self::BadMailFrom
            | Self::SenderDenied
            | Self::RecipientDenied
            | Self::HelloDenied
            | Self::NotInRcptHosts
            | Self::SourceRoute => 553,
        }
    }

    /// Returns the enhanced status code (RFC 3463).
    #[must_use]
    pub const fn enhanced(self) -> (u8, u16, u16) {
        match self {
            Self::Controls => (4, 3, 0),
            Self::BadRecipient => (5, 1, 3),
            Self::BadMailFrom
            | Self::SenderDenied
            | Self::RecipientDenied
            | Self::HelloDenied
            | Self::NotInRcptHosts
            | Self::SourceRoute => (5, 7, 1),
        }
    }
}

/// The decision at RCPT.
///
/// ```
/// use mta_core::control::Controls;
/// use mta_core::policy::{Client, Policy, Refusal, Relay, Settings};
/// use mta_core::Address;
/// let loaded = Controls::load(|name| {
///     Ok::<_, std::io::Error>(match name {
///         "me" | "locals" | "rcpthosts" => Some(b"example.org\n".to_vec()),
///         _ => None,
///     })
/// })
/// .unwrap();
/// let policy = Policy::new(&loaded.controls, Settings::default());
/// let address = |a: &str| Address::new(a).unwrap();
/// let rcpt = |to, relay| {
///     let client = Client { relay: &relay, hello: Some(b"far.example") };
///     policy.rcpt(&client, &address("joe@far.example"), &address(to))
/// };
/// assert!(rcpt("ann@example.org", Relay::Refused).is_ok());
/// assert_eq!(rcpt("ann@far.example", Relay::Refused), Err(Refusal::NotInRcptHosts));
/// assert!(rcpt("ann@far.example", Relay::Allowed).is_ok());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    controls: &'a Controls,
    settings: Settings,
}

impl<'a> Policy<'a> {
    /// Takes the control files and the settings beside them.
    #[must_use]
    pub const fn new(controls: &'a Controls, settings: Settings) -> Self {
        Self { controls, settings }
    }

    /// Decides about one recipient.
    ///
    /// The order: form of the address, badhelo, badmailfrom, badmailto, relay permission,
    /// rcpthosts. A percent or a missing host is completed before rcpthosts, and the host that
    /// comes out must be allowed as well. The bad lists do not keep anybody from our postmaster.
    ///
    /// # Errors
    /// The refusal says which rule refused.
    pub fn rcpt(
        &self,
        client: &Client<'_>,
        sender: &Address,
        to: &Address,
    ) -> Result<Accepted, Refusal> {
        if to.is_null() {
            return Err(Refusal::BadRecipient);
        }
        if self.settings.source_routes == SourceRoutes::Refuse && is_source_route(to) {
            return Err(Refusal::SourceRoute);
        }
        let postmaster = self.is_postmaster(to);
        if !postmaster {
            self.bad_lists(client, sender, to)?;
        }
        let address = match client.relay {
            Relay::Appending(text) => {
                Address::new([to.as_bytes(), text].concat()).map_err(|_| Refusal::BadRecipient)?
            }
            Relay::Refused | Relay::Allowed => to.clone(),
        };
        let routed = self.controls.routing.route(&address);
        if routed.address.as_bytes().len() > crate::address::MAX_ADDRESS {
            return Err(Refusal::BadRecipient);
        }
        let relays = *client.relay != Relay::Refused;
        if relays || self.is_own_postmaster(to) || self.is_open_to_strangers(&address)? {
            Ok(Accepted {
                address,
                routed,
                postmaster,
            })
        } else {
            Err(Refusal::NotInRcptHosts)
        }
    }

    /// Applies badhelo, badmailfrom and badmailto, in this order.
    ///
    /// The two …norelay lists are for clients that may not relay.
    fn bad_lists(
        &self,
        client: &Client<'_>,
        sender: &Address,
        to: &Address,
    ) -> Result<(), Refusal> {
        let controls = self.controls;
        let refuses = |list: &BadList, value: &[u8]| list.refuses(self.settings.matching, value);
        let stranger = *client.relay == Relay::Refused;
        let (from, to) = (sender.as_bytes(), to.as_bytes());
        if refuses(&controls.badhelo, client.hello.unwrap_or_default()) {
            return Err(Refusal::HelloDenied);
        }
        if refuses(&controls.badmailfrom, from)
            || (stranger && refuses(&controls.badmailfromnorelay, from))
        {
            return Err(match self.settings.matching {
                Matching::Literal => Refusal::BadMailFrom,
                Matching::Regex => Refusal::SenderDenied,
            });
        }
        if refuses(&controls.badmailto, to) || (stranger && refuses(&controls.badmailtonorelay, to))
        {
            return Err(Refusal::RecipientDenied);
        }
        Ok(())
    }

    /// Replaces the domain of `box@[our address]` by localiphost (spec §8.3). Belongs to MAIL and
    /// RCPT, before all rules.
    #[must_use]
    pub fn localiphost(&self, address: &Address, is_ours: impl FnOnce(IpAddr) -> bool) -> Address {
        let ours = address
            .domain()
            .and_then(literal::parse)
            .is_some_and(is_ours);
        if !ours {
            return address.clone();
        }
        let replaced = [address.local(), b"@", &self.controls.localiphost].concat();
        Address::new(replaced).unwrap_or_else(|_| address.clone())
    }

    /// Tells whether an address is delivered here, by locals or virtualdomains.
    #[must_use]
    pub fn is_own(&self, address: &Address) -> bool {
        self.controls.routing.route(address).channel == Channel::Local
    }

    /// Says in one line whether this host relays for strangers, and why not.
    #[must_use]
    pub fn relay_verdict(&self) -> String {
        let listed = self.controls.rcpthosts.exists();
        match (listed, self.settings.missing_rcpthosts) {
            (true, _) => "not an open relay: control/rcpthosts limits strangers to the domains it lists",
            (false, MissingRcptHosts::OwnDomains) => {
                "not an open relay: control/rcpthosts is missing, so strangers reach only locals and virtualdomains"
            }
            (false, MissingRcptHosts::Anything) => {
                "OPEN RELAY: control/rcpthosts is missing and the settings accept everything then"
            }
        }
        .to_owned()
    }

    /// Applies rcpthosts to the host as given and to the host that comes out of completing it.
    ///
    /// Unlike qmail, an address without host is not let through unseen: envnoathost may be far.
    fn is_open_to_strangers(&self, address: &Address) -> Result<bool, Refusal> {
        if !self.controls.rcpthosts.exists() {
            return Ok(match self.settings.missing_rcpthosts {
                MissingRcptHosts::OwnDomains => self.is_own(address),
                MissingRcptHosts::Anything => true,
            });
        }
        let completed = self.controls.routing.complete(address);
        let completed = self.lists(completed.domain().unwrap_or_default())?;
        match address.domain() {
            Some(domain) => Ok(completed && self.lists(domain)?),
            None => Ok(completed || self.is_own(address)),
        }
    }

    fn lists(&self, domain: &[u8]) -> Result<bool, Refusal> {
        let listed = self.controls.rcpthosts.allows_domain(domain);
        listed.map_err(|_damaged| Refusal::Controls)
    }

    /// `Postmaster` alone, or at a domain that is delivered here.
    fn is_postmaster(&self, to: &Address) -> bool {
        to.local().eq_ignore_ascii_case(b"postmaster") && (to.domain().is_none() || self.is_own(to))
    }

    /// Whether the postmaster of this host itself is meant, whom everybody reaches.
    fn is_own_postmaster(&self, to: &Address) -> bool {
        let local = |domain| self.controls.routing.locals.contains(domain);
        self.is_postmaster(to) && to.domain().is_none_or(local)
    }
}

/// A second `@`, a `%` or a `!` in the local part, or anywhere where there is no host.
fn is_source_route(to: &Address) -> bool {
    to.local().iter().any(|b| matches!(b, b'@' | b'%' | b'!'))
}
