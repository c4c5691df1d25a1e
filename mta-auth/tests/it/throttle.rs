//! Delays after failed logins, in simulated time (RFC 4954 §9).

use mta_auth::throttle::{Settings, Throttle};
use mta_core::Mono;
use std::net::IpAddr;
use std::time::Duration;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(seconds: u64) -> Mono {
    Mono::ZERO + Duration::from_secs(seconds)
}

fn seconds(throttle: &Throttle, from: &str, now: u64) -> u64 {
    throttle.delay(ip(from), at(now)).as_secs()
}

#[test]
fn delays_double_up_to_the_longest_and_are_forgotten() {
    let mut throttle = Throttle::new(Settings::default());
    let mut felt = Vec::new();
    for _ in 0..10 {
        throttle.failed(ip("192.0.2.1"), at(5));
        felt.push(seconds(&throttle, "192.0.2.1", 5));
    }
    assert_eq!(felt, [0, 0, 0, 1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(seconds(&throttle, "192.0.2.1", 904), 30);
    assert_eq!(seconds(&throttle, "192.0.2.1", 905), 0);
}

#[test]
fn a_day_of_guessing_never_delays_the_owner_elsewhere() {
    let mut throttle = Throttle::new(Settings::default());
    let mut guesses = 0;
    let mut now = 0;
    while now < 86_400 {
        now += 1 + throttle.delay(ip("192.0.2.1"), at(now)).as_secs();
        throttle.failed(ip("192.0.2.1"), at(now));
        guesses += 1;
        assert_eq!(seconds(&throttle, "198.51.100.1", now), 0);
    }
    assert!(guesses < 3000, "{guesses}");
}

#[test]
fn a_network_that_guesses_together_is_delayed_together() {
    let mut throttle = Throttle::new(Settings::default());
    throttle.succeeded(ip("192.0.2.200"), at(0));
    for host in 1..=40 {
        throttle.failed(ip(&format!("192.0.2.{host}")), at(1));
    }
    assert_eq!(seconds(&throttle, "192.0.2.250", 2), 30);
    assert_eq!(seconds(&throttle, "192.0.2.200", 2), 0, "known to log in");
    assert_eq!(seconds(&throttle, "192.0.3.1", 2), 0, "another network");
}

#[test]
fn one_account_of_ones_own_does_not_pay_for_guesses_at_others() {
    let mut throttle = Throttle::new(Settings::default());
    for round in 0..100 {
        for _ in 0..3 {
            throttle.failed(ip("192.0.2.1"), at(round));
        }
        throttle.succeeded(ip("192.0.2.1"), at(round));
    }
    assert_eq!(seconds(&throttle, "192.0.2.2", 100), 30);
}

#[test]
fn addresses_of_one_customer_count_as_one() {
    let mut throttle = Throttle::new(Settings::default());
    for host in 0..10 {
        throttle.failed(ip(&format!("2001:db8:1:2::{host}")), at(1));
    }
    assert_eq!(seconds(&throttle, "2001:db8:1:2:ffff::1", 1), 30);
    assert_eq!(seconds(&throttle, "2001:db8:1:3::1", 1), 0);
    for _ in 0..4 {
        throttle.failed(ip("::ffff:192.0.2.9"), at(1));
    }
    assert_eq!(seconds(&throttle, "192.0.2.9", 1), 1);
}

#[test]
fn a_swarm_does_not_grow_the_table_nor_wash_a_guesser_out_of_it() {
    let settings = Settings {
        remembered: 100,
        ..Settings::default()
    };
    let mut throttle = Throttle::new(settings);
    for _ in 0..10 {
        throttle.failed(ip("192.0.2.1"), at(0));
    }
    for n in 0..5000_u32 {
        throttle.failed(IpAddr::from((0x0a00_0000 + n * 256).to_be_bytes()), at(1));
        assert!(throttle.remembered() <= 100);
    }
    assert_eq!(seconds(&throttle, "192.0.2.1", 2), 30);
}

#[test]
fn logins_at_once_wait_behind_each_other() {
    let mut throttle = Throttle::new(Settings::default());
    let guesser = ip("192.0.2.1");
    assert_eq!(throttle.turn(guesser, at(0)), Some(Duration::ZERO));
    for _ in 0..7 {
        throttle.failed(guesser, at(0));
    }
    let turns: Vec<_> = (0..10)
        .map(|_| throttle.turn(guesser, at(0)).map(|wait| wait.as_secs()))
        .collect();
    let wanted = [8, 16, 24, 32, 40, 48, 56].map(Some);
    assert_eq!(turns[..7], wanted);
    assert_eq!(turns[7..], [None; 3]);
    assert_eq!(
        throttle.turn(guesser, at(50)),
        Some(Duration::from_secs(14))
    );
    throttle.succeeded(guesser, at(60));
    assert_eq!(throttle.turn(guesser, at(60)), Some(Duration::ZERO));
}
