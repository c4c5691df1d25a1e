//! Address literals in brackets: `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).

use nom::bytes::complete::take_while1;
use nom::character::complete::char;
use nom::combinator::{recognize, verify};
use nom::sequence::delimited;
use nom::{IResult, Parser};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest text between the brackets.
const MAX_LITERAL: usize = 64;

/// Reads a domain part as an address literal; `None` where it is none of an IP address.
///
/// ```abnf
/// address-literal      = "[" ( IPv4-address-literal / IPv6-address-literal ) "]"
/// IPv6-address-literal = "IPv6:" IPv6-addr
/// ```
///
/// ```
/// use mta_core::address::literal::parse;
/// assert_eq!(parse(b"[127.0.0.1]"), "127.0.0.1".parse().ok());
/// assert_eq!(parse(b"[IPv6:::1]"), "::1".parse().ok());
/// assert_eq!(parse(b"127.0.0.1"), None);
/// ```
#[must_use]
pub fn parse(domain: &[u8]) -> Option<IpAddr> {
    let inside = domain.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let text = std::str::from_utf8(inside).ok()?;
    match text.split_at_checked(5) {
        Some((tag, rest)) if tag.eq_ignore_ascii_case("IPv6:") => {
            rest.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        _ => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// Recognises an address literal in a mailbox, brackets included.
///
/// `General-address-literal` (RFC 5321 §4.1.3) is refused: no tag but IPv6 was ever registered.
pub(super) fn recognized(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let dcontent = take_while1(|b: u8| b.is_ascii_hexdigit() || b"IiPpVv:.".contains(&b));
    let bracketed = recognize(delimited(char('['), dcontent, char(']')));
    verify(bracketed, |text: &[u8]| {
        text.len() <= MAX_LITERAL && parse(text).is_some()
    })
    .parse(input)
}
