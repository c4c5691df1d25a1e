//! The retry schedule against qmail-send's figures (spec §5.5).

use mta_core::Unix;
use mta_core::rewrite::Channel;
use mta_core::schedule::{LIFETIME, is_dying, next_attempt};

#[test]
fn each_next_attempt_is_qmails() {
    // name, channel, age, next age
    let rows = [
        ("the first remote retry", Channel::Remote, 0, 400),
        ("the second", Channel::Remote, 400, 1_600),
        ("the third", Channel::Remote, 1_600, 3_600),
        ("the first local retry", Channel::Local, 0, 100),
        ("the second local retry", Channel::Local, 100, 400),
        ("the pass that was measured", Channel::Local, 200, 576),
        ("just below a square", Channel::Remote, 399, 1_521),
    ];
    for (name, channel, age, next) in rows {
        let birth = Unix(1_000_000_000);
        assert_eq!(
            next_attempt(birth, birth + age, channel),
            birth + next,
            "{name}"
        );
    }
}

#[test]
fn a_birth_in_the_future_counts_as_now() {
    let birth = Unix(5_000);
    assert_eq!(next_attempt(birth, Unix(10), Channel::Remote), birth + 400);
    assert!(!is_dying(birth, Unix(10), 0));
}

#[test]
fn the_end_of_time_does_not_overflow() {
    let last = Unix(u64::MAX);
    assert_eq!(next_attempt(Unix(0), last, Channel::Remote), last);
    assert!(!is_dying(last, last, LIFETIME));
}

#[test]
fn a_week_holds_39_remote_attempts_and_a_dying_one() {
    let mut now = Unix(0);
    let mut attempts = 0;
    while !is_dying(Unix(0), now, LIFETIME) {
        attempts += 1;
        now = next_attempt(Unix(0), now, Channel::Remote);
    }
    assert_eq!((attempts, now), (39, Unix(780 * 780)));
}
