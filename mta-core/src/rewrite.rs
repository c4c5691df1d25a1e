//! Where a recipient goes: the order in which percenthack, locals and virtualdomains are asked (qmail-send(8), spec §2.4).

use crate::Address;
use crate::control::{Locals, PercentHack, VirtualDomains};
use crate::log::Filtered;
use std::fmt;

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

/// One step of a decision, with the line of the control file that made it; lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The address had no host.
    NoHost {
        /// What was added: control/envnoathost, by default control/me.
        host: Vec<u8>,
    },
    /// A `%` became an `@`.
    Percent {
        /// The line of control/percenthack.
        line: usize,
        /// The address after it.
        address: Vec<u8>,
    },
    /// The domain is delivered here.
    Local {
        /// control/locals, or control/me where there is none.
        file: &'static str,
        /// The line of that file.
        line: usize,
        /// The domain.
        domain: Vec<u8>,
    },
    /// A line of control/virtualdomains fits: it belongs to a user, or it is an exception.
    Virtual {
        /// The line.
        line: usize,
        /// What it is about: an address, a domain, an ending, or nothing for all.
        key: Vec<u8>,
        /// The user; empty for an exception.
        prepend: Vec<u8>,
    },
    /// Neither locals nor virtualdomains name the domain.
    Elsewhere {
        /// The domain.
        domain: Vec<u8>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost { host } => {
                let host = Filtered(host);
                write!(f, "control/envnoathost, else control/me: {host} is added")
            }
            Self::Percent { line, address } => {
                let address = Filtered(address);
                write!(f, "control/percenthack:{line}: it means {address}")
            }
            Self::Local { file, line, domain } => {
                let domain = Filtered(domain);
                write!(f, "control/{file}:{line}: {domain} is delivered here")
            }
            Self::Virtual { line, key, prepend } => {
                let all: &[u8] = b"everything";
                let key = Filtered(if key.is_empty() { all } else { key });
                write!(f, "control/virtualdomains:{line}: {key} ")?;
                match prepend.as_slice() {
                    b"" => write!(f, "is an exception: it goes elsewhere"),
                    user => write!(f, "belongs to {}", Filtered(user)),
                }
            }
            Self::Elsewhere { domain } => {
                let domain = Filtered(domain);
                write!(
                    f,
                    "control/locals, control/virtualdomains: neither names {domain}"
                )
            }
        }
    }
}

/// The reasons, where somebody wants to know them.
struct Trail(Option<Vec<Reason>>);

impl Trail {
    fn add(&mut self, reason: impl FnOnce() -> Reason) {
        if let Some(reasons) = &mut self.0 {
            reasons.push(reason());
        }
    }
}

fn domain_of(address: &Address) -> Vec<u8> {
    address.domain().unwrap_or_default().to_vec()
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
        self.decide(recipient, &mut Trail(None))
    }

    /// As [`Routing::route`], with every line that had a part in it, in order.
    ///
    /// ```
    /// use mta_core::Address;
    /// use mta_core::control::VirtualDomains;
    /// use mta_core::rewrite::Routing;
    /// let mut routing = Routing::default();
    /// routing.virtualdomains = VirtualDomains::parse(b"# ours\nshop.example:shop\n");
    /// let (routed, why) = routing.explain(&Address::new("joe@shop.example").unwrap());
    /// assert_eq!(routed.address.as_bytes(), b"shop-joe@shop.example");
    /// assert_eq!(why[0].to_string(), "control/virtualdomains:2: shop.example belongs to shop");
    /// ```
    #[must_use]
    pub fn explain(&self, recipient: &Address) -> (Routed, Vec<Reason>) {
        let mut trail = Trail(Some(Vec::new()));
        let routed = self.decide(recipient, &mut trail);
        (routed, trail.0.unwrap_or_default())
    }

    fn decide(&self, recipient: &Address, trail: &mut Trail) -> Routed {
        let address = self.completed(recipient, trail);
        let domain = address.domain().unwrap_or_default();
        let local = self.locals.line_of(domain);
        let found = match local {
            Some(_) => None,
            None => self.virtualdomains.find_line(address.local(), domain),
        };
        let (channel, address) = match &found {
            // The files' readers let no NUL through.
            Some(line) if !line.prepend.is_empty() => (
                Channel::Local,
                Address::new([line.prepend, b"-", address.as_bytes()].concat())
                    .unwrap_or_else(|_| address.clone()),
            ),
            _ if local.is_some() => (Channel::Local, address.clone()),
            _ => (Channel::Remote, address.clone()),
        };
        trail.add(|| match (local, found) {
            (Some((file, line)), _) => Reason::Local {
                file,
                line,
                domain: domain_of(&address),
            },
            (None, Some(found)) => Reason::Virtual {
                line: found.line,
                key: found.key,
                prepend: found.prepend.to_vec(),
            },
            (None, None) => Reason::Elsewhere {
                domain: domain_of(&address),
            },
        });
        Routed { channel, address }
    }

    /// Adds a missing host and undoes percents: the address as it was meant, without a prepend.
    #[must_use]
    pub fn complete(&self, recipient: &Address) -> Address {
        self.completed(recipient, &mut Trail(None))
    }

    fn completed(&self, recipient: &Address, trail: &mut Trail) -> Address {
        let mut address = recipient.as_bytes().to_vec();
        if recipient.domain().is_none() {
            address.push(b'@');
            address.extend_from_slice(&self.envnoathost);
            trail.add(|| Reason::NoHost {
                host: self.envnoathost.clone(),
            });
        }
        // Each turn takes one `%` out of the local part, so the loop ends.
        while let Some((line, undone)) = self.percenthack.apply_line(&address) {
            address = undone;
            trail.add(|| Reason::Percent {
                line,
                address: address.clone(),
            });
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
