//! The decision at RCPT (spec §8.4, §8.6, §8.7; RFC 5321 §4.5.1).

use mta_core::Address;
use mta_core::control::{Controls, Matching};
use mta_core::policy::{
    BadHelo, Client, MissingRcptHosts, Policy, Refusal, Relay, Settings, SourceRoutes, Variables,
};

const FILES: [(&str, &str); 6] = [
    ("me", "mx.example\n"),
    ("locals", "mx.example\n"),
    ("virtualdomains", "shop.example:shop\nunlisted.example:un\n"),
    (
        "rcpthosts",
        "mx.example\nshop.example\nbackup.example\ngate.example\n",
    ),
    ("badmailfrom", "bad@spam.example\n@evil.example\n"),
    ("percenthack", "gate.example\n"),
];

fn controls(changes: &[(&str, Option<&str>)]) -> Controls {
    let text = |name: &str| {
        let changed = changes.iter().find(|(file, _)| *file == name);
        let usual = || {
            FILES
                .iter()
                .find(|(file, _)| *file == name)
                .map(|(_, text)| *text)
        };
        changed.map_or_else(usual, |(_, text)| *text)
    };
    let read = |name: &str| Ok::<_, ()>(text(name).map(|t| t.as_bytes().to_vec()));
    Controls::load(read).unwrap().controls
}

fn decide(controls: &Controls, settings: Settings, from: &str, to: &str, relay: Relay) -> String {
    let address = |text| Address::new(text).unwrap();
    let policy = Policy::new(controls, settings);
    match policy.rcpt(&Client::silent(&relay), &address(from), &address(to)) {
        Ok(accepted) => format!(
            "{} {}{}",
            accepted.routed.channel.name(),
            String::from_utf8_lossy(accepted.routed.address.as_bytes()),
            if accepted.postmaster {
                " postmaster"
            } else {
                ""
            },
        ),
        Err(refusal) => format!("{refusal:?}"),
    }
}

const LAX: Settings = Settings {
    missing_rcpthosts: MissingRcptHosts::OwnDomains,
    source_routes: SourceRoutes::Accept,
    matching: Matching::Literal,
};

