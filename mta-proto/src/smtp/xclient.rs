//! XCLIENT, by which a host in front of us says in whose place it speaks (Postfix's XCLIENT_README).

use super::command::{BadCommand, Command};
use bytes::Bytes;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// How EHLO offers it.
pub(crate) const OFFER: &str = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";
/// Bytes of the longest value, as it is meant.
const VALUE_MAX: usize = 255;
const SYNTAX: BadCommand =
    BadCommand::Argument("syntax: XCLIENT attribute=value..., the attributes as offered");

/// What is said of one attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "it is said, denied, or not mentioned"
)]
pub enum Told<T> {
    /// Nothing: what was known stays.
    #[default]
    Unsaid,
    /// `[UNAVAILABLE]` or `[TEMPUNAVAIL]`: there is none, or it could not be found out.
    Unavailable,
    /// This.
    Is(T),
}

/// How the client greeted the host in front of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are HELO and EHLO")]
pub enum Spoken {
    /// With HELO.
    Smtp,
    /// With EHLO.
    Esmtp,
}

/// The client that a host in front of us speaks for. No value holds a space or a control.
///
/// ```
/// use mta_proto::smtp::{Told, Xclient};
/// let mut client = Xclient::default();
/// client.addr = Told::Is("192.0.2.1".parse().unwrap());
/// assert_eq!(client.helo, Told::Unsaid);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Xclient {
    /// Its name from the DNS.
    pub name: Told<Bytes>,
    /// Its address.
    pub addr: Told<IpAddr>,
    /// Its port.
    pub port: Told<u16>,
    /// How it greeted.
    pub proto: Told<Spoken>,
    /// What it called itself.
    pub helo: Told<Bytes>,
    /// Who it logged in as.
    pub login: Told<Bytes>,
    /// The address that it connected to.
    pub destaddr: Told<IpAddr>,
    /// The port that it connected to.
    pub destport: Told<u16>,
}

/// ```abnf
/// xclient-command = "XCLIENT" 1*( SP attribute-name "=" attribute-value )
/// attribute-name  = ( "NAME" / "ADDR" / "PORT" / "PROTO" / "HELO" / "LOGIN" / "DESTADDR" / "DESTPORT" )
/// attribute-value = xtext                 ; RFC 3461 §4
/// ```
pub(crate) fn parse(argument: &[u8]) -> Result<Command, BadCommand> {
    let mut client = Xclient::default();
    let mut words = argument
        .split(|&b| b == b' ')
        .filter(|w| !w.is_empty())
        .peekable();
    if words.peek().is_none() {
        return Err(SYNTAX);
    }
    for word in words {
        attribute(&mut client, word).ok_or(SYNTAX)?;
    }
    Ok(Command::Xclient(Box::new(client)))
}

fn attribute(client: &mut Xclient, word: &[u8]) -> Option<()> {
    let at = word.iter().position(|&b| b == b'=')?;
    let (name, value) = (word.get(..at)?, word.get(at + 1..)?);
    let value = decode(value)?;
    match &*name.to_ascii_uppercase() {
        b"NAME" => client.name = told(&value, text)?,
        b"ADDR" => client.addr = told(&value, address)?,
        b"PORT" => client.port = told(&value, number)?,
        b"PROTO" => client.proto = told(&value, spoken)?,
        b"HELO" => client.helo = told(&value, text)?,
        b"LOGIN" => client.login = told(&value, text)?,
        b"DESTADDR" => client.destaddr = told(&value, address)?,
        b"DESTPORT" => client.destport = told(&value, number)?,
        _ => return None,
    }
    Some(())
}

fn told<T>(value: &[u8], read: fn(&[u8]) -> Option<T>) -> Option<Told<T>> {
    if value.eq_ignore_ascii_case(b"[UNAVAILABLE]") || value.eq_ignore_ascii_case(b"[TEMPUNAVAIL]")
    {
        return Some(Told::Unavailable);
    }
    read(value).map(Told::Is)
}

fn text(value: &[u8]) -> Option<Bytes> {
    (!value.is_empty()).then(|| Bytes::copy_from_slice(value))
}

