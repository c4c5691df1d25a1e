//! `[proxy]` of mtad.toml: which hosts speak for other clients (PROXY protocol, Postfix's XCLIENT_README).

use super::Network;
use serde::Deserialize;
use std::net::IpAddr;

/// Hosts that are believed when they say whose connection it is.
///
/// ```
/// use mtad::config::Config;
/// let config = Config::parse("[proxy]\nfrom = [\"192.0.2.0/28\"]\n").unwrap();
/// assert!(config.proxy.begins_with_header("192.0.2.1".parse().unwrap()));
/// assert!(!config.proxy.begins_with_header("192.0.2.16".parse().unwrap()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Proxy {
    /// The networks of proxies that begin every connection with a header; they have to, and
    /// nobody else may.
    pub from: Vec<Network>,
    /// The networks whose SMTP clients may say XCLIENT.
    pub xclient_from: Vec<Network>,
}

impl Proxy {
    /// Tells whether connections from there begin with a header.
    #[must_use]
    pub fn begins_with_header(&self, peer: IpAddr) -> bool {
        self.from.iter().any(|network| network.contains(peer))
    }

    /// Tells whether an SMTP client may say in whose place it speaks.
    #[must_use]
    pub fn may_xclient(&self, client: IpAddr) -> bool {
        let mut networks = self.xclient_from.iter();
        networks.any(|network| network.contains(client))
    }
}