#[test]
fn strangers_reach_our_domains_only() {
    #[rustfmt::skip]
    let rows = [
        ("local", "joe@mx.example", "local joe@mx.example"),
        ("virtual", "joe@Shop.example", "local shop-joe@Shop.example"),
        ("backup", "joe@backup.example", "remote joe@backup.example"),
        ("far", "joe@far.example", "NotInRcptHosts"),
        ("virtual but not listed", "joe@unlisted.example", "NotInRcptHosts"),
        ("no host", "joe", "local joe@mx.example"),
        ("empty", "", "BadRecipient"),
        ("empty host", "joe@", "NotInRcptHosts"),
        ("postmaster alone", "POSTMASTER", "local POSTMASTER@mx.example postmaster"),
        ("postmaster of a domain", "postmaster@shop.example", "local shop-postmaster@shop.example postmaster"),
        ("postmaster elsewhere", "postmaster@far.example", "NotInRcptHosts"),
    ];
    for (name, to, want) in rows {
        let got = decide(&controls(&[]), LAX, "a@b.example", to, Relay::Refused);
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn percents_and_second_ats_do_not_relay() {
    let strict = Settings::default();
    #[rustfmt::skip]
    let rows = [
        ("percent, strict", strict, "a%far.example@gate.example", "SourceRoute"),
        ("second at, strict", strict, "a@far.example@mx.example", "SourceRoute"),
        ("bang, strict", strict, "far!a@mx.example", "SourceRoute"),
        ("bang without host, strict", strict, "far!a", "SourceRoute"),
        ("percent to a far host", LAX, "a%far.example@gate.example", "NotInRcptHosts"),
        ("percent to a host of ours", LAX, "a%mx.example@gate.example", "local a@mx.example"),
        ("second at stays local", LAX, "a@far.example@mx.example", "local a@far.example@mx.example"),
    ];
    for (name, settings, to, want) in rows {
        let got = decide(&controls(&[]), settings, "a@b.example", to, Relay::Refused);
        assert_eq!(got, want, "{name}");
    }
    let relayed = decide(
        &controls(&[]),
        strict,
        "",
        "a%b@far.example",
        Relay::Allowed,
    );
    assert_eq!(relayed, "SourceRoute", "relay clients too");
}

#[test]
fn relay_clients_reach_everybody() {
    let c = controls(&[]);
    let far = decide(&c, LAX, "a@b.example", "joe@far.example", Relay::Allowed);
    assert_eq!(far, "remote joe@far.example");
    let appended = Relay::Appending(b".gw.example".to_vec());
    let far = decide(&c, LAX, "a@b.example", "joe@far.example", appended);
    assert_eq!(far, "remote joe@far.example.gw.example");
    let long = Relay::Appending(vec![b'x'; 900]);
    assert_eq!(decide(&c, LAX, "", "joe@far.example", long), "BadRecipient");
}

#[test]
fn bad_senders_reach_the_postmaster_only() {
    let c = controls(&[]);
    for from in ["BAD@spam.example", "any@evil.example"] {
        let to = |to| decide(&c, LAX, from, to, Relay::Allowed);
        assert_eq!(to("joe@mx.example"), "BadMailFrom", "relay clients too");
        assert_eq!(
            to("postmaster@mx.example"),
            "local postmaster@mx.example postmaster"
        );
    }
    let null = decide(&c, LAX, "", "joe@mx.example", Relay::Refused);
    assert_eq!(null, "local joe@mx.example", "the null sender is never bad");
}

/// Decides by lists of patterns, as from a client that said HELO.
fn by_patterns(controls: &Controls, relay: &Relay, hello: &str, from: &str, to: &str) -> String {
    let address = |text| Address::new(text).unwrap();
    let client = Client {
        relay,
        hello: Some(hello.as_bytes()),
    };
    let policy = Policy::new(controls, Settings::default());
    match policy.rcpt(&client, &address(from), &address(to)) {
        Ok(_) => "taken".to_owned(),
        Err(refusal) => refusal.to_string(),
    }
}

const SENDER: &str = "sorry, your envelope sender has been denied (#5.7.1)";
const RECIPIENT: &str = "sorry, your envelope recipient has been denied (#5.7.1)";
const HELLO: &str = "sorry, your HELO host name has been denied (#5.7.1)";

#[test]
fn patterns_deny_senders_recipients_and_helo_names() {
    let c = controls(&[
        ("badmailfrom", Some("^robot[0-9]+@\n@evil.example\n")),
        ("badmailto", Some("^trap-.*@mx\\.example$\n")),
        ("badhelo", Some("!\\.\n^mx\\.example$\n")),
        ("badmailfromnorelay", Some("@roaming.example$\n")),
        ("badmailtonorelay", Some("^staff@\n")),
    ]);
    let (stranger, friend) = (Relay::Refused, Relay::Allowed);
    let (ok, to) = ("a.example", "joe@mx.example");
    #[rustfmt::skip]
    let rows = [
        ("nobody's business", &stranger, ok, "a@b.example", to, "taken"),
        ("sender by pattern", &stranger, ok, "Robot7@b.example", to, SENDER),
        ("unanchored", &stranger, ok, "a@evil.example.org", to, SENDER),
        ("relay clients too", &friend, ok, "robot7@b.example", to, SENDER),
        ("recipient by pattern", &friend, ok, "a@b.example", "trap-1@MX.example", RECIPIENT),
        ("helo without a dot", &friend, "localhost", "a@b.example", to, HELLO),
        ("helo as ourselves", &stranger, "MX.example", "a@b.example", to, HELLO),
        ("helo goes first", &stranger, "x", "robot7@b.example", "trap-1@mx.example", HELLO),
        ("sender before recipient", &stranger, ok, "robot7@b.example", "trap-1@mx.example", SENDER),
        ("relay-reject before all", &stranger, "x", "robot7@b.example", "a%b@mx.example", "we don't relay (#5.7.1)"),
        ("norelay sender, stranger", &stranger, ok, "a@roaming.example", to, SENDER),
        ("norelay sender, friend", &friend, ok, "a@roaming.example", to, "taken"),
        ("norelay recipient, stranger", &stranger, ok, "a@b.example", "staff@mx.example", RECIPIENT),
        ("norelay recipient, friend", &friend, ok, "a@b.example", "staff@mx.example", "taken"),
        ("null sender", &stranger, ok, "", to, "taken"),
        ("no helo", &stranger, "", "a@b.example", to, "taken"),
        ("postmaster", &stranger, "x", "robot7@b.example", "postmaster@mx.example", "taken"),
    ];
    for (name, relay, hello, from, to, want) in rows {
        assert_eq!(by_patterns(&c, relay, hello, from, to), want, "{name}");
    }
    for refusal in [
        Refusal::SenderDenied,
        Refusal::RecipientDenied,
        Refusal::HelloDenied,
    ] {
        assert_eq!((refusal.code(), refusal.enhanced()), (553, (5, 7, 1)));
    }
}

#[test]
fn a_pattern_that_cannot_be_used_refuses_nobody() {
    let c = controls(&[("badmailfrom", Some("(\n[z-a]\n*\n"))]);
    let taken = by_patterns(&c, &Relay::Refused, "h", "(@b.example", "joe@mx.example");
    assert_eq!(taken, "taken");
}

#[test]
fn variables_say_what_tcprules_set() {
    let read = |set: &[(&str, &str)]| {
        Variables::read(|name| {
            let found = set.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| value.as_bytes().to_vec())
        })
    };
    assert_eq!(read(&[]), Variables::default());
    let appended = read(&[("RELAYCLIENT", ".gw.example")]);
    assert_eq!(appended.relay, Relay::Appending(b".gw.example".to_vec()));
    let rows = [
        ("a number", "100", 100),
        ("digits first", "10k", 10),
        ("no number", "none", 0),
        ("empty", "", 0),
    ];
    for (name, text, want) in rows {
        assert_eq!(read(&[("DATABYTES", text)]).databytes, Some(want), "{name}");
    }
    let skipped = read(&[("NOBADHELO", "")]);
    assert_eq!(skipped.badhelo, BadHelo::Skipped);
    assert_eq!(skipped.hello(b"x"), None);
}

#[test]
fn settings_of_programs_come_from_their_environment() {
    let settings = |variable: &str, value: &str| {
        Settings::from_variables(|name| (name == variable).then(|| value.as_bytes().to_vec()))
    };
    let usual = Settings::default();
    assert_eq!(
        settings("MISSINGRCPTHOSTS", "yes"),
        usual,
        "not by accident"
    );
    assert_eq!(
        settings("MISSINGRCPTHOSTS", "anything").missing_rcpthosts,
        MissingRcptHosts::Anything
    );
    assert_eq!(
        settings("NORELAYREJECT", "").source_routes,
        SourceRoutes::Accept
    );
    assert_eq!(settings("NOQREGEX", "1").matching, Matching::Literal);
}

#[test]
fn a_missing_rcpthosts_is_no_open_relay() {
    let c = controls(&[("rcpthosts", None)]);
    let rcpt = |settings, to| decide(&c, settings, "a@b.example", to, Relay::Refused);
    assert_eq!(rcpt(LAX, "joe@mx.example"), "local joe@mx.example");
    assert_eq!(rcpt(LAX, "joe@shop.example"), "local shop-joe@shop.example");
    assert_eq!(rcpt(LAX, "joe@backup.example"), "NotInRcptHosts");
    assert_eq!(rcpt(LAX, "joe%far.example@gate.example"), "NotInRcptHosts");
    assert!(
        Policy::new(&c, LAX)
            .relay_verdict()
            .starts_with("not an open relay")
    );
    let open = Settings {
        missing_rcpthosts: MissingRcptHosts::Anything,
        ..LAX
    };
    assert_eq!(rcpt(open, "joe@far.example"), "remote joe@far.example");
    assert!(
        Policy::new(&c, open)
            .relay_verdict()
            .starts_with("OPEN RELAY")
    );
    let empty = controls(&[("rcpthosts", Some(""))]);
    assert_eq!(
        decide(&empty, LAX, "", "joe@shop.example", Relay::Refused),
        "NotInRcptHosts"
    );
    assert_eq!(
        decide(&empty, LAX, "", "joe", Relay::Refused),
        "local joe@mx.example"
    );
}

#[test]
fn an_unlisted_envnoathost_does_not_relay() {
    let c = controls(&[("envnoathost", Some("far.example"))]);
    assert_eq!(decide(&c, LAX, "", "joe", Relay::Refused), "NotInRcptHosts");
}

#[test]
fn a_damaged_cdb_defers() {
    let c = controls(&[("morercpthosts.cdb", Some("short"))]);
    assert_eq!(
        decide(&c, LAX, "", "joe@far.example", Relay::Refused),
        "Controls"
    );
    assert_eq!(
        decide(&c, LAX, "", "joe@mx.example", Relay::Refused),
        "local joe@mx.example"
    );
    assert_eq!(
        (Refusal::Controls.code(), Refusal::Controls.enhanced()),
        (451, (4, 3, 0))
    );
}

#[test]
fn our_own_literals_become_localiphost() {
    let c = controls(&[]);
    let policy = Policy::new(&c, Settings::default());
    let replaced = |to: &str| {
        let ours = |ip: std::net::IpAddr| ip.is_loopback();
        policy.localiphost(&Address::new(to).unwrap(), ours)
    };
    assert_eq!(replaced("joe@[127.0.0.1]").as_bytes(), b"joe@mx.example");
    assert_eq!(replaced("joe@[IPv6:::1]").as_bytes(), b"joe@mx.example");
    assert_eq!(replaced("joe@[192.0.2.1]").as_bytes(), b"joe@[192.0.2.1]");
}
