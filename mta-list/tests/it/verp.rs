//! VERP both ways.

use mta_core::Address;
use mta_list::verp::{decode, encode};

fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

#[test]
fn what_is_encoded_is_decoded() {
    let rows = [
        ("plain", "ann@example.com"),
        ("equals sign in the local part", "a=b@example.com"),
        ("at sign in the local part", "a@b@example.com"),
        ("prefix in the local part", "l-return-1-x@example.com"),
        ("empty local part", "@example.com"),
        ("beyond ASCII", "jörg@bücher.example"),
    ];
    for (name, text) in rows {
        let path = encode(b"l-return-1-", &address(text), b"lists.example").unwrap();
        assert_eq!(path.domain(), Some(&b"lists.example"[..]), "{name}");
        assert_eq!(
            decode(b"l-return-1-", path.local()),
            Some(address(text)),
            "{name}"
        );
    }
}

#[test]
fn what_holds_no_recipient_is_refused() {
    assert_eq!(encode(b"l-", &address("nobody"), b"h"), None);
    let rows = [
        ("another prefix", "m-ann=example.com"),
        ("no equals sign", "l-ann"),
        ("no host", "l-ann="),
        ("too short", "l"),
    ];
    for (name, local) in rows {
        assert_eq!(decode(b"l-", local.as_bytes()), None, "{name}");
    }
    let found = decode(b"l-", b"L-Ann=Example.com");
    assert_eq!(
        found,
        Some(address("Ann@Example.com")),
        "any case of the prefix"
    );
}
