//! Lines that delivery adds and the loop check (spec §6.3, §6.5).

use mta_core::delivered::{LoopCheck, delivered_to, from_line, return_path};
use mta_core::{Address, Unix};

fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

#[test]
fn lines_cannot_be_forged() {
    let odd = address("a\nBcc: x\r@h");
    for line in [
        return_path(&odd),
        delivered_to(&odd),
        from_line(&odd, Unix(0)),
    ] {
        assert_eq!(line.iter().filter(|&&b| b == b'\n').count(), 1);
        assert!(line.ends_with(b"\n"));
    }
    assert_eq!(
        return_path(&address("a b@h")),
        b"Return-Path: <\"a b\"@h>\n"
    );
    assert_eq!(
        from_line(&address("a b@h"), Unix(0)),
        b"From a-b@h Thu Jan 01 00:00:00 1970\n"
    );
}

#[test]
fn only_our_own_line_in_the_header_is_a_loop() {
    let rows: [(&str, &[u8], bool); 9] = [
        ("ours", b"A: b\nDelivered-To: joe@h\nC: d\n\n", true),
        ("ours, CRLF", b"Delivered-To: joe@h\r\n\r\n", true),
        ("ours, last and without end", b"Delivered-To: joe@h", true),
        (
            "somebody else's",
            b"Delivered-To: joe@hh\nDelivered-To: jo@h\n\n",
            false,
        ),
        ("other case", b"delivered-to: joe@h\n\n", false),
        ("blank before", b" Delivered-To: joe@h\n\n", false),
        ("in the body", b"A: b\n\nDelivered-To: joe@h\n", false),
        ("a CR inside", b"Delivered-To: joe@h\r\r\n\n", false),
        ("empty message", b"", false),
    ];
    for (name, text, want) in rows {
        for cut in 0..=text.len() {
            let (a, b) = text.split_at(cut);
            let mut check = LoopCheck::new(&address("joe@h"));
            check.feed(a);
            check.feed(b);
            assert_eq!(check.is_looping(), want, "{name} cut at {cut}");
        }
    }
}
