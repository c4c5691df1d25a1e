//! VERP expansion by the sender (spec §5.7).

use mta_core::{Address, verp};

#[test]
fn only_a_marked_sender_is_expanded() {
    // name, sender, recipient, delivery sender, bounce address
    let rows = [
        (
            "a list",
            "l-@h-@[]",
            "x@d.example",
            "l-x=d.example@h",
            "l-@h",
        ),
        ("an empty prefix", "@h-@[]", "x@d", "x=d@h", "@h"),
        (
            "the last at sign counts",
            "a@b@h-@[]",
            "x@y@d",
            "a@bx@y=d@h",
            "a@b@h",
        ),
        (
            "a recipient without a host",
            "l-@h-@[]",
            "x",
            "l-@h-@[]",
            "l-@h",
        ),
        ("a prefix without a host", "l-@[]", "x@d", "l-@[]", "l"),
        ("a plain sender", "a@h", "x@d", "a@h", "a@h"),
        ("nobody", "", "x@d", "", ""),
        ("a double bounce", "#@[]", "x@d", "#@[]", "#@[]"),
        (
            "a mark in the middle",
            "l-@h-@[]x",
            "x@d",
            "l-@h-@[]x",
            "l-@h-@[]x",
        ),
    ];
    for (name, sender, recipient, want, bounce) in rows {
        let address = |text: &str| Address::new(text).unwrap();
        let sender = address(sender);
        let expanded = verp::expand(&sender, &address(recipient));
        assert_eq!(expanded, address(want), "{name}");
        assert_eq!(verp::bounce_address(&sender), address(bounce), "{name}");
    }
}
