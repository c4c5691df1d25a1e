//! The example's own output, and what it claims.

use super::{LIFETIME, run};
use mta_core::{Address, Unix};
use std::time::{Duration, Instant};

fn output(birth: u64) -> String {
    let address = |text: &str| Address::new(text).unwrap();
    let mut out = Vec::new();
    let (sender, recipient) = (address("joe@example.org"), address("ann@busy.example"));
    run(Unix(birth), &sender, &recipient, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn four_days_pass_in_less_than_a_second() {
    let start = Instant::now();
    output(0);
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn the_attempts_are_squares_and_the_last_one_bounces() {
    let text = output(1_700_000_000);
    let attempts: Vec<_> = text.lines().filter(|l| l.starts_with("attempt")).collect();
    assert_eq!(
        attempts[0],
        "attempt  1 at age 0d 00:00:00, 0d 00:00:00 after the last"
    );
    assert_eq!(
        attempts[1],
        "attempt  2 at age 0d 00:06:40, 0d 00:06:40 after the last"
    );
    assert_eq!(
        attempts[2],
        "attempt  3 at age 0d 00:26:40, 0d 00:20:00 after the last"
    );
    // Ages are (20 k)²: thirty of them are within four days, and the first beyond is the last.
    assert_eq!(attempts.len(), 31);
    const { assert!(29 * 29 * 400 < LIFETIME && LIFETIME < 30 * 30 * 400) };
    assert_eq!(
        attempts[30],
        "attempt 31 at age 4d 04:00:00, 0d 06:33:20 after the last"
    );
    let bounce = "\nthe bounce says:\n<ann@busy.example>:\n192.0.2.1 is busy. (#4.3.2)\n\
        I'm not going to try again; this message has been in the queue too long.\n\n";
    assert!(text.ends_with(bounce));
}
