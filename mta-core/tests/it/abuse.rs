//! Limits against abuse, in simulated time (RFC 5321 §7.8).

use mta_core::abuse::{Guard, Place, Rate, Rates, Rule, Settings, Tarpit};
use mta_core::{Mono, Unix};
use std::net::IpAddr;
use std::time::Duration;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(seconds: u64) -> Mono {
    Mono::ZERO + Duration::from_secs(seconds)
}

fn numbered(n: u32) -> IpAddr {
    IpAddr::from((0x0a00_0000 + n * 256).to_be_bytes())
}

#[test]
fn as_many_as_allowed_come_at_once_and_then_one_after_the_other() {
    let mut rates = Rates::new(Rate::per_minute(6), 100);
    let place = Place::address(ip("192.0.2.1"));
    let mut taken = Vec::new();
    for second in 0..120 {
        while rates.take(place, at(second)) {
            taken.push(second);
        }
    }
    let every_ten = [
        0, 0, 0, 0, 0, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110,
    ];
    assert_eq!(taken, every_ten);
}

#[test]
fn whoever_keeps_asking_is_not_shut_out_for_longer() {
    let mut rates = Rates::new(Rate::per_minute(1), 100);
    let place = Place::address(ip("192.0.2.1"));
    assert!(rates.take(place, at(0)));
    for second in 1..60 {
        assert!(!rates.take(place, at(second)), "{second}");
    }
    assert!(rates.take(place, at(60)));
}

#[test]
fn places_are_the_same_where_one_customer_is() {
    let rows = [
        ("itself", "192.0.2.1", "192.0.2.1", true, true),
        ("mapped", "::ffff:192.0.2.1", "192.0.2.1", true, true),
        ("same /24", "192.0.2.1", "192.0.2.200", false, true),
        ("next /24", "192.0.2.1", "192.0.3.1", false, false),
        (
            "same /64",
            "2001:db8:1:2::1",
            "2001:db8:1:2:f::9",
            true,
            true,
        ),
        (
            "same /48",
            "2001:db8:1:2::1",
            "2001:db8:1:3::1",
            false,
            true,
        ),
        ("next /48", "2001:db8:1::1", "2001:db8:2::1", false, false),
    ];
    for (name, a, b, address, network) in rows {
        let (a, b) = (ip(a), ip(b));
        assert_eq!(Place::address(a) == Place::address(b), address, "{name}");
        assert_eq!(Place::network(a) == Place::network(b), network, "{name}");
    }
}

#[test]
fn one_address_cannot_use_up_what_its_network_has() {
    let mut guard = Guard::new(Settings {
        connections_per_minute: 2,
        network_connections_per_minute: 4,
        ..Settings::default()
    });
    let tries = [
        ("192.0.2.1", Ok(())),
        ("192.0.2.1", Ok(())),
        ("192.0.2.1", Err(Rule::ConnectionsPerMinute)),
        ("192.0.2.1", Err(Rule::ConnectionsPerMinute)),
        ("192.0.2.1", Err(Rule::ConnectionsPerMinute)),
        ("192.0.2.2", Ok(())),
        ("192.0.2.3", Ok(())),
        ("192.0.2.4", Err(Rule::NetworkConnectionsPerMinute)),
        ("192.0.3.4", Ok(())),
    ];
    for (n, (client, want)) in tries.into_iter().enumerate() {
        assert_eq!(guard.connection(ip(client), at(5)), want, "{n}");
    }
    // What the network refused was not counted for the address.
    for second in [35, 50] {
        assert_eq!(guard.connection(ip("192.0.2.4"), at(second)), Ok(()));
    }
}

#[test]
fn an_account_has_its_recipients_each_day_and_no_other_account_pays() {
    let mut guard = Guard::new(Settings {
        recipients_per_day: 3,
        ..Settings::default()
    });
    let midnight = 20_000 * 86_400_u64;
    let mut take = |account, second| guard.recipient(account, Unix(midnight + second)).is_ok();
    for second in 0..3 {
        assert!(take("joe@example.org", second));
    }
    assert!(!take("joe@example.org", 86_399));
    assert!(take("ann@example.org", 86_399));
    assert!(take("joe@example.org", 86_400));
    assert!(take("joe@example.org", 86_401));
    assert!(take("joe@example.org", 86_402));
    // A clock that is set back gives nothing away.
    assert!(!take("joe@example.org", 5));
}

#[test]
fn zero_is_no_bound_and_remembers_nothing() {
    let mut guard = Guard::new(Settings {
        connections_per_minute: 0,
        network_connections_per_minute: 0,
        messages_per_minute: 0,
        recipients_per_day: 0,
        remembered: 10,
    });
    for _ in 0..10_000 {
        assert_eq!(guard.connection(ip("192.0.2.1"), at(0)), Ok(()));
        assert_eq!(guard.message(ip("192.0.2.1"), at(0)), Ok(()));
        assert_eq!(guard.recipient("joe@example.org", Unix(0)), Ok(()));
    }
    assert_eq!(guard.remembered(), 0);
}

#[test]
fn a_swarm_grows_no_table_and_washes_nobody_out_of_it() {
    let mut guard = Guard::new(Settings {
        connections_per_minute: 10,
        messages_per_minute: 10,
        recipients_per_day: 10,
        remembered: 100,
        ..Settings::default()
    });
    let (worst, now) = (ip("192.0.2.1"), at(1000));
    while guard.connection(worst, now).is_ok() {}
    while guard.message(worst, now).is_ok() {}
    while guard.recipient("spammer@example.org", Unix(1000)).is_ok() {}
    for n in 0..5000 {
        let client = numbered(n);
        assert_eq!(guard.connection(client, now), Ok(()));
        assert_eq!(guard.message(client, now), Ok(()));
        let account = format!("{n}@example.org");
        assert_eq!(guard.recipient(&account, Unix(1000)), Ok(()));
        assert!(guard.remembered() <= 400);
    }
    let refused = Err(Rule::ConnectionsPerMinute);
    assert_eq!(guard.connection(worst, now), refused);
    assert_eq!(guard.message(worst, now), Err(Rule::MessagesPerMinute));
    let spammer = guard.recipient("spammer@example.org", Unix(1001));
    assert_eq!(spammer, Err(Rule::RecipientsPerDay));
}

#[test]
fn guesses_beyond_the_free_ones_are_delayed() {
    let felt = |free, seconds| {
        let mut tarpit = Tarpit::new(free, Duration::from_secs(seconds));
        [(); 5].map(|()| tarpit.refused().as_secs())
    };
    assert_eq!(felt(2, 5), [0, 0, 5, 5, 5]);
    assert_eq!(felt(0, 5), [5; 5]);
    assert_eq!(felt(0, 0), [0; 5]);
}
