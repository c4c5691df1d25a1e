//! The log spool: what goes in comes out, old segments go, damage stays where it is (docs/spool-log.md).

use crate::life::{NOW, address, route};
use crate::log_ledger::{DIR, Ledger, SEGMENT, judge, open};
use crate::lying::{Lie, Lying};
use mta_core::rewrite::Channel;
use mta_core::{Envelope, Unix};
use mta_store::files::sim::Fault;
use mta_store::files::{Access, Files, OpenFile, SimFiles};
use mta_store::log::{Door, INLINE, Log};
use mta_store::queue::{MessageId, Origin, QueueError, Reroute};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier, mpsc};

fn segments(disk: &SimFiles) -> Vec<PathBuf> {
    let names = disk.names(Path::new(DIR)).unwrap();
    let segments = names
        .into_iter()
        .filter(|n| n.to_string_lossy().ends_with(".seg"));
    segments.map(|n| Path::new(DIR).join(n)).collect()
}

fn read(log: &Log<SimFiles>, id: MessageId) -> Vec<u8> {
    let mut body = Vec::new();
    let message = log.open_message(id).unwrap();
    message.reader().read_to_end(&mut body).unwrap();
    body
}

fn to(recipient: &str) -> Envelope {
    Envelope {
        recipients: vec![address(recipient).into()],
        ..Envelope::default()
    }
}

#[test]
fn what_was_said_of_a_message_is_there_after_a_restart() {
    let ledger = Ledger::new();
    let log = open(&ledger.disk).unwrap();
    let letter = ledger.send(&log, 100).unwrap();
    let id = ledger.id(letter);
    ledger.mark(&log, letter, 0).unwrap();
    ledger.bounce(&log, letter).unwrap();
    log.set_next_attempt(id, Channel::Remote, Unix(99)).unwrap();
    let reroute = Reroute {
        domain: b"far.example".to_vec(),
        hosts: vec![b"one.example".to_vec(), b"two.example".to_vec()],
    };
    log.change_params(id, |params| {
        params.held = true;
        params.reroutes.push(reroute.clone());
        params.warned.insert((Channel::Remote, 1));
    })
    .unwrap();
    ledger.send(&log, 1).unwrap();
    drop(log);
    let (log, found) = Log::open(Arc::new(ledger.disk.clone()), DIR).unwrap();
    let standing = &found.standing[0];
    assert_eq!((standing.id, standing.birth), (id, NOW));
    assert_eq!((standing.local, standing.remote), (None, Some(Unix(99))));
    assert!(standing.bounce);
    assert_eq!(found.standing.len(), 2);
    assert_eq!(log.pending(id, Channel::Remote).unwrap()[0].offset, 1);
    let whole = log.preprocessed(id, &mut |_| {}).unwrap();
    assert_eq!((whole.local, whole.remote, whole.uid), (1, 1, Some(2)));
    let params = log.params(id).unwrap();
    assert!(params.held && params.warned.contains(&(Channel::Remote, 1)));
    assert_eq!(params.reroutes, [reroute]);
}

#[test]
fn a_long_body_lies_in_a_file_of_its_own_and_goes_with_its_message() {
    let ledger = Ledger::new();
    let log = open(&ledger.disk).unwrap();
    let body = vec![b'y'; INLINE * 2];
    let mut draft = log.begin(Origin { pid: 1, uid: 1 });
    for piece in body.chunks(10_000) {
        draft.write(piece).unwrap();
    }
    let id = draft.commit(&to("a@local"), NOW, &mut route).unwrap();
    let file = Path::new(DIR).join("body").join(id.to_string());
    assert!(ledger.disk.exists(&file).unwrap());
    drop(log);
    let log = open(&ledger.disk).unwrap();
    assert_eq!(read(&log, id), body);
    log.verify(id).unwrap();
    log.mark_done(id, &[0]).unwrap();
    log.finish(id).unwrap();
    assert!(!ledger.disk.exists(&file).unwrap());
}

#[test]
fn a_dropped_draft_leaves_nothing() {
    let ledger = Ledger::new();
    let log = open(&ledger.disk).unwrap();
    let mut draft = log.begin(Origin { pid: 1, uid: 1 });
    draft.write(&vec![b'y'; INLINE + 1]).unwrap();
    drop(draft);
    let bodies = ledger.disk.names(&Path::new(DIR).join("body")).unwrap();
    assert!(bodies.is_empty(), "{bodies:?}");
    assert!(log.is_empty());
}

#[test]
fn one_process_writes_and_others_look() {
    let ledger = Ledger::new();
    let log = open(&ledger.disk).unwrap();
    let letter = ledger.send(&log, 10).unwrap();
    assert!(matches!(open(&ledger.disk), Err(QueueError::Busy)));
    let (other, found) = Log::look_at(Arc::new(ledger.disk.clone()), DIR).unwrap();
    assert_eq!(found.standing[0].id, ledger.id(letter));
    let refused = other.mark_done(ledger.id(letter), &[0]).unwrap_err();
    assert!(refused.is_temporary(), "{refused}");
}

