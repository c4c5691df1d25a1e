//! Reverse-paths and forward-paths as MAIL and RCPT give them (RFC 5321 §4.1.2).

use mta_core::Address;
use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_till1, take_while, take_while1};
use nom::character::complete::{char, space0};
use nom::combinator::{map_opt, opt, recognize, value, verify};
use nom::multi::{fold_many0, many0_count, separated_list1};
use nom::sequence::{delimited, pair, preceded, terminated};
use nom::{IResult, Parser};

/// The longest address, as in the original (qmail-smtpd(8)).
const ADDRESS_MAX: usize = 899;

/// ```abnf
/// "FROM:" Reverse-path
/// Reverse-path = Path / "<>"
/// ```
/// White space behind the colon is tolerated.
pub(super) fn reverse(input: &[u8]) -> IResult<&[u8], Address> {
    let null = value(Address::null(), tag("<>"));
    preceded((tag_no_case("FROM:"), space0), alt((null, path))).parse(input)
}

/// `"TO:" Forward-path`, where white space behind the colon is tolerated.
pub(super) fn forward(input: &[u8]) -> IResult<&[u8], Address> {
    preceded((tag_no_case("TO:"), space0), path).parse(input)
}

/// ```abnf
/// Path  = "<" [ A-d-l ":" ] Mailbox ">"
/// A-d-l = At-domain *( "," At-domain )
/// ```
/// The source route is dropped (RFC 5321 §4.1.1.3). The angle brackets may be missing.
fn path(input: &[u8]) -> IResult<&[u8], Address> {
    let at_domain = preceded(char('@'), domain);
    let route = terminated(separated_list1(char(','), at_domain), char(':'));
    let bracketed = delimited(char('<'), preceded(opt(route), mailbox), char('>'));
    alt((bracketed, mailbox)).parse(input)
}

/// ```abnf
/// Mailbox = Local-part "@" ( Domain / address-literal )
/// ```
/// Unlike the RFC, the domain may be missing, as it may in the original: `Postmaster` needs that,
/// and policy completes or refuses the others.
fn mailbox(input: &[u8]) -> IResult<&[u8], Address> {
    let host = preceded(char('@'), alt((literal, domain)));
    map_opt(pair(local_part, opt(host)), |(mut bytes, host)| {
        if let Some(host) = host {
            bytes.push(b'@');
            bytes.extend_from_slice(host);
        }
        Address::new(bytes)
            .ok()
            .filter(|a| a.as_bytes().len() <= ADDRESS_MAX)
    })
    .parse(input)
}

/// `Local-part = Dot-string / Quoted-string`, without its quoting.
fn local_part(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let dot_string = separated_list1(char('.'), take_while1(is_atext));
    let dot_string = recognize(dot_string).map(<[u8]>::to_vec);
    alt((quoted_string, dot_string)).parse(input)
}

/// ```abnf
/// Quoted-string = DQUOTE *( qtextSMTP / quoted-pairSMTP ) DQUOTE
/// ```
fn quoted_string(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let plain = take_till1(|b| b == b'"' || b == b'\\' || b < b' ' || b == 0x7f);
    let escaped = preceded(
        char('\\'),
        verify(nom::bytes::complete::take(1_usize), |c: &[u8]| {
            c.iter().all(|&b| (b' '..0x7f).contains(&b))
        }),
    );
    let content = fold_many0(
        alt((plain, escaped)),
        Vec::new,
        |mut all: Vec<u8>, part: &[u8]| {
            all.extend_from_slice(part);
            all
        },
    );
    delimited(char('"'), content, char('"')).parse(input)
}

/// `Domain = sub-domain *("." sub-domain)`; underscores are tolerated, since hosts have them.
fn domain(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let label = take_while1(|b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b) || b >= 0x80);
    let dots = many0_count(preceded(char('.'), take_while1(is_label)));
    recognize((label, dots)).parse(input)
}

/// `address-literal = "[" 1*dcontent "]"`; whether it names a host is for policy to say.
fn literal(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let dcontent = take_while(|b: u8| b.is_ascii_graphic() && !b"[]\\<>@".contains(&b));
    recognize(delimited(char('['), dcontent, char(']'))).parse(input)
}

fn is_label(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-_".contains(&b) || b >= 0x80
}

/// `atext` (RFC 5322 §3.2.3) and what RFC 6531 §3.3 adds.
fn is_atext(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b) || b >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_the_table_says() {
        let table: &[(&str, &str, Option<&str>)] = &[
            ("plain", "TO:<joe@example.org>", Some("joe@example.org")),
            ("case", "to:<joe@example.org>", Some("joe@example.org")),
            ("space behind the colon", "TO: <joe@h>", Some("joe@h")),
            ("no brackets", "TO:joe@h", Some("joe@h")),
            ("source route", "TO:<@x,@y:joe@h>", Some("joe@h")),
            ("quoted", "TO:<\"a b@c\"@h>", Some("a b@c@h")),
            ("quoted pair", "TO:<\"a\\\"b\"@h>", Some("a\"b@h")),
            ("literal", "TO:<joe@[127.0.0.1]>", Some("joe@[127.0.0.1]")),
            (
                "IPv6 literal",
                "TO:<joe@[IPv6:::1]>",
                Some("joe@[IPv6:::1]"),
            ),
            ("postmaster", "TO:<Postmaster>", Some("Postmaster")),
            ("null is no forward-path", "TO:<>", None),
            ("wrong word", "FROM:<joe@h>", None),
            ("no closing bracket", "TO:<joe@h", None),
            ("two ats", "TO:<a@b@c>", None),
            ("space within", "TO:<a b@c>", None),
            ("empty domain", "TO:<a@>", None),
            ("double dot", "TO:<a..b@c>", None),
            ("open quote", "TO:<\"a@c>", None),
            ("nothing", "TO:", None),
        ];
        for (name, line, wanted) in table {
            let read = forward(line.as_bytes())
                .ok()
                .filter(|(rest, _)| rest.is_empty());
            let wanted = wanted.map(|a| Address::new(a).unwrap());
            assert_eq!(read.map(|(_, a)| a), wanted, "{name}");
        }
    }

    #[test]
    fn the_null_reverse_path_is_read() {
        let (rest, from) = reverse(b"FROM:<> SIZE=1").unwrap();
        assert!(from.is_null());
        assert_eq!(rest, b" SIZE=1");
    }

    #[test]
    fn addresses_beyond_899_bytes_are_refused() {
        let line = |n| format!("TO:<{}@h>", "a".repeat(n));
        assert!(forward(line(897).as_bytes()).is_ok());
        assert!(forward(line(898).as_bytes()).is_err());
    }
}
