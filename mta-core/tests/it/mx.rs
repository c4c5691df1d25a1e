//! The MX evaluator against a table of small worlds (RFC 5321 §5.1, RFC 7505, qmail-remote(8)).

use mta_core::control::SmtpRoutes;
use mta_core::dns::{Answer, Kind, Query, Record};
use mta_core::mx::{EXCHANGERS_MAX, Own, Route, Step, TARGETS_MAX, Target};
use mta_core::report::Report;

/// A zone line is `name KIND data`; data `-` is no data, `!` a failure.
fn answer(zone: &[&str], query: &Query) -> Answer {
    let kind = match query.kind {
        Kind::A => "A",
        Kind::Aaaa => "AAAA",
        _ => "MX",
    };
    let rows: Vec<Vec<&str>> = zone.iter().map(|l| l.split(' ').collect()).collect();
    let named: Vec<_> = rows.iter().filter(|r| r[0] == query.name).collect();
    let fitting: Vec<_> = named.iter().filter(|r| r[1] == kind).collect();
    if fitting.iter().any(|r| r[2] == "!") {
        return Answer::Failed("timed out".into());
    }
    let record = |r: &&&Vec<&str>| match query.kind {
        Kind::A => Record::A(r[2].parse().unwrap()),
        Kind::Aaaa => Record::Aaaa(r[2].parse().unwrap()),
        _ => Record::Mx {
            preference: r[2].parse().unwrap(),
            host: r[3].into(),
        },
    };
    match (named.is_empty(), fitting.is_empty()) {
        (true, _) => Answer::NoName,
        (false, true) => Answer::NoData,
        _ => Answer::Records(fitting.iter().map(record).collect()),
    }
}

fn own() -> Own {
    Own {
        names: vec!["me.example".into()],
        addresses: vec!["192.0.2.9".parse().unwrap()],
        ..Own::default()
    }
}

#[test]
fn loopback_is_ours_unless_a_test_says_otherwise() {
    let route = |loopback_is_remote| {
        let own = Own {
            loopback_is_remote,
            ..own()
        };
        let Step::Done(result) = Route::new(b"[127.0.0.2]", None, own, 0).step(None) else {
            panic!("a literal needs no look-up");
        };
        result.is_ok()
    };
    assert!(!route(false));
    assert!(route(true));
}

fn run(zone: &[&str], host: &str, routes: &str, random: u64) -> Result<Vec<Target>, Report> {
    let relay = SmtpRoutes::parse(routes.as_bytes()).find(host.as_bytes());
    let mut route = Route::new(host.as_bytes(), relay.as_ref(), own(), random);
    let mut step = route.step(None);
    for _ in 0..=2 * EXCHANGERS_MAX + 1 {
        match step {
            Step::Done(result) => return result,
            Step::Need(query) => {
                let answer = answer(zone, &query);
                step = route.step(Some((query, answer)));
            }
        }
    }
    panic!("{host}: too many questions");
}

