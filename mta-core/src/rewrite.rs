//! Where a recipient goes: the order in which percenthack, locals and virtualdomains are asked (qmail-send(8), spec §2.4).

use crate::Address;

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
