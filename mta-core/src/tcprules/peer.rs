//! Who connects, and under which keys rules about them are found (spec §9.2).

use super::address::expanded;
use std::net::IpAddr;

/// A client as rules see it: its address, and its name and user where they are known.
///
/// ```
/// use mta_core::tcprules::Peer;
/// let peer = Peer::new("192.0.2.7".parse()?).host(b"mx.example.com");
/// let keys: Vec<_> = peer.keys().map(|key| String::from_utf8(key).unwrap()).collect();
/// assert_eq!(keys, [
///     "192.0.2.7", "=mx.example.com", "192.0.2.", "192.0.", "192.",
///     "=.example.com", "=.com", "=", "",
/// ]);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Peer<'a> {
    address: Vec<u8>,
    v6: bool,
    host: Option<&'a [u8]>,
    info: Option<&'a [u8]>,
}

impl<'a> Peer<'a> {
    /// Takes an address; an IPv4 address inside an IPv6 one counts as what it is.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        let (address, v6) = match address.to_canonical() {
            IpAddr::V4(v4) => (v4.to_string(), false),
            IpAddr::V6(v6) => (expanded(v6), true),
        };
        Self {
            address: address.into_bytes(),
            v6,
            host: None,
            info: None,
        }
    }

    /// Takes what an environment variable says; a text that is no address is looked up as it is.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Self {
        let address = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
        address.map_or_else(
            || Self {
                address: text.to_vec(),
                v6: false,
                host: None,
                info: None,
            },
            Self::new,
        )
    }

    /// Adds its name (TCPREMOTEHOST); compared byte by byte, so in lower case.
    #[must_use]
    pub const fn host(mut self, host: &'a [u8]) -> Self {
        self.host = Some(host);
        self
    }

    /// Adds what its ident server says (TCPREMOTEINFO).
    #[must_use]
    pub const fn info(mut self, info: &'a [u8]) -> Self {
        self.info = Some(info);
        self
    }

    /// Returns the keys in the order in which they are looked up; the first that exists decides.
    pub fn keys(&self) -> impl Iterator<Item = Vec<u8>> {
        let (address, host) = (&self.address[..], self.host);
        let info = self.info.into_iter().flat_map(move |info| {
            let at_host = host.map(|host| [info, b"@=", host].concat());
            std::iter::once([info, b"@", address].concat()).chain(at_host)
        });
        let whole = std::iter::once(address.to_vec()).chain(host.map(named));
        let mark = if self.v6 { b':' } else { b'.' };
        let prefixes = (1..=address.len()).rev().filter_map(move |end| {
            address
                .get(..end)
                .filter(|prefix| prefix.last() == Some(&mark))
        });
        let all_v6 = self.v6.then(|| vec![mark]);
        let suffixes = host.into_iter().flat_map(|host| {
            let suffixes = (0..host.len()).filter_map(|start| host.get(start..));
            suffixes
                .filter(|suffix| suffix.first() == Some(&b'.'))
                .map(named)
        });
        info.chain(whole)
            .chain(prefixes.map(<[u8]>::to_vec))
            .chain(all_v6)
            .chain(suffixes)
            .chain(host.map(|_| named(b"")))
            .chain(std::iter::once(Vec::new()))
    }
}

fn named(host: &[u8]) -> Vec<u8> {
    [b"=", host].concat()
}