fn shown(result: Result<Vec<Target>, Report>) -> String {
    match result {
        Ok(targets) => {
            let one = |t: &Target| format!("{} {} {}:{}", t.preference, t.name, t.address, t.port);
            targets.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        Err(report) => {
            let text = String::from_utf8_lossy(&report.text);
            let code = text.rsplit('(').next().unwrap();
            format!("{}{}", char::from(report.outcome.letter()), code.trim_end())
        }
    }
}

struct Row {
    name: &'static str,
    zone: &'static [&'static str],
    host: &'static str,
    routes: &'static str,
    want: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        name: "lower preferences come first, IPv4 before IPv6",
        zone: &[
            "h MX 20 b",
            "h MX 10 a",
            "a A 1.1.1.1",
            "a AAAA 2001:db8::1",
            "b A 1.1.1.2",
        ],
        host: "H",
        routes: "",
        want: "10 a 1.1.1.1:25, 10 a 2001:db8::1:25, 20 b 1.1.1.2:25",
    },
    Row {
        name: "without MX the host itself is asked",
        zone: &["h A 1.1.1.1"],
        host: "h.",
        routes: "",
        want: "0 h 1.1.1.1:25",
    },
    Row {
        name: "an IPv6-only host without MX is reached",
        zone: &["h AAAA 2001:db8::1"],
        host: "h",
        routes: "",
        want: "0 h 2001:db8::1:25",
    },
    Row {
        name: "a null MX is final",
        zone: &["h MX 0 ", "h A 1.1.1.1"],
        host: "h",
        routes: "",
        want: "D#5.1.10)",
    },
    Row {
        name: "a null MX beside others is passed over",
        zone: &["h MX 0 ", "h MX 5 a", "a A 1.1.1.1"],
        host: "h",
        routes: "",
        want: "5 a 1.1.1.1:25",
    },
    Row {
        name: "an unknown name fails for good",
        zone: &[],
        host: "h",
        routes: "",
        want: "D#5.1.2)",
    },
    Row {
        name: "a name without mail or address records fails for good",
        zone: &["h TXT x"],
        host: "h",
        routes: "",
        want: "D#5.1.2)",
    },
    Row {
        name: "a failing MX look-up defers",
        zone: &["h MX !", "h A 1.1.1.1"],
        host: "h",
        routes: "",
        want: "Z#4.1.2)",
    },
    Row {
        name: "a failing address look-up is borne while another exchanger is found",
        zone: &["h MX 10 a", "h MX 20 b", "a A !", "b A 1.1.1.2"],
        host: "h",
        routes: "",
        want: "20 b 1.1.1.2:25",
    },
    Row {
        name: "a failing address look-up defers where nothing else is found",
        zone: &["h MX 10 a", "a A !"],
        host: "h",
        routes: "",
        want: "Z#4.1.2)",
    },
    Row {
        name: "exchangers without addresses fail for good",
        zone: &["h MX 10 a"],
        host: "h",
        routes: "",
        want: "D#5.4.4)",
    },
    Row {
        name: "only exchangers better than ourselves are used",
        zone: &[
            "h MX 10 a",
            "h MX 20 b",
            "h MX 20 c",
            "h MX 30 d",
            "a A 1.1.1.1",
            "b A 192.0.2.9",
            "c A 1.1.1.3",
            "d A 1.1.1.4",
        ],
        host: "h",
        routes: "",
        want: "10 a 1.1.1.1:25",
    },
    Row {
        name: "our own name counts as ourselves whatever its address",
        zone: &[
            "h MX 10 a",
            "h MX 20 ME.example",
            "a A 1.1.1.1",
            "me.example A 1.1.1.2",
        ],
        host: "h",
        routes: "",
        want: "10 a 1.1.1.1:25",
    },
    Row {
        name: "the best exchanger being ourselves is an error",
        zone: &["h MX 10 a", "h MX 20 b", "a A 192.0.2.9", "b A 1.1.1.1"],
        host: "h",
        routes: "",
        want: "D#5.4.6)",
    },
    Row {
        name: "the unspecified address is ourselves",
        zone: &["h A 0.0.0.0"],
        host: "h",
        routes: "",
        want: "D#5.4.6)",
    },
    Row {
        name: "a mapped loopback address is ourselves",
        zone: &["h AAAA ::ffff:127.0.0.1"],
        host: "h",
        routes: "",
        want: "D#5.4.6)",
    },
    Row {
        name: "an address literal is taken as it is",
        zone: &[],
        host: "[192.0.2.77]",
        routes: "",
        want: "0 [192.0.2.77] 192.0.2.77:25",
    },
    Row {
        name: "an IPv6 literal has its tag",
        zone: &[],
        host: "[IPv6:2001:db8::7]",
        routes: "",
        want: "0 [IPv6:2001:db8::7] 2001:db8::7:25",
    },
    Row {
        name: "our own literal is an error",
        zone: &[],
        host: "127.0.0.1",
        routes: "",
        want: "D#5.4.6)",
    },
    Row {
        name: "an exchanger that is an address is taken",
        zone: &["h MX 10 192.0.2.9", "h MX 5 192.0.2.7"],
        host: "h",
        routes: "",
        want: "5 192.0.2.7 192.0.2.7:25",
    },
    Row {
        name: "a relay is asked for addresses only, and may be this host",
        zone: &["h MX 0 ", "hub MX 5 x", "hub A 127.0.0.1"],
        host: "h",
        routes: "h:hub:2525",
        want: "0 hub 127.0.0.1:2525",
    },
    Row {
        name: "a relay literal needs no look-up",
        zone: &[],
        host: "h",
        routes: ":[127.0.0.1]:2626",
        want: "0 [127.0.0.1] 127.0.0.1:2626",
    },
    Row {
        name: "an empty relay uses MX, with its port",
        zone: &["h MX 10 a", "a A 1.1.1.1"],
        host: "h",
        routes: "h::26\n:hub",
        want: "10 a 1.1.1.1:26",
    },
    Row {
        name: "a host beyond ASCII is asked for by its A-label",
        zone: &["xn--bcher-kva.example A 1.1.1.1"],
        host: "Bücher.example",
        routes: "",
        want: "0 xn--bcher-kva.example 1.1.1.1:25",
    },
    Row {
        name: "what cannot be a name is never asked for",
        zone: &[],
        host: "a..b",
        routes: "",
        want: "D#5.1.2)",
    },
];

