//! Control files: how each is read, and what they say together (qmail-control(5), spec §2).
//!
//! Nothing here opens a file. [`Controls::load`] asks a function of the caller for the contents of
//! each file by name, reads them by the rules of [`rules`], and returns what they say together with
//! [`Finding`]s: what `mtad check` tells the administrator.

mod badlist;
mod check;
mod finding;
mod hosts;
mod load;
mod locals;
mod percenthack;
mod qmqpservers;
mod qregex;
mod rcpthosts;
pub mod rules;
mod smtproutes;
mod virtualdomains;

pub use badlist::{BadList, Matching};
pub use finding::{Finding, Weight};
pub use hosts::{ColonMap, HostSet, suffixes};
pub use load::{LoadError, Loaded, NAMES};
pub use locals::Locals;
pub use percenthack::PercentHack;
pub use qmqpservers::{QMQP_PORT, QmqpServers};
pub use qregex::{BadPattern, MAX_PATTERN, MAX_PROGRAM, MAX_REPEAT, Patterns, Unusable};
pub use rcpthosts::{RcptHosts, morercpthosts_keys};
pub use smtproutes::{SmtpRoute, SmtpRoutes};
pub use virtualdomains::{VirtualDomains, VirtualLine};

use std::time::Duration;

/// What the files in control/ say, defaults filled in.
///
/// Host names and local parts are bytes, as the files hold them.
///
/// ```
/// use mta_core::control::Controls;
/// let loaded = Controls::load(|name| {
///     Ok::<_, std::io::Error>(match name {
///         "me" => Some(b"mx.example.org\n".to_vec()),
///         _ => None,
///     })
/// })
/// .unwrap();
/// assert_eq!(loaded.controls.me, b"mx.example.org");
/// assert_eq!(loaded.controls.queuelifetime, 604_800);
/// assert_eq!(loaded.controls.helohost, b"mx.example.org");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Controls {
    /// `me`: this host's full name.
    pub me: Vec<u8>,
    /// `badhelo`: HELO and EHLO arguments whose clients are refused.
    pub badhelo: BadList,
    /// `badmailfrom`: senders that are refused.
    pub badmailfrom: BadList,
    /// `badmailfromnorelay`: senders that are refused from clients that may not relay.
    pub badmailfromnorelay: BadList,
    /// `badmailto`: recipients that are refused.
    pub badmailto: BadList,
    /// `badmailtonorelay`: recipients that are refused from clients that may not relay.
    pub badmailtonorelay: BadList,
    /// `bouncefrom`: the local part that bounces come from.
    pub bouncefrom: Vec<u8>,
    /// `bouncehost`: the host that bounces come from.
    pub bouncehost: Vec<u8>,
    /// `concurrencylocal`: local deliveries at one time.
    pub concurrencylocal: u32,
    /// `concurrencyremote`: remote deliveries at one time.
    pub concurrencyremote: u32,
    /// `databytes`: the largest message taken by SMTP; 0 is no limit.
    pub databytes: u64,
    /// `defaultdomain`: appended to host names without a dot, by injection.
    pub defaultdomain: Vec<u8>,
    /// `defaulthost`: appended to addresses without a host, by injection.
    pub defaulthost: Vec<u8>,
    /// `doublebouncehost`: the host of the double-bounce recipient.
    pub doublebouncehost: Vec<u8>,
    /// `doublebounceto`: the local part of the double-bounce recipient; empty discards where the
    /// host is local.
    pub doublebounceto: Vec<u8>,
    /// `helohost`: the name given with HELO.
    pub helohost: Vec<u8>,
    /// `idhost`: the host of Message-IDs, by injection.
    pub idhost: Vec<u8>,
    /// `localiphost`: replaces our own address literals.
    pub localiphost: Vec<u8>,
    /// `plusdomain`: replaces a final `+` of a host name, by injection.
    pub plusdomain: Vec<u8>,
    /// `qmqpservers`: where qmail-qmqpc takes mail to.
    pub qmqpservers: QmqpServers,
    /// `queuelifetime`: seconds after which a message is not tried again.
    pub queuelifetime: u64,
    /// `rcpthosts` and `morercpthosts`: domains that mail is taken for.
    pub rcpthosts: RcptHosts,
    /// How recipients are rewritten and routed.
    pub routing: crate::rewrite::Routing,
    /// `smtpgreeting`: the text of the greeting.
    pub smtpgreeting: Vec<u8>,
    /// `smtproutes`: relays by destination.
    pub smtproutes: SmtpRoutes,
    /// `timeoutconnect`: for a connection attempt.
    pub timeoutconnect: Duration,
    /// `timeoutremote`: for each reply of a remote host.
    pub timeoutremote: Duration,
    /// `timeoutsmtpd`: for each piece of input from a client.
    pub timeoutsmtpd: Duration,
}
