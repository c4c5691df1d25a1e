//! Reverse-paths and forward-paths as MAIL and RCPT give them (RFC 5321 §4.1.1.2, §4.1.1.3).

use mta_core::Address;
use mta_core::address::grammar::{forward_path, mailbox, reverse_path};
use nom::branch::alt;
use nom::bytes::complete::tag_no_case;
use nom::character::complete::space0;
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// ```abnf
/// "FROM:" ( Reverse-path / Mailbox )
/// ```
/// White space behind the colon and missing angle brackets are tolerated, as in the original.
pub(super) fn reverse(input: &[u8]) -> IResult<&[u8], Address> {
    preceded((tag_no_case("FROM:"), space0), alt((reverse_path, mailbox))).parse(input)
}

/// ```abnf
/// "TO:" ( Forward-path / Mailbox )
/// ```
/// White space behind the colon and missing angle brackets are tolerated, as in the original.
pub(super) fn forward(input: &[u8]) -> IResult<&[u8], Address> {
    preceded((tag_no_case("TO:"), space0), alt((forward_path, mailbox))).parse(input)
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
            ("beyond ASCII", "TO:<é@b>", Some("é@b")),
            ("two ats", "TO:<a@b@c>", None),
            ("space within", "TO:<a b@c>", None),
            ("empty domain", "TO:<a@>", None),
            ("double dot", "TO:<a..b@c>", Some("a..b@c")),
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