#[test]
fn a_log_through_which_mail_flows_stays_small() {
    let ledger = Ledger::new();
    let log = open(&ledger.disk).unwrap();
    let stays = ledger.send(&log, 50).unwrap();
    ledger.mark(&log, stays, 0).unwrap();
    ledger.bounce(&log, stays).unwrap();
    for _ in 0..60 {
        ledger.live(&log, 100).unwrap();
        while log.tidy().unwrap() {}
    }
    assert!(
        segments(&ledger.disk).len() <= 7,
        "{:?}",
        segments(&ledger.disk)
    );
    // The one that stays was copied forward with all that is known of it.
    assert!(!segments(&ledger.disk)[0].ends_with("0000000002.seg"));
    drop(log);
    judge(&ledger.disk, &ledger.letters(), u64::MAX).unwrap();
}

#[test]
fn numbers_do_not_come_back() {
    let ledger = Ledger::new();
    let mut last = MessageId(0);
    for _ in 0..10 {
        let log = open(&ledger.disk).unwrap();
        let letter = ledger.live(&log, 300).unwrap();
        while log.tidy().unwrap() {}
        assert!(ledger.id(letter) > last);
        last = ledger.id(letter);
    }
}

#[test]
fn a_message_that_is_not_done_cannot_be_finished() {
    let ledger = Ledger::new();
    let log = open(&ledger.disk).unwrap();
    let letter = ledger.send(&log, 10).unwrap();
    let id = ledger.id(letter);
    let unfinished =
        |log: &Log<SimFiles>| matches!(log.finish(id), Err(QueueError::Unfinished { .. }));
    assert!(unfinished(&log));
    log.mark_done(id, &[0, 1]).unwrap();
    log.append_bounce(id, b"why\n\n").unwrap();
    assert!(unfinished(&log));
    log.clear_bounce(id).unwrap();
    log.finish(id).unwrap();
    assert!(matches!(log.info(id), Err(QueueError::Gone(_))));
    assert!(matches!(log.mark_done(id, &[0]), Err(QueueError::Gone(_))));
}

#[test]
fn what_could_not_be_removed_is_there_and_can_be_removed_again() {
    let ledger = Ledger::new();
    let log = open(&ledger.disk).unwrap();
    let id = ledger.id(ledger.send(&log, 10).unwrap());
    let calls = ledger.disk.calls();
    ledger.disk.inject_during(calls + 1, calls + 9, Fault::Io);
    assert!(log.remove(id).is_err());
    ledger.disk.heal();
    assert!(log.open_message(id).is_ok());
    log.remove(id).unwrap();
    assert!(matches!(log.remove(id), Err(QueueError::Gone(_))));
}

#[test]
fn a_recipient_that_is_none_cannot_be_marked() {
    let ledger = Ledger::new();
    let log = open(&ledger.disk).unwrap();
    let id = ledger.id(ledger.send(&log, 10).unwrap());
    assert!(log.mark_done(id, &[2]).is_err());
    assert!(log.mark_done(id, &[u64::MAX]).is_err());
}

#[test]
fn whence_a_message_was_taken_is_kept() {
    let ledger = Ledger::new();
    let log = open(&ledger.disk).unwrap();
    let door = Door {
        id: MessageId(4711),
        size: 5,
        written: u128::MAX,
    };
    let mut draft = log.begin(Origin { pid: 1, uid: 1 });
    draft.taken_from(door);
    draft.write(b"body\n").unwrap();
    let id = draft.commit(&to("a@local"), NOW, &mut route).unwrap();
    drop(log);
    let (_, found) = Log::open(Arc::new(ledger.disk.clone()), DIR).unwrap();
    assert_eq!(found.doors, [(id, door)]);
}

/// Writes over bytes of a segment, as a failing disk would.
fn damage(disk: &SimFiles, path: &Path, at: u64, bytes: &[u8]) {
    let file = disk.open(path, Access::ReadWrite).unwrap();
    file.write_all_at(bytes, at).unwrap();
    file.sync().unwrap();
}

