//! Power fails between any two calls, and the disk keeps whatever it likes of what was not synced (INTERNALS).

use crate::judge::Census;
use crate::life::{self, Diary};
use crate::lying::{Lie, Lying};
use mta_store::files::{Files, SimFiles};
use mta_store::queue::Queue;
use std::io::Write;
use std::sync::{Barrier, Mutex};

/// Up to so many outcomes of one crash, all are judged.
const ALL: usize = 20_000;

/// One message from its first byte to its removal.
fn one_message<F: Files>(queue: &Queue<F>, diary: &Diary, eight_bit: bool) {
    let letter = diary.letter("single", &["a@local", "b@remote"], eight_bit);
    diary.send(queue, letter).unwrap();
    diary.drain(queue, letter).unwrap();
}

/// A message takes the inode of one that was just removed.
fn one_after_the_other(queue: &Queue<SimFiles>, diary: &Diary) {
    let first = diary.letter("first", &["a@local"], true);
    let second = diary.letter("second", &["c@local"], false);
    diary.send(queue, first).unwrap();
    diary.drain(queue, first).unwrap();
    diary.send(queue, second).unwrap();
    assert_eq!(
        diary.get(first).id,
        diary.get(second).id,
        "inodes are reused"
    );
    diary.drain(queue, second).unwrap();
}

/// A writer gives up, another takes its inode; a third's envelope is preprocessed twice.
fn aborted_and_repeated(queue: &Queue<SimFiles>, diary: &Diary) {
    let letter = diary.letter("kept", &["a@local", "b@remote"], false);
    let mut draft = queue
        .begin(mta_store::queue::Origin { pid: 1, uid: 1 }, life::NOW)
        .unwrap();
    draft.write(b"Received: (aborted)\n\nnever sent\n").unwrap();
    drop(draft);
    diary.send(queue, letter).unwrap();
    diary.drain(queue, letter).unwrap();
}

/// Several writers and a drainer at the same time.
fn many_at_once(queue: &Queue<SimFiles>, diary: &Diary, writers: usize, each: usize) {
    let queued = Mutex::new(Vec::new());
    let start = Barrier::new(writers);
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let (queue, diary, queued, start) = (queue.clone(), diary.clone(), &queued, &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..each {
                    let name = format!("w{writer}n{n}");
                    let letter = diary.letter(&name, &["a@local", "b@remote"], n % 2 == 1);
                    diary.send(&queue, letter).unwrap();
                    if writer % 2 == 0 {
                        diary.drain(&queue, letter).unwrap();
                    }
                    queued.lock().unwrap().push(letter);
                }
            });
        }
    });
    assert_eq!(queued.into_inner().unwrap().len(), writers * each);
}

fn judged(census: &mut Census, most: usize, scenario: impl FnOnce(&Queue<SimFiles>, &Diary)) {
    let files = life::fresh();
    let queue = life::open(files.clone());
    judge_on(census, most, (files, queue), scenario);
}

/// The drainer may not remove messages and asks somebody else.
fn judged_cleaned(
    census: &mut Census,
    most: usize,
    scenario: impl FnOnce(&Queue<SimFiles>, &Diary),
) {
    let files = life::fresh();
    // What only we need was made by whoever installed the queue.
    drop(life::open(files.clone()));
    let queue = life::open_with_cleaner(files.clone());
    judge_on(census, most, (files, queue), scenario);
}

fn judge_on(
    census: &mut Census,
    most: usize,
    (files, queue): (SimFiles, Queue<SimFiles>),
    scenario: impl FnOnce(&Queue<SimFiles>, &Diary),
) {
    let diary = Diary::new(&files);
    files.record();
    scenario(&queue, &diary);
    let photos = files.photos();
    census.judge(&photos, &diary.letters(), most);
}

