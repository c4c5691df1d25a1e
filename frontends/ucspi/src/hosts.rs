//! Hosts and ports of a command line: addresses, names and services (tcpserver(1), tcpclient(1), services(5)).

use crate::failure::Failure;
use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};

/// Where services have their numbers.
const SERVICES: &str = "/etc/services";
/// The longest label of a name (RFC 1035 §2.3.4).
const LABEL_MAX: usize = 63;

/// A number up to 65535, or a service of TCP.
pub(crate) fn port(text: &OsStr) -> Result<u16, Failure> {
    known_port(text).ok_or_else(|| unknown("unable to figure out port number for ", text))
}

fn known_port(text: &OsStr) -> Option<u16> {
    let text = text.to_str()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let services = std::fs::read_to_string(SERVICES).ok()?;
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (name, number) = (words.next()?, words.next()?);
        let number = number.strip_suffix("/tcp")?;
        (name == text || words.any(|alias| alias == text)).then(|| number.parse().ok())?
    })
}

/// The first address of a host; IPv4 is preferred, as the original knows no other.
pub(crate) fn first(text: &OsStr) -> Result<IpAddr, Failure> {
    let all = all(text)?;
    all.first()
        .copied()
        .ok_or_else(|| unknown("no IP address for ", text))
}

/// All addresses of a host, those of IPv4 first; never none.
pub(crate) fn all(text: &OsStr) -> Result<Vec<IpAddr>, Failure> {
    let none = || unknown("no IP address for ", text);
    let name = text.to_str().ok_or_else(none)?;
    if let Some(address) = literal(name) {
        return Ok(vec![address]);
    }
    if name.split('.').any(|label| label.len() > LABEL_MAX) {
        let said =
            format!("temporarily unable to figure out IP address for {name}: protocol error");
        return Err(Failure::Temporary(said.into_bytes()));
    }
    let found = (name, 0).to_socket_addrs().map_err(|_| none())?;
    let mut found: Vec<_> = found.map(|found| found.ip()).collect();
    found.sort_by_key(IpAddr::is_ipv6);
    match found.is_empty() {
        true => Err(none()),
        false => Ok(found),
    }
}

/// An address, which may stand in brackets. The octets of IPv4 are decimal even behind zeros, where
/// the C library reads octal numbers.
pub(crate) fn literal(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    if let Ok(address) = bare.parse() {
        return Some(address);
    }
    let octet = |part: &str| {
        let digits =
            (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<u8>().ok())?
    };
    let octets: Vec<u8> = bare.split('.').map(octet).collect::<Option<_>>()?;
    let four: [u8; 4] = octets.try_into().ok()?;
    Some(Ipv4Addr::from(four).into())
}

fn unknown(what: &str, name: &OsStr) -> Failure {
    Failure::Temporary(format!("{what}{}", name.display()).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let rows = [
            ("plain", "192.0.2.1", Some("192.0.2.1")),
            ("brackets", "[192.0.2.1]", Some("192.0.2.1")),
            ("zeros", "127.000.000.010", Some("127.0.0.10")),
            ("IPv6", "::1", Some("::1")),
            ("IPv6 in brackets", "[2001:db8::1]", Some("2001:db8::1")),
            ("half a bracket", "[::1", None),
            ("three", "127.0.1", None),
            ("five", "1.2.3.4.5", None),
            ("large", "1.2.3.256", None),
            ("name", "localhost", None),
            ("nothing", "", None),
        ];
        for (name, text, expected) in rows {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(literal(text), expected, "{name}");
        }
    }
}
