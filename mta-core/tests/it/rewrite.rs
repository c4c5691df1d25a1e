//! Where recipients go, row by row (spec §2.4).

use mta_core::Address;
use mta_core::control::{Locals, PercentHack, VirtualDomains};
use mta_core::rewrite::{Channel, Reason, Routing};
use proptest::prelude::*;

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
fn each_step_is_told_with_the_line_that_made_it() {
    #[rustfmt::skip]
    let table: [(&str, &[&str]); 7] = [
        ("joe", &["control/envnoathost, else control/me: here.example is added", "control/locals:1: here.example is delivered here"]),
        ("joe@BOTH.example", &["control/locals:2: BOTH.example is delivered here"]),
        ("a%v.example@gate.example", &["control/percenthack:1: it means a@v.example", "control/virtualdomains:2: v.example belongs to vuser"]),
        ("JOE@v.example", &["control/virtualdomains:4: joe@v.example belongs to special"]),
        ("a@x.y.v.example", &["control/virtualdomains:3: .v.example belongs to sub"]),
        ("a@x.hole.example", &["control/virtualdomains:6: .hole.example is an exception: it goes elsewhere"]),
        ("a@far.example", &["control/locals, control/virtualdomains: neither names far.example"]),
    ];
    for (given, wanted) in table {
        let (_, reasons) = routing().explain(&Address::new(given).unwrap());
        let told: Vec<String> = reasons.iter().map(ToString::to_string).collect();
        assert_eq!(told, wanted, "{given}");
    }
    let mut r = routing();
    r.locals = Locals::of_me(b"here.example\n");
    let (_, reasons) = r.explain(&Address::new("joe@here.example").unwrap());
    assert_eq!(
        reasons[0].to_string(),
        "control/me:1: here.example is delivered here"
    );
}

fn file() -> impl Strategy<Value = String> {
    let line = "#?(joe@)?\\.?([a-c]\\.)?[a-c](\\.[a-c])?(:[a-c]{0,2})?[ \t]?";
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn what_is_told_is_what_is_done_and_stands_in_the_line_that_is_named(
        files in [file(), file(), file()],
        given in "(joe|a%b|a%b%c)(@([a-c]\\.)?[a-cA-C](\\.[a-c])?)?",
    ) {
        let [percenthack, locals, virtualdomains] = files;
        let mut r = Routing::default();
        r.envnoathost = b"a".to_vec();
        r.percenthack = PercentHack::parse(percenthack.as_bytes());
        r.locals = Locals::parse(locals.as_bytes());
        r.virtualdomains = VirtualDomains::parse(virtualdomains.as_bytes());
        let given = Address::new(given).unwrap();
        let (routed, reasons) = r.explain(&given);
        prop_assert_eq!(&routed, &r.route(&given));
        let line = |text: &str, number: usize| {
            text.split('\n').nth(number - 1).unwrap().trim_end().to_lowercase()
        };
        let complete = r.complete(&given);
        let domain = String::from_utf8_lossy(complete.domain().unwrap()).to_lowercase();
        for reason in &reasons {
            match reason {
                Reason::Percent { line: at, .. } => {
                    prop_assert!(!line(&percenthack, *at).starts_with('#'));
                }
                Reason::Local { line: at, .. } => {
                    prop_assert_eq!(line(&locals, *at), domain.clone());
                    prop_assert_eq!(routed.channel, Channel::Local);
                }
                Reason::Virtual { line: at, key, prepend } => {
                    let text = line(&virtualdomains, *at);
                    let (said, _) = text.split_once(':').unwrap();
                    prop_assert_eq!(said.as_bytes(), key.as_slice());
                    prop_assert_eq!(routed.channel == Channel::Local, !prepend.is_empty());
                }
                Reason::Elsewhere { .. } => prop_assert_eq!(routed.channel, Channel::Remote),
                _ => {}
            }
        }
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
