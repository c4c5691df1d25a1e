//! No crash and no failing call loses a message that an mbox took, old or new (mbox(5)).

use crate::mbox::{HEAD, read};
use mta_store::files::sim::Fault;
use mta_store::files::{Files, OpenFile, SimFiles};
use mta_store::mbox::Mbox;
use std::path::Path;
use std::sync::Arc;

const OLD: &[u8] = b"Subject: old\n\nFrom of old\n";
const NEW: &[u8] = b"Subject: new\n\nwords\nFrom here\n";
const PATH: &str = "/m";

fn whole(letter: &[u8]) -> Vec<u8> {
    [&HEAD.fields.concat(), letter, b"\n"].concat()
}

/// How often a letter stands in the mbox, whole; a crash may leave NULs behind the last one.
fn count(after: &SimFiles, letter: &[u8]) -> usize {
    let bytes = after.read(Path::new(PATH), 100_000).unwrap_or_default();
    let want = whole(letter);
    read(&bytes)
        .iter()
        .filter(|found| found.starts_with(&want))
        .count()
}

fn fresh(old: bool) -> (Arc<SimFiles>, Mbox<SimFiles>) {
    let files = Arc::new(SimFiles::new());
    let mbox = Mbox::new(Arc::clone(&files), PATH);
    if old {
        mbox.append(HEAD, OLD, || false).unwrap();
    }
    (files, mbox)
}

#[test]
fn every_crash_keeps_the_old_message_and_the_new_one_once_reported() {
    for old in [false, true] {
        let (files, mbox) = fresh(old);
        files.record();
        mbox.append(HEAD, NEW, || false).unwrap();
        let mut states = 0;
        for photo in files.photos() {
            for after in photo.crash.some(2000, photo.before) {
                assert_eq!(
                    count(&after, OLD),
                    usize::from(old),
                    "before {:?}",
                    photo.call
                );
                // The message is delivered again, whatever the crash has left at the end.
                let again = Mbox::new(Arc::new(after.clone()), PATH);
                again.append(HEAD, NEW, || false).unwrap();
                assert!(
                    (1..=2).contains(&count(&after, NEW)),
                    "before {:?}",
                    photo.call
                );
                assert_eq!(count(&after, OLD), usize::from(old));
                states += 1;
            }
        }
        for after in files.crash().some(2000, 7) {
            assert_eq!(
                (count(&after, OLD), count(&after, NEW)),
                (usize::from(old), 1)
            );
            states += 1;
        }
        assert!(states > 5, "{states}");
    }
}

#[test]
fn an_append_without_the_syncs_is_caught() {
    for (sync_file, sync_dir) in [(true, false), (false, true)] {
        let (files, _) = fresh(false);
        let file = files.create_new(Path::new(PATH), 0o600).unwrap();
        if sync_dir {
            files.sync_dir(Path::new("/")).unwrap();
        }
        let text = [
            HEAD.from_line,
            &HEAD.fields.concat(),
            b"Subject: old\n\n>From of old\n\n",
        ]
        .concat();
        file.append_all(&text).unwrap();
        if sync_file {
            file.sync().unwrap();
        }
        assert_eq!(count(&files, OLD), 1);
        let fewest = files
            .crash()
            .some(2000, 1)
            .map(|after| count(&after, OLD))
            .min();
        assert_eq!(fewest, Some(0), "the crash model must lose this one");
    }
}

#[test]
fn a_message_without_its_end_would_swallow_the_next_one() {
    let (files, _) = fresh(false);
    let file = files.create_new(Path::new(PATH), 0o600).unwrap();
    file.append_all(b"From x\nhalf a li").unwrap();
    file.append_all(&[HEAD.from_line, &whole(NEW)].concat())
        .unwrap();
    assert_eq!(count(&files, NEW), 0, "the reader must tell the difference");
}

#[test]
fn a_failing_call_leaves_the_file_as_it_was_and_never_reports_what_a_crash_undoes() {
    for old in [false, true] {
        let calls = {
            let (files, mbox) = fresh(old);
            let before = files.calls();
            mbox.append(HEAD, NEW, || false).unwrap();
            files.calls() - before
        };
        for fault in [
            Fault::Io,
            Fault::NoSpace,
            Fault::TooManyFiles,
            Fault::ShortWrite,
        ] {
            for at in 1..=calls + 1 {
                failing(old, fault, at);
            }
        }
    }
}

fn failing(old: bool, fault: Fault, at: u64) {
    let (files, mbox) = fresh(old);
    let before = files.read(Path::new(PATH), 10_000).unwrap_or_default();
    files.inject(files.calls() + at, fault);
    let done = mbox.append(HEAD, NEW, || false);
    files.heal();
    let name = format!("{fault:?} at {at}, {old}");
    let expected = usize::from(done.is_ok());
    if done.is_ok() {
        for after in files.crash().some(500, at) {
            assert_eq!(
                (count(&after, OLD), count(&after, NEW)),
                (usize::from(old), 1),
                "{name}"
            );
        }
    } else {
        let now = files.read(Path::new(PATH), 10_000).unwrap_or_default();
        assert_eq!(now, before, "{name}");
    }
    // It is delivered again, and then it stays.
    mbox.append(HEAD, NEW, || false).unwrap();
    for after in files.crash().some(500, at) {
        assert_eq!(count(&after, OLD), usize::from(old), "{name}");
        assert!(count(&after, NEW) > expected, "{name}");
    }
}

#[test]
fn without_a_lock_mail_is_delivered_and_nothing_is_cut() {
    // The calls of an append are create, open, lock, stat, stat, stat, sync of the directory, read,
    // write, sync, truncate.
    let (files, mbox) = fresh(true);
    files.inject(files.calls() + 3, Fault::TooManyFiles);
    mbox.append(HEAD, NEW, || false).unwrap();
    assert_eq!(count(&files, NEW), 1);
    for (lock_works, len) in [(true, 0), (false, 1)] {
        let (files, mbox) = fresh(true);
        if !lock_works {
            files.inject(files.calls() + 3, Fault::TooManyFiles);
        }
        files.inject(files.calls() + 10, Fault::Io);
        mbox.append(HEAD, NEW, || false).unwrap_err();
        // What could be somebody else's by now stays.
        assert_eq!(count(&files, NEW), len);
        assert_eq!(count(&files, OLD), 1);
    }
}