#[test]
fn damage_takes_one_message_and_not_its_neighbours() {
    let ledger = Ledger::new();
    let log = open(&ledger.disk).unwrap();
    let letters: Vec<usize> = (0..3).map(|_| ledger.send(&log, 40).unwrap()).collect();
    drop(log);
    let segment = segments(&ledger.disk)[0].clone();
    let bytes = ledger.disk.read(&segment, 1 << 20).unwrap();
    let second = format!("letter {}", ledger.id(letters[1]));
    let at = bytes
        .windows(second.len())
        .position(|w| w == second.as_bytes())
        .unwrap();
    // The envelope stands before the body.
    damage(&ledger.disk, &segment, at as u64 - 60, &[0xff; 8]);
    let (log, found) = Log::open_with(Arc::new(ledger.disk.clone()), DIR, SEGMENT).unwrap();
    let ids: Vec<_> = found.standing.iter().map(|s| s.id).collect();
    assert_eq!(ids, [ledger.id(letters[0]), ledger.id(letters[2])]);
    assert_eq!(found.damaged.len(), 1, "{found:?}");
    let kept = found.damaged[0].rsplit(' ').next().unwrap();
    let copy = ledger.disk.read(Path::new(kept), 1 << 20).unwrap();
    assert!(copy.windows(second.len()).any(|w| w == second.as_bytes()));
    drop(log);
    damage(&ledger.disk, &segment, at as u64 + 400, &[0xff; 8]);
}

#[test]
fn a_damaged_body_is_noticed_when_it_is_read() {
    let ledger = Ledger::new();
    let log = open(&ledger.disk).unwrap();
    let id = ledger.id(ledger.send(&log, 40).unwrap());
    let next = ledger.id(ledger.send(&log, 40).unwrap());
    let segment = segments(&ledger.disk).pop().unwrap();
    let bytes = ledger.disk.read(&segment, 1 << 20).unwrap();
    let at = bytes.windows(4).position(|w| w == b"xxxx").unwrap();
    damage(&ledger.disk, &segment, at as u64, b"y");
    assert!(log.open_message(id).unwrap_err().is_broken());
    assert!(log.verify(id).unwrap_err().is_broken());
    assert!(log.open_message(next).is_ok());
}

#[test]
fn every_flipped_byte_of_a_segment_loses_at_most_what_it_hits() {
    let ledger = Ledger::new();
    let log = open(&ledger.disk).unwrap();
    for _ in 0..3 {
        ledger.send(&log, 8).unwrap();
    }
    drop(log);
    // The next segment says that all of the first was durable.
    let log = open(&ledger.disk).unwrap();
    ledger.send(&log, 8).unwrap();
    drop(log);
    let segment = segments(&ledger.disk)[0].clone();
    let end = 700;
    for at in 48..end {
        let disk = ledger.disk.copy();
        let was = disk.read(&segment, 1 << 20).unwrap()[at];
        damage(&disk, &segment, at as u64, &[was ^ 0x41]);
        let (log, found) = Log::open_with(Arc::new(disk), DIR, SEGMENT).unwrap();
        let sound = found.standing.iter();
        let sound = sound.filter(|s| log.verify(s.id).is_ok()).count();
        assert!(sound >= 3, "byte {at}: {found:?}");
    }
}

#[test]
fn one_sync_serves_all_who_wait() {
    let disk = SimFiles::new();
    let (log, _) = Log::open(Arc::new(disk.clone()), DIR).unwrap();
    let first = log.begin(Origin { pid: 1, uid: 1 });
    first.commit(&to("a@local"), NOW, &mut route).unwrap();
    let (told, tells) = mpsc::channel();
    for n in 0..50 {
        let mut draft = log.begin(Origin { pid: 1, uid: 1 });
        draft.write(format!("letter {n}\n").as_bytes()).unwrap();
        let told = told.clone();
        let tell = move |done: Result<MessageId, QueueError>| told.send(done.unwrap()).unwrap();
        draft.submit(&to("a@local"), NOW, &mut route, tell);
    }
    let before = disk.calls();
    assert!(tells.try_recv().is_err(), "nobody has written yet");
    log.close();
    log.write_groups(&mut |error| panic!("{error}"));
    assert_eq!(tells.try_iter().count(), 50);
    // One write, one sync.
    assert_eq!(disk.calls() - before, 2);
}

#[test]
fn many_threads_commit_side_by_side() {
    let ledger = Ledger::new();
    let log = open(&ledger.disk).unwrap();
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                for n in 0..20 {
                    if n % 3 == 0 {
                        ledger.send(&log, 30).unwrap();
                    } else {
                        ledger.live(&log, 30).unwrap();
                    }
                    let _ = log.tidy();
                }
            });
        }
    });
    drop(log);
    judge(&ledger.disk, &ledger.letters(), u64::MAX).unwrap();
}

