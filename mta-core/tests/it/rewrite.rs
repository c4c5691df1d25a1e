//! Where recipients go, row by row (spec §2.4).

use mta_core::Address;
use mta_core::control::{Locals, PercentHack, VirtualDomains};
use mta_core::rewrite::{Channel, Routing};

const VIRTUAL: &[u8] = b"both.example:never\nv.example:vuser\n.v.example:sub\n\
    joe@v.example:special\nhole.example:\n.hole.example:\n";

fn routing() -> Routing {
    let mut routing = Routing::default();
    routing.envnoathost = b"here.example".to_vec();
    routing.percenthack = PercentHack::parse(b"gate.example\n");
    routing.locals = Locals::parse(b"here.example\nboth.example\n");
    routing.virtualdomains = VirtualDomains::parse(VIRTUAL);
    routing
}

/// Name, given, channel, stored.
#[rustfmt::skip]
const ROUTES: [(&str, &str, Channel, &str); 12] = [
    ("no host", "joe", Channel::Local, "joe@here.example"),
    ("local domain", "joe@HERE.example", Channel::Local, "joe@HERE.example"),
    ("locals beat virtualdomains", "a@both.example", Channel::Local, "a@both.example"),
    ("percent", "a%far.example@gate.example", Channel::Remote, "a@far.example"),
    ("percents stop at a domain not listed", "a%b%here.example@gate.example", Channel::Local, "a%b@here.example"),
    ("percent back to the gate", "a%gate.example@gate.example", Channel::Remote, "a@gate.example"),
    ("virtual domain", "Ann@V.example", Channel::Local, "vuser-Ann@V.example"),
    ("single address first", "JOE@v.example", Channel::Local, "special-JOE@v.example"),
    ("suffix", "a@x.y.v.example", Channel::Local, "sub-a@x.y.v.example"),
    ("exception", "a@hole.example", Channel::Remote, "a@hole.example"),
    ("last at sign counts", "a@b@far.example", Channel::Remote, "a@b@far.example"),
    ("empty host", "a@", Channel::Remote, "a@"),
];

#[test]
fn recipients_go_where_qmail_sends_them() {
    for (name, given, channel, want) in ROUTES {
        let routed = routing().route(&Address::new(given).unwrap());
        assert_eq!(routed.address.as_bytes(), want.as_bytes(), "{name}");
        assert_eq!(routed.channel, channel, "{name}");
    }
}

#[test]
fn exceptions_carve_holes_into_a_catch_all() {
    let mut r = routing();
    r.virtualdomains = VirtualDomains::parse(b":alias-all\nreal.example:\n.real.example:\n");
    let channel = |a: &str| r.route(&Address::new(a).unwrap()).channel;
    assert_eq!(channel("a@real.example"), Channel::Remote);
    assert_eq!(channel("a@x.real.example"), Channel::Remote);
    assert_eq!(channel("a@other.example"), Channel::Local);
}

#[test]
fn bounces_show_the_address_that_was_written_to() {
    let rows = [
        ("domain", "vuser-ann@v.example", "ann@v.example"),
        ("suffix", "sub-ann@x.v.example", "ann@x.v.example"),
        (
            "single address keeps it",
            "special-joe@v.example",
            "special-joe@v.example",
        ),
        (
            "not virtual",
            "vuser-ann@far.example",
            "vuser-ann@far.example",
        ),
        ("no host", "vuser-ann", "vuser-ann"),
    ];
    for (name, stored, want) in rows {
        let shown = routing().strip_prepend(&Address::new(stored).unwrap());
        assert_eq!(shown.as_bytes(), want.as_bytes(), "{name}");
    }
}