#[test]
fn in_ten_thousand_crashed_disks_nothing_is_lost_or_half_visible() {
    let mut census = Census::default();
    let tell = |what: &str, census: &Census| {
        let states = census.disks.len();
        // Straight to the terminal, for the harness hides what passing tests print.
        let _ = writeln!(std::io::stderr(), "crash states after {what}: {states}");
        census.assert_sound();
    };
    judged(&mut census, ALL, |q, d| one_message(q, d, false));
    tell("one message, every loss", &census);
    judged(&mut census, ALL, |q, d| one_message(q, d, true));
    tell("one message with parameters, every loss", &census);
    judged(&mut census, 60, one_after_the_other);
    judged(&mut census, 60, aborted_and_repeated);
    tell("reused numbers", &census);
    for round in 0..4 {
        judged(&mut census, 14, |q, d| many_at_once(q, d, 2 + round, 3));
    }
    judged(&mut census, 3, |q, d| many_at_once(q, d, 8, 1));
    tell("many at once", &census);
    assert!(
        census.disks.len() >= 10_000,
        "{} states",
        census.disks.len()
    );
}

#[test]
fn nothing_is_lost_where_another_process_cleans() {
    let mut census = Census::default();
    judged_cleaned(&mut census, ALL, |q, d| one_message(q, d, false));
    judged_cleaned(&mut census, 60, one_after_the_other);
    judged_cleaned(&mut census, 60, aborted_and_repeated);
    judged_cleaned(&mut census, 14, |q, d| many_at_once(q, d, 3, 3));
    census.assert_sound();
    assert!(census.disks.len() >= 500, "{} states", census.disks.len());
}

#[test]
fn a_queue_that_does_not_sync_is_caught_losing_mail() {
    for lie in [Lie::Directories, Lie::Files] {
        let files = life::fresh();
        let queue = life::open(Lying(files.clone(), lie));
        let diary = Diary::new(&files);
        files.record();
        one_message(&queue, &diary, false);
        let mut census = Census::default();
        census.judge(&files.photos(), &diary.letters(), 200);
        assert!(!census.failures.is_empty(), "{lie:?} went unnoticed");
    }
}

#[test]
fn parameters_that_are_replaced_are_the_old_ones_or_the_new_ones() {
    let files = life::fresh();
    let queue = life::open(files.clone());
    let diary = Diary::new(&files);
    let letter = diary.letter("kept", &["a@local", "b@remote"], true);
    diary.send(&queue, letter).unwrap();
    let id = diary.get(letter).id.unwrap();
    queue.preprocess(id, life::NOW, &mut life::route).unwrap();
    let came = queue.params(id).unwrap();
    assert_ne!(came, Default::default(), "there is something to lose");
    files.settle();
    files.record();
    queue
        .change_params(id, |params| params.held = true)
        .unwrap();
    let held_from = files.calls();
    // The old file's inode finds another owner.
    let other = diary.letter("other", &["c@local"], false);
    diary.send(&queue, other).unwrap();
    queue
        .change_params(id, |params| params.held = false)
        .unwrap();
    let free_from = files.calls();
    diary
        .send(&queue, diary.letter("third", &["d@local"], false))
        .unwrap();
    let mut seen = [0; 2];
    for photo in files.photos() {
        for after in photo.crash.some(200, photo.before) {
            let now = life::open(after).params(id).unwrap();
            assert_eq!((&now.mail, &now.recipients), (&came.mail, &came.recipients));
            let calls = photo.before - 1;
            if calls >= free_from {
                assert!(!now.held, "before call {}", photo.before);
            } else if calls >= held_from && now.held {
                seen[0] += 1;
            } else if calls < held_from {
                seen[1] += usize::from(!now.held);
            }
        }
    }
    assert!(seen.iter().all(|&n| n > 0), "{seen:?}");
}

#[test]
fn parameters_survive_every_failing_call_of_their_change() {
    use mta_store::files::sim::Fault;
    for fault in [Fault::Io, Fault::NoSpace, Fault::ShortWrite] {
        for call in 1..40 {
            let files = life::fresh();
            let queue = life::open(files.clone());
            let diary = Diary::new(&files);
            let letter = diary.letter("kept", &["a@local"], true);
            diary.send(&queue, letter).unwrap();
            let id = diary.get(letter).id.unwrap();
            queue.preprocess(id, life::NOW, &mut life::route).unwrap();
            let came = queue.params(id).unwrap();
            files.inject(files.calls() + call, fault);
            let changed = queue.change_params(id, |params| params.held = true);
            files.heal();
            let now = queue.params(id).unwrap();
            assert_eq!(now.mail, came.mail, "{fault:?} at {call}");
            if changed.is_ok() {
                assert!(now.held, "{fault:?} at {call}: a false success");
            }
        }
    }
}
