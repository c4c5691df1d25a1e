//! Where a recipient goes: the order in which percenthack, locals and virtualdomains are asked (qmail-send(8), spec §2.4).

use crate::Address;
use crate::control::{Locals, PercentHack, VirtualDomains};

/// The two ways a message leaves the queue (qmail-send(8): lspawn and rspawn).
#[expect(
    clippy::exhaustive_enums,
    reason = "qmail's queue has these two directories"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Delivered on this host.
    Local,
    /// Sent on by SMTP.
    Remote,
}

impl Channel {
    /// Both channels, in the order qmail numbers them.
    pub const ALL: [Self; 2] = [Self::Local, Self::Remote];

    /// Returns the name of the queue directory, which is also the word in the log.
    ///
    /// ```
    /// use mta_core::rewrite::Channel;
    /// assert_eq!(Channel::Remote.name(), "remote");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
        }
    }

    /// Returns qmail's number of the channel: 0 is local, 1 is remote.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Local => 0,
            Self::Remote => 1,
        }
    }
}

/// A recipient as it is written into queue/local or queue/remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// The queue it belongs to.
    pub channel: Channel,
    /// The address after rewriting.
    pub address: Address,
}

/// What decides where a recipient goes: four control files.
///
/// ```
/// use mta_core::Address;
/// use mta_core::control::{Locals, VirtualDomains};
/// use mta_core::rewrite::{Channel, Routing};
/// let mut routing = Routing::default();
/// routing.locals = Locals::parse(b"example.org\n");
/// routing.virtualdomains = VirtualDomains::parse(b"shop.example:shop\n");
/// let route = |a: &str| routing.route(&Address::new(a).unwrap());
/// assert_eq!(route("joe@Example.ORG").channel, Channel::Local);
/// assert_eq!(route("Joe@shop.example").address.as_bytes(), b"shop-Joe@shop.example");
/// assert_eq!(route("joe@far.example").channel, Channel::Remote);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Routing {
    /// `envnoathost`: completes an address without `@`.
    pub envnoathost: Vec<u8>,
    /// `percenthack`: domains whose `user%host` is undone.
    pub percenthack: PercentHack,
    /// `locals`: domains delivered here.
    pub locals: Locals,
    /// `virtualdomains`: domains and addresses handed to local users.
    pub virtualdomains: VirtualDomains,
}

impl Routing {
    /// Rewrites a recipient and says how it leaves the queue.
    ///
    /// The order is qmail-send's: envnoathost, percenthack, locals, virtualdomains, else remote.
    /// The case of the address stays.
    #[must_use]
    pub fn route(&self, recipient: &Address) -> Routed {
        let address = self.complete(recipient);
        let domain = address.domain().unwrap_or_default();
        if self.locals.contains(domain) {
            let channel = Channel::Local;
            return Routed { channel, address };
        }
        match self.virtualdomains.find(address.local(), domain) {
            Some(prepend) if !prepend.is_empty() => {
                let prepended = [prepend, b"-", address.as_bytes()].concat();
                Routed {
                    channel: Channel::Local,
                    // The files' readers let no NUL through.
                    address: Address::new(prepended).unwrap_or(address),
                }
            }
            _ => Routed {
                channel: Channel::Remote,
                address,
            },
        }
    }

    /// Adds a missing host and undoes percents: the address as it was meant, without a prepend.
    #[must_use]
    pub fn complete(&self, recipient: &Address) -> Address {
        let mut address = recipient.as_bytes().to_vec();
        if recipient.domain().is_none() {
            address.push(b'@');
            address.extend_from_slice(&self.envnoathost);
        }
        // Each turn takes one `%` out of the local part, so the loop ends.
        while let Some(undone) = self.percenthack.apply(&address) {
            address = undone;
        }
        Address::new(address).unwrap_or_else(|_| recipient.clone())
    }

    /// Returns the name by which a recipient's sender knows it, as bounces show it: rewritten and
    /// routed, then without a virtual prepend.
    #[must_use]
    pub fn shown(&self, recipient: &Address) -> Address {
        self.strip_prepend(&self.route(recipient).address)
    }

    /// Takes the virtual prepend off a routed address, for the text of a bounce.
    ///
    /// As in qmail, only prepends of domain, suffix and catch-all keys are known here; that of a
    /// `user@domain` key stays.
    ///
    /// ```
    /// use mta_core::{Address, control::VirtualDomains, rewrite::Routing};
    /// let mut routing = Routing::default();
    /// routing.virtualdomains = VirtualDomains::parse(b"shop.example:shop\n");
    /// let stored = Address::new("shop-joe@shop.example").unwrap();
    /// assert_eq!(routing.strip_prepend(&stored).as_bytes(), b"joe@shop.example");
    /// ```
    #[must_use]
    pub fn strip_prepend(&self, routed: &Address) -> Address {
        let stripped = routed
            .domain()
            .and_then(|domain| self.virtualdomains.find_domain(domain))
            .filter(|prepend| !prepend.is_empty())
            .and_then(|prepend| routed.as_bytes().strip_prefix(prepend))
            .and_then(|rest| rest.strip_prefix(b"-"));
        match stripped {
            Some(rest) => Address::new(rest).unwrap_or_else(|_| routed.clone()),
            None => routed.clone(),
        }
    }
}
