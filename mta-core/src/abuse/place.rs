//! Where a client is, as limits count it: its address, or the network around it (RFC 4291 §2.5.4, RFC 6177).

use std::net::IpAddr;

/// An address or a network. Of IPv6, 64 bits count as one address, since one customer has all the
/// others to choose from.
///
/// ```
/// use mta_core::abuse::Place;
/// let [a, b] = ["2001:db8:1:2::a", "2001:db8:1:2::b"].map(|ip| ip.parse().unwrap());
/// assert_eq!(Place::address(a), Place::address(b));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// An IPv4 address, or 64 bits of IPv6.
    Address(IpAddr),
    /// 24 bits of IPv4 or 48 of IPv6.
    Network(IpAddr),
}

impl Place {
    /// The place of one client.
    #[must_use]
    pub fn address(client: IpAddr) -> Self {
        Self::Address(match client.to_canonical() {
            IpAddr::V6(ip) => first_bits(ip.to_bits(), 64),
            v4 => v4,
        })
    }

    /// The network around a client.
    #[must_use]
    pub fn network(client: IpAddr) -> Self {
        Self::Network(match client.to_canonical() {
            IpAddr::V4(ip) => IpAddr::from((ip.to_bits() & 0xffff_ff00).to_be_bytes()),
            IpAddr::V6(ip) => first_bits(ip.to_bits(), 48),
        })
    }
}

const fn first_bits(ip: u128, bits: u32) -> IpAddr {
    let rest = 128 - bits;
    IpAddr::V6(std::net::Ipv6Addr::from_bits(ip >> rest << rest))
}
