//! Version 1, a line that people can read (PROXY protocol §2.1).

use super::{Client, Malformed, Parsed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How every line begins.
pub(super) const START: &[u8] = b"PROXY ";
/// Bytes of the longest line, its CRLF among them.
const LINE_MAX: usize = 107;

/// ```abnf
/// line    = "PROXY " ( tcp / "UNKNOWN" *OCTET ) CRLF
/// tcp     = ( "TCP4" / "TCP6" ) SP address SP address SP port SP port
/// port    = "0" / ( %x31-39 *4DIGIT )     ; 65535 at most
/// ```
/// One space, no leading zeros; the client's address and port come before what it connected to.
pub(super) fn parse(input: &[u8]) -> Result<Parsed, Malformed> {
    let window = input.get(..LINE_MAX).unwrap_or(input);
    let Some(end) = memchr::memmem::find(window, b"\r\n") else {
        return if window.len() < LINE_MAX {
            Ok(Parsed::Incomplete)
        } else {
            Err(Malformed::Endless)
        };
    };
    let line = window.get(START.len()..end).ok_or(Malformed::NoHeader)?;
    let client = if line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ") {
        Client::Unknown
    } else {
        let line = std::str::from_utf8(line).map_err(|_| Malformed::Line)?;
        tcp(line).ok_or(Malformed::Line)?
    };
    let length = end + 2;
    Ok(Parsed::Header { length, client })
}

fn tcp(line: &str) -> Option<Client> {
    let mut words = line.split(' ');
    let address: fn(&str) -> Option<IpAddr> = match words.next()? {
        "TCP4" => |word| word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => |word| word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => return None,
    };
    let (from, to) = (address(words.next()?)?, address(words.next()?)?);
    let (from_port, to_port) = (port(words.next()?)?, port(words.next()?)?);
    if words.next().is_some() {
        return None;
    }
    Some(Client::At {
        from: SocketAddr::new(from, from_port),
        to: SocketAddr::new(to, to_port),
    })
}

fn port(word: &str) -> Option<u16> {
    let canonical = word == "0" || !word.starts_with('0');
    let digits = word.bytes().all(|b| b.is_ascii_digit());
    (canonical && digits).then(|| word.parse().ok()).flatten()
}
