//! Every call fails in every way: never a false Ok, never a lost message, nothing in the way afterwards (fsync(2)).

use crate::judge::Census;
use crate::life::{self, Diary};
use mta_store::files::SimFiles;
use mta_store::files::sim::Fault;
use mta_store::queue::Queue;

const FAULTS: [Fault; 4] = [
    Fault::Io,
    Fault::NoSpace,
    Fault::TooManyFiles,
    Fault::ShortWrite,
];

/// Runs two messages, the second through a whole life, with calls `from` to `upto` failing.
fn run(fault: Option<(u64, u64, Fault)>) -> (SimFiles, Diary, u64) {
    run_on(life::open, fault)
}

/// As `run`, where another process removes what the drainer may not.
fn run_cleaned(fault: Option<(u64, u64, Fault)>) -> (SimFiles, Diary, u64) {
    let open = |files: SimFiles| {
        drop(life::open(files.clone()));
        life::open_with_cleaner(files)
    };
    run_on(open, fault)
}

fn run_on(
    open: impl FnOnce(SimFiles) -> Queue<SimFiles>,
    fault: Option<(u64, u64, Fault)>,
) -> (SimFiles, Diary, u64) {
    let files = life::fresh();
    let queue = open(files.clone());
    let diary = Diary::new(&files);
    let standing = diary.letter("standing", &["s@local"], false);
    diary.send(&queue, standing).unwrap();
    let begin = files.calls();
    if let Some((from, upto, fault)) = fault {
        files.inject_during(begin + from, begin.saturating_add(upto), fault);
    }
    let letter = diary.letter("tried", &["a@local", "b@remote"], true);
    let sent = diary.send(&queue, letter);
    if sent.is_ok() {
        // A failure on the way leaves a message that the next start takes up again.
        let _ = diary.drain(&queue, letter);
    }
    let calls = files.calls() - begin;
    files.heal();
    (files, diary, calls)
}

/// Judges the running system and what a power failure makes of it.
fn judge(census: &mut Census, files: &SimFiles, diary: &Diary, place: &str) {
    let calls = files.calls();
    census.one(&files.copy(), &diary.letters(), calls, place);
    for (n, after) in files.crash().some(12, calls).enumerate() {
        let place = format!("{place}, then power failure {n}");
        census.one(&after, &diary.letters(), calls, &place);
    }
}

#[test]
fn one_failing_call_never_costs_an_acknowledged_message() {
    let (_, _, calls) = run(None);
    let mut census = Census::default();
    for fault in FAULTS {
        for call in 1..=calls {
            let (files, diary, _) = run(Some((call, call, fault)));
            judge(&mut census, &files, &diary, &format!("{fault:?} at {call}"));
        }
    }
    census.assert_sound();
}

#[test]
fn one_failing_call_costs_nothing_where_another_process_cleans() {
    let (_, _, calls) = run_cleaned(None);
    let mut census = Census::default();
    for fault in FAULTS {
        for call in 1..=calls {
            let (files, diary, _) = run_cleaned(Some((call, call, fault)));
            judge(&mut census, &files, &diary, &format!("{fault:?} at {call}"));
        }
    }
    census.assert_sound();
}

#[test]
fn a_disk_that_fails_from_some_call_on_never_costs_an_acknowledged_message() {
    let (_, _, calls) = run(None);
    let mut census = Census::default();
    for fault in [Fault::Io, Fault::NoSpace, Fault::TooManyFiles] {
        for call in 1..=calls {
            let (files, diary, _) = run(Some((call, u64::MAX, fault)));
            judge(
                &mut census,
                &files,
                &diary,
                &format!("{fault:?} from {call}"),
            );
        }
    }
    census.assert_sound();
}

#[test]
fn a_failed_sync_is_an_error_and_is_not_retried() {
    let (_, _, calls) = run(None);
    let mut failed = 0;
    for call in 1..=calls {
        let files = life::fresh();
        let queue = life::open(files.clone());
        let diary = Diary::new(&files);
        let letter = diary.letter("tried", &["a@local"], true);
        files.inject(files.calls() + call, Fault::Io);
        if diary.send(&queue, letter).is_err() {
            failed += 1;
            assert!(queue.todo().unwrap().is_empty(), "call {call}");
        }
    }
    assert!(failed > 10, "{failed}");
}

#[test]
fn a_full_disk_says_so() {
    let files = life::fresh();
    let queue = life::open(files.clone());
    let diary = Diary::new(&files);
    let letter = diary.letter("tried", &["a@local"], false);
    files.inject_during(1, u64::MAX, Fault::NoSpace);
    let error = diary.send(&queue, letter).unwrap_err();
    assert!(matches!(error, mta_store::queue::QueueError::Full { .. }));
    assert!(error.is_temporary());
}