/// Each scenario with every call failing once: nobody is promised what is not kept.
#[test]
fn whatever_call_fails_nothing_promised_is_lost() {
    let run = |ledger: &Ledger| -> Result<(), QueueError> {
        let log = open(&ledger.disk)?;
        let mut worst = Ok(());
        for size in [10, 400, 800] {
            let done = ledger.live(&log, size).map(drop);
            worst = worst.and(done);
            let done = ledger.send(&log, size).map(drop);
            worst = worst.and(done);
            let done = log.tidy().map(drop);
            worst = worst.and(done);
        }
        worst
    };
    let ledger = Ledger::new();
    let first = ledger.disk.calls();
    run(&ledger).unwrap();
    let calls = ledger.disk.calls();
    let mut failed = 0;
    for call in first + 1..=calls {
        for fault in [Fault::Io, Fault::NoSpace] {
            let ledger = Ledger::new();
            ledger.disk.inject(call, fault);
            failed += usize::from(run(&ledger).is_err());
            ledger.disk.heal();
            judge(&ledger.disk, &ledger.letters(), u64::MAX)
                .unwrap_or_else(|e| panic!("call {call} {fault:?}: {e}"));
        }
    }
    assert!(failed > 20, "{failed} runs failed");
}

/// Power fails between any two calls.
#[test]
fn in_thousands_of_crashed_disks_no_promise_is_broken() {
    let mut disks = std::collections::HashSet::new();
    let mut judged = |name: &str, most: usize, run: &dyn Fn(&Ledger, &Log<SimFiles>)| {
        let ledger = Ledger::new();
        ledger.disk.record();
        let log = open(&ledger.disk).unwrap();
        run(&ledger, &log);
        let letters = ledger.letters();
        for photo in ledger.disk.photos() {
            for disk in photo.crash.some(most, photo.before) {
                if disks.insert(disk.fingerprint()) {
                    judge(&disk, &letters, photo.before)
                        .unwrap_or_else(|e| panic!("{name}, before call {}: {e}", photo.before));
                }
            }
        }
        let _ = writeln!(
            std::io::stderr(),
            "crash states after {name}: {}",
            disks.len()
        );
    };
    judged("one life", 300, &|ledger, log| {
        ledger.live(log, 100).unwrap();
    });
    judged("full segments", 60, &|ledger, log| {
        for _ in 0..4 {
            ledger.live(log, 300).unwrap();
            ledger.send(log, 100).unwrap();
        }
    });
    judged("copied forward", 25, &|ledger, log| {
        let stays = ledger.send(log, 50).unwrap();
        ledger.mark(log, stays, 1).unwrap();
        ledger.bounce(log, stays).unwrap();
        for _ in 0..12 {
            ledger.live(log, 400).unwrap();
            while log.tidy().unwrap() {}
        }
        ledger.mark(log, stays, 0).unwrap();
    });
    judged("bodies apart", 40, &|ledger, log| {
        ledger.live(log, INLINE + 10).unwrap();
    });
    for round in 0..3 {
        judged("many at once", 12, &|ledger, log| {
            std::thread::scope(|scope| {
                for _ in 0..3 + round {
                    scope.spawn(|| ledger.live(log, 60).unwrap());
                }
            });
        });
    }
    for seed in 1..200 {
        judged("lives by chance", 10, &|ledger, log| {
            by_chance(ledger, log, seed)
        });
    }
    assert!(disks.len() >= 3000, "{} states", disks.len());
}

/// A few messages whose steps come in any order.
fn by_chance(ledger: &Ledger, log: &Log<SimFiles>, seed: u64) {
    let mut dice = seed;
    let mut roll = |sides: u64| {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((dice >> 33) % sides).unwrap()
    };
    let mut letters = Vec::new();
    for _ in 0..12 {
        let some = letters.get(roll(4)).copied();
        // Steps that make no sense at the time are refused, which is fine.
        let _ = match (roll(7), some) {
            (0, Some(letter)) => ledger.mark(log, letter, 0),
            (1, Some(letter)) => ledger.mark(log, letter, 1),
            (2, Some(letter)) => ledger.bounce(log, letter),
            (3, Some(letter)) => ledger.clear(log, letter),
            (4, _) => log.tidy().map(drop),
            _ => ledger
                .send(log, roll(600))
                .map(|letter| letters.push(letter)),
        };
    }
}

/// The same judge, before a log whose syncs do nothing.
#[test]
fn a_log_that_does_not_sync_is_caught_losing_mail() {
    for lie in [Lie::Directories, Lie::Files] {
        let ledger = Ledger::new();
        ledger.disk.record();
        let files = Arc::new(Lying(ledger.disk.clone(), lie));
        let (log, _) = Log::open_with(files, DIR, SEGMENT).unwrap();
        for _ in 0..3 {
            ledger.send(&log, 500).unwrap();
        }
        let letters = ledger.letters();
        let lost = ledger.disk.photos().into_iter().any(|photo| {
            let mut disks = photo.crash.some(50, photo.before);
            disks.any(|disk| judge(&disk, &letters, photo.before).is_err())
        });
        assert!(lost, "{lie:?} went unnoticed");
    }
}
