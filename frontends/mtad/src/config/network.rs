//! A network in CIDR form, as `relay_from` lists them (RFC 4632 §3.1, RFC 4291 §2.3).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The addresses that share the first `prefix` bits.
///
/// ```
/// use mtad::config::Network;
/// let net: Network = "192.0.2.0/24".parse().unwrap();
/// assert!(net.contains("192.0.2.9".parse().unwrap()));
/// assert!(net.contains("::ffff:192.0.2.9".parse().unwrap()));
/// assert!(!net.contains("192.0.3.1".parse().unwrap()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// The text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a network such as \"192.0.2.0/24\", \"2001:db8::/32\" or \"127.0.0.1\", found \"{0}\""
)]
pub struct NoNetwork(String);

impl Network {
    /// This machine's own: 127.0.0.0/8 and ::1.
    #[must_use]
    pub const fn loopback() -> [Self; 2] {
        let v4 = Self {
            address: IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 0)),
            prefix: 8,
        };
        let v6 = Self {
            address: IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
            prefix: 128,
        };
        [v4, v6]
    }

    /// Tells whether an address belongs to the network; an IPv4 address that comes in IPv6 form
    /// counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let differ = ours.to_bits() ^ theirs.to_bits();
                differ.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differ = ours.to_bits() ^ theirs.to_bits();
                differ.leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }

    /// The first and the last address as numbers, and whether they are of IPv4.
    fn bounds(&self) -> (bool, u128, u128) {
        let (v4, address, width) = match self.address {
            IpAddr::V4(address) => (true, u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (false, address.to_bits(), 128),
        };
        let all = u128::MAX >> (128 - width);
        let hosts = all.checked_shr(self.prefix).unwrap_or(0);
        (v4, address & !hosts, address | hosts)
    }
}

/// Tells whether networks together hold every IPv4 or every IPv6 address.
///
/// ```
/// use mtad::config::{Network, hold_everything};
/// let halves: [Network; 2] = ["0.0.0.0/1", "128.0.0.0/1"].map(|text| text.parse().unwrap());
/// assert!(hold_everything(&halves));
/// assert!(!hold_everything(&halves[..1]));
/// ```
#[must_use]
pub fn hold_everything(networks: &[Network]) -> bool {
    [(true, u128::from(u32::MAX)), (false, u128::MAX)]
        .into_iter()
        .any(|(v4, last)| {
            let of_kind = networks.iter().map(Network::bounds);
            let mut of_kind: Vec<_> = of_kind.filter(|bounds| bounds.0 == v4).collect();
            of_kind.sort_unstable();
            let mut next = Some(0);
            for (_, from, to) in of_kind {
                // `None` stands for the end of all addresses.
                if next.is_some_and(|next| from <= next) {
                    next = next.max(to.checked_add(1)).filter(|_| to < last);
                }
            }
            next.is_none()
        })
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let wrong = || NoNetwork(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let digits = |p: &str| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit());
        let prefix = match prefix {
            None => most,
            Some(prefix) if digits(prefix) => prefix.parse().map_err(|_| wrong())?,
            Some(_) => return Err(wrong()),
        };
        if prefix > most {
            return Err(wrong());
        }
        Ok(Self { address, prefix })
    }
}

impl TryFrom<String> for Network {
    type Error = NoNetwork;

    fn try_from(text: String) -> Result<Self, NoNetwork> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_prefix_covers_belongs() {
        let rows = [
            ("host", "127.0.0.1", "127.0.0.1", true),
            ("other host", "127.0.0.1", "127.0.0.2", false),
            ("half an octet", "10.16.0.0/12", "10.31.255.255", true),
            ("beyond it", "10.16.0.0/12", "10.32.0.0", false),
            ("everything", "0.0.0.0/0", "203.0.113.1", true),
            ("v4 is not v6", "0.0.0.0/0", "2001:db8::1", false),
            ("v6", "2001:db8::/32", "2001:db8:ffff::1", true),
            ("v6 host", "::1", "::2", false),
        ];
        for (name, net, address, want) in rows {
            let net: Network = net.parse().unwrap();
            assert_eq!(net.contains(address.parse().unwrap()), want, "{name}");
        }
    }

    #[test]
    fn only_networks_without_a_gap_hold_everything() {
        let rows: [(&str, &[&str], bool); 9] = [
            ("none", &[], false),
            ("all of IPv4", &["0.0.0.0/0"], true),
            ("all of IPv6", &["::/0"], true),
            ("half and half", &["0.0.0.0/1", "8000::/1"], false),
            (
                "unsorted parts",
                &["128.0.0.0/1", "0.0.0.0/2", "64.0.0.0/2"],
                true,
            ),
            (
                "one inside another",
                &["0.0.0.0/1", "10.0.0.0/8", "128.0.0.0/1"],
                true,
            ),
            ("a gap", &["0.0.0.0/1", "192.0.0.0/2"], false),
            ("the last missing", &["0.0.0.0/1"], false),
            (
                "the last address twice",
                &["255.255.255.255", "::/1", "8000::/1"],
                true,
            ),
        ];
        for (name, networks, want) in rows {
            let parsed: Vec<Network> = networks.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(hold_everything(&parsed), want, "{name}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "10",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "a/8",
            "1.2.3.4/8/8",
        ] {
            let said = text.parse::<Network>().unwrap_err().to_string();
            assert!(said.contains("expected a network"), "{text}: {said}");
        }
    }
}