fn number(value: &[u8]) -> Option<u16> {
    let digits = value.iter().all(u8::is_ascii_digit);
    let value = std::str::from_utf8(value).ok().filter(|_| digits)?;
    value.parse().ok()
}

/// IPv6 stands behind `IPV6:`.
fn address(value: &[u8]) -> Option<IpAddr> {
    let value = std::str::from_utf8(value).ok()?;
    match value.split_at_checked(5) {
        Some((tag, rest)) if tag.eq_ignore_ascii_case("IPV6:") => {
            Ipv6Addr::from_str(rest).ok().map(IpAddr::V6)
        }
        _ => value.parse().ok(),
    }
}

fn spoken(value: &[u8]) -> Option<Spoken> {
    match &*value.to_ascii_uppercase() {
        b"SMTP" => Some(Spoken::Smtp),
        b"ESMTP" => Some(Spoken::Esmtp),
        _ => None,
    }
}

/// Resolves xtext. What it hides stands in headers and logs later, so controls are not let in.
fn decode(value: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut rest = value;
    while let [first, behind @ ..] = rest {
        rest = behind;
        let byte = if *first == b'+' {
            let (digits, behind) = rest.split_first_chunk::<2>()?;
            rest = behind;
            let digits = std::str::from_utf8(digits).ok()?;
            let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
            u8::from_str_radix(digits, 16).ok().filter(|_| hex)?
        } else {
            *first
        };
        if byte <= b' ' || byte == 0x7f || plain.len() >= VALUE_MAX {
            return None;
        }
        plain.push(byte);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(argument: &[u8]) -> Option<Xclient> {
        match parse(argument) {
            Ok(Command::Xclient(client)) => Some(*client),
            Ok(other) => panic!("{other:?}"),
            Err(bad) => {
                assert_eq!(bad, SYNTAX);
                None
            }
        }
    }

    #[test]
    fn every_attribute_is_read() {
        let line = b"NAME=spike.example ADDR=168.100.189.2 PORT=40000 PROTO=ESMTP HELO=a+3Db \
            LOGIN=joe+2Bx@example.org DESTADDR=IPV6:2001:db8::1 DESTPORT=587";
        let wanted = Xclient {
            name: Told::Is(Bytes::from_static(b"spike.example")),
            addr: Told::Is("168.100.189.2".parse().unwrap()),
            port: Told::Is(40_000),
            proto: Told::Is(Spoken::Esmtp),
            helo: Told::Is(Bytes::from_static(b"a=b")),
            login: Told::Is(Bytes::from_static(b"joe+x@example.org")),
            destaddr: Told::Is("2001:db8::1".parse().unwrap()),
            destport: Told::Is(587),
        };
        assert_eq!(parsed(line), Some(wanted));
        let denied = parsed(b"name=[unavailable] Login=[TEMPUNAVAIL]").unwrap();
        assert_eq!(
            (denied.name, denied.login),
            (Told::Unavailable, Told::Unavailable)
        );
        assert_eq!(denied.addr, Told::Unsaid);
    }

    #[test]
    fn what_is_no_attribute_is_refused() {
        let long = format!("HELO={}", "x".repeat(VALUE_MAX + 1));
        #[rustfmt::skip]
        let rows: &[(&str, &[u8])] = &[
            ("nothing", b""),
            ("no value", b"ADDR"),
            ("an empty name", b"NAME="),
            ("unknown", b"COLOUR=red"),
            ("no address", b"ADDR=1.2.3"),
            ("IPv4 as IPv6", b"ADDR=IPV6:192.0.2.1"),
            ("no port", b"PORT=65536"),
            ("a signed port", b"PORT=+2B25"),
            ("another protocol", b"PROTO=LMTP"),
            ("half of xtext", b"HELO=a+2"),
            ("no hex in xtext", b"HELO=a++2"),
            ("a hidden line end", b"HELO=a+0D+0AReceived:+20x"),
            ("a hidden space", b"LOGIN=a+20b"),
            ("a hidden NUL", b"NAME=a+00"),
            ("too long", long.as_bytes()),
            ("one good and one bad", b"ADDR=192.0.2.1 PORT=x"),
        ];
        for (name, argument) in rows {
            assert_eq!(parsed(argument), None, "{name}");
        }
    }
}
