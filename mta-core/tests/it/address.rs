//! Paths and mailboxes, read and written (RFC 5321 §4.1.2, RFC 6531 §3.3).

use mta_core::Address;
use mta_core::address::grammar::{forward_path, reverse_path};
use mta_core::address::{MAX_ADDRESS, literal};
use proptest::prelude::*;

/// Name, path, address where it is one.
#[rustfmt::skip]
const PATHS: [(&str, &str, Option<&str>); 40] = [
    ("plain", "<joe@example.org>", Some("joe@example.org")),
    ("case stays", "<Joe@Example.ORG>", Some("Joe@Example.ORG")),
    ("all of atext", "<!#$%&'*+-/=?^_`{|}~@h>", Some("!#$%&'*+-/=?^_`{|}~@h")),
    ("source route", "<@a,@b.c:joe@h>", Some("joe@h")),
    ("source route with a literal end", "<@a:joe@[192.0.2.1]>", Some("joe@[192.0.2.1]")),
    ("source route without colon", "<@a,@b>", None),
    ("quoted", "<\"a b@c\"@h>", Some("a b@c@h")),
    ("quoted pairs", r#"<"a\"b\\c\d"@h>"#, Some(r#"a"b\cd@h"#)),
    ("quoted brackets", "<\"a>b\"@h>", Some("a>b@h")),
    ("empty quoted", "<\"\"@h>", Some("@h")),
    ("quote in the middle", "<a\"b\"@h>", None),
    ("open quote", "<\"a@h>", None),
    ("control byte in quotes", "<\"a\tb\"@h>", None),
    ("quoted pair of a control byte", "<\"a\\\nb\"@h>", None),
    ("dots anywhere", "<.a..b.@h>", Some(".a..b.@h")),
    ("space", "<a b@h>", None),
    ("two ats", "<a@b@c>", None),
    ("empty local part", "<@h>", None),
    ("empty domain", "<a@>", None),
    ("final dot", "<a@h.>", None),
    ("double dot in the domain", "<a@h..h>", None),
    ("hyphen first", "<a@-h>", None),
    ("hyphen last", "<a@h-.h>", None),
    ("hyphens inside", "<a@xn--bcher-kva.example>", Some("a@xn--bcher-kva.example")),
    ("underscore", "<a@my_host.example>", Some("a@my_host.example")),
    ("IPv4 literal", "<a@[127.0.0.1]>", Some("a@[127.0.0.1]")),
    ("IPv4 literal out of range", "<a@[127.0.0.256]>", None),
    ("IPv6 literal", "<a@[IPv6:2001:db8::1]>", Some("a@[IPv6:2001:db8::1]")),
    ("IPv6 literal, tag in any case", "<a@[ipv6:::ffff:192.0.2.1]>", Some("a@[ipv6:::ffff:192.0.2.1]")),
    ("IPv6 without tag", "<a@[::1]>", None),
    ("empty literal", "<a@[]>", None),
    ("UTF-8", "<δοκιμή@παράδειγμα.example>", Some("δοκιμή@παράδειγμα.example")),
    ("UTF-8 quoted", "<\"δ ο\"@h>", Some("δ ο@h")),
    ("postmaster", "<Postmaster>", Some("Postmaster")),
    ("lone local part", "<joe>", Some("joe")),
    ("lone local part that would gain a domain", "<\"joe@far.example\">", None),
    ("lone empty local part, which is no null path", "<\"\">", None),
    ("null", "<>", None),
    ("no closing bracket", "<a@h", None),
    ("no brackets", "a@h", None),
];

#[test]
fn paths_are_read_as_the_table_says() {
    for (name, path, want) in PATHS {
        let read = forward_path(path.as_bytes())
            .ok()
            .filter(|(rest, _)| rest.is_empty());
        let want = want.map(|a| Address::new(a).unwrap());
        assert_eq!(read.map(|(_, a)| a), want, "{name}");
    }
}

#[test]
fn only_a_reverse_path_may_be_null() {
    let (rest, from) = reverse_path(b"<> BODY=8BITMIME").unwrap();
    assert!(from.is_null());
    assert_eq!(rest, b" BODY=8BITMIME");
    assert!(forward_path(b"<>").is_err());
}

#[test]
fn bytes_that_are_no_utf8_are_refused() {
    for path in [&b"<a\xff@h>"[..], b"<\"\xc3\"@h>", b"<a@h\xe2\x82>"] {
        assert!(forward_path(path).is_err(), "{}", path.escape_ascii());
    }
    assert!(Address::new("δ@h").unwrap().needs_smtputf8());
    assert!(!Address::new("d@h").unwrap().needs_smtputf8());
}

#[test]
fn lengths_are_bounded() {
    let long = |local: usize| format!("<{}@h>", "a".repeat(local));
    assert!(forward_path(long(MAX_ADDRESS - 2).as_bytes()).is_ok());
    assert!(forward_path(long(MAX_ADDRESS - 1).as_bytes()).is_err());
    let domain = |n: usize| format!("<a@{}h>", "h.".repeat(n));
    assert!(forward_path(domain(127).as_bytes()).is_ok());
    assert!(forward_path(domain(128).as_bytes()).is_err());
}

#[test]
fn people_are_told_where_an_address_is_wrong() {
    #[rustfmt::skip]
    let rows = [
        ("joe", None), ("joe@h", None), ("<joe@h>", None),
        ("joe@h x", Some(5)), ("joe@", Some(4)), ("", Some(0)), ("<joe@h", Some(6)), ("a b@h", Some(1)),
    ];
    for (text, at) in rows {
        let read = Address::parse(text.as_bytes());
        assert_eq!(read.err().map(|e| e.at), at, "{text:?}");
    }
    let error = Address::parse(b"joe@h x").unwrap_err().to_string();
    assert_eq!(error, "not an address at byte 5: expected nothing more");
}

/// Name, internal form, written form (qmail-remote(8)).
#[rustfmt::skip]
const QUOTED: [(&str, &str, &str); 13] = [
    ("plain", "joe@h", "joe@h"),
    ("space", "a b@h", "\"a b\"@h"),
    ("at", "a@b@h", "\"a@b\"@h"),
    ("quote and backslash", "a\"b\\c@h", r#""a\"b\\c"@h"#),
    ("empty box", "@h", "\"\"@h"),
    ("leading dot", ".a@h", "\".a\"@h"),
    ("trailing dot", "a.@h", "\"a.\"@h"),
    ("double dot", "a..b@h", "\"a..b\"@h"),
    ("single dot is plain", "a.b@h", "a.b@h"),
    ("parentheses, comma, colon", "(a,b:c)@h", "\"(a,b:c)\"@h"),
    ("del", "a\u{7f}@h", "\"a\u{7f}\"@h"),
    ("letters beyond ASCII", "δ@h", "δ@h"),
    ("no at: raw", "a b", "a b"),
];

#[test]
fn boxes_are_quoted_where_they_must_be() {
    for (name, internal, written) in QUOTED {
        let address = Address::new(internal).unwrap();
        assert_eq!(address.to_quoted(), written.as_bytes(), "{name}");
    }
    let odd = Address::new(b"\xff@h".to_vec()).unwrap();
    assert_eq!(odd.to_quoted(), b"\"\xff\"@h", "not UTF-8");
}

#[test]
fn literals_are_addresses() {
    assert_eq!(
        literal::parse(b"[IPv6:2001:DB8::1]"),
        "2001:db8::1".parse().ok()
    );
    for odd in [
        "[127.1]",
        "[1.2.3.4",
        "1.2.3.4]",
        "[IPv6:1.2.3.4]",
        "[]",
        "[IPv6:]",
        "",
    ] {
        assert_eq!(literal::parse(odd.as_bytes()), None, "{odd}");
    }
}

proptest! {
    #[test]
    fn what_is_quoted_parses_to_the_same(
        local in "[a-zA-Z0-9 .@\"\\\\<>()\\[\\],;:!#%~\u{e4}\u{3b4}\u{1f600}-]{0,40}",
        domain in "[a-z0-9]{1,8}(\\.[a-z0-9]{1,8}){0,3}|\\[192\\.0\\.2\\.[0-9]\\]|\\[IPv6:::[0-9a-f]\\]",
    ) {
        let address = Address::new(format!("{local}@{domain}")).unwrap();
        let path = [b"<", &*address.to_quoted(), b">"].concat();
        let (rest, read) = forward_path(&path).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert_eq!(read, address);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        for input in [bytes.clone(), [b"<", &*bytes].concat(), [b"<\"", &*bytes].concat()] {
            let _ = reverse_path(&input);
            let _ = Address::parse(&input);
            let _ = literal::parse(&input);
        }
    }

    #[test]
    fn what_parses_is_written_and_parsed_again(text in "<?[@a-z0-9.,:\"\\\\ \\[\\]%\u{e4}-]{0,30}>?") {
        if let Ok((_, address)) = forward_path(text.as_bytes()) {
            prop_assert!(!address.is_null());
            prop_assert!(!address.as_bytes().iter().any(u8::is_ascii_control));
            let again = forward_path(&[b"<", &*address.to_quoted(), b">"].concat()).unwrap().1;
            prop_assert_eq!(again, address);
        }
    }
}