#[test]
fn each_world_gives_its_targets() {
    for row in ROWS {
        for random in 0..4 {
            let found = shown(run(row.zone, row.host, row.routes, random));
            assert_eq!(found, row.want, "{} ({random})", row.name);
        }
    }
}

#[test]
fn equal_preferences_are_shuffled() {
    let zone = [
        "h MX 5 a",
        "h MX 5 b",
        "h MX 5 c",
        "a A 1.1.1.1",
        "b A 1.1.1.2",
        "c A 1.1.1.3",
    ];
    let orders: std::collections::BTreeSet<_> = (0..64)
        .map(|random| shown(run(&zone, "h", "", random)))
        .collect();
    assert_eq!(orders.len(), 6);
}

#[test]
fn a_flood_of_exchangers_is_bounded() {
    let mut zone: Vec<String> = (0..500).map(|n| format!("h MX {n} x{n}")).collect();
    zone.extend(
        (0..500)
            .flat_map(|n| (0..9).map(move |k| format!("x{n} A 10.{}.{}.{k}", n / 250, n % 250))),
    );
    let zone: Vec<&str> = zone.iter().map(String::as_str).collect();
    assert_eq!(run(&zone, "h", "", 1).unwrap().len(), TARGETS_MAX);
}

#[test]
fn the_answer_to_another_question_is_passed_over() {
    let mut route = Route::new(b"h", None, own(), 0);
    let Step::Need(asked) = route.step(None) else {
        panic!()
    };
    let other = Query {
        name: "x".into(),
        kind: Kind::Mx,
    };
    assert_eq!(route.step(Some((other, Answer::NoName))), Step::Need(asked));
}

#[test]
fn texts_are_qmails() {
    let text = |zone: &[&str]| String::from_utf8(run(zone, "h", "", 0).unwrap_err().text).unwrap();
    assert_eq!(
        text(&[]),
        "Sorry, I couldn't find any host named h. (#5.1.2)\n"
    );
    assert_eq!(
        text(&["h MX !"]),
        "Sorry, I couldn't find any host by that name. (#4.1.2)\n"
    );
    assert_eq!(
        text(&["h A 127.0.0.1"]),
        "Sorry. Although I'm listed as a best-preference MX or A for that host,\n\
         it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n"
    );
    assert_eq!(
        text(&["h MX 1 a"]),
        "Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n"
    );
}
