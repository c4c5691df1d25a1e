//! No crash and no failing call loses a message whose delivery was reported (maildir(5)).

use crate::maildir::named;
use mta_store::dir_syncs::DirSyncs;
use mta_store::files::sim::Fault;
use mta_store::files::{Files, OpenFile, SimFiles};
use mta_store::maildir::Maildir;
use std::path::Path;
use std::sync::Arc;

const BODY: &[u8] = b"Subject: precious\n\nwords\n";

fn fresh() -> (Arc<SimFiles>, Maildir<SimFiles>) {
    let files = Arc::new(SimFiles::new());
    let maildir = Maildir::new(Arc::clone(&files), "/Maildir");
    maildir.create(None).unwrap();
    (files, maildir)
}

/// The whole messages that the Maildir shows after a reboot; half a message is a failed test.
fn survivors(after: SimFiles) -> usize {
    let listing = Maildir::new(Arc::new(after), "/Maildir").list().unwrap();
    for at in 0..listing.messages().len() {
        let body = listing.open(at).unwrap().read_all(1000).unwrap();
        assert_eq!(body, BODY, "only whole messages are in new");
    }
    listing.messages().len()
}

#[test]
fn every_crash_leaves_all_or_nothing_and_all_once_reported() {
    let (files, maildir) = fresh();
    maildir.deliver(named(0), &[], BODY).unwrap();
    files.record();
    maildir.deliver(named(1), &[], BODY).unwrap();
    let mut states = 0;
    for photo in files.photos() {
        for after in photo.crash.some(2000, photo.before) {
            let found = survivors(after);
            assert!((1..=2).contains(&found), "before {:?}: {found}", photo.call);
            states += 1;
        }
    }
    for after in files.crash().some(2000, 7) {
        assert_eq!(survivors(after), 2);
        states += 1;
    }
    assert!(states > 20, "{states}");
}

#[test]
fn a_delivery_without_directory_sync_is_caught() {
    let (files, _) = fresh();
    let tmp = Path::new("/Maildir/tmp/x");
    let file = files.create_new(tmp, 0o600).unwrap();
    file.append_all(BODY).unwrap();
    file.sync().unwrap();
    files.rename_new(tmp, Path::new("/Maildir/new/x")).unwrap();
    let crash = files.crash();
    let fewest = crash.some(2000, 1).map(survivors).min();
    assert_eq!(fewest, Some(0), "the crash model must lose this one");
}

#[test]
fn a_failing_call_never_reports_a_delivery_that_a_crash_undoes() {
    let calls = {
        let (files, maildir) = fresh();
        let before = files.calls();
        maildir.deliver(named(0), &[], BODY).unwrap();
        files.calls() - before
    };
    for fault in [
        Fault::Io,
        Fault::NoSpace,
        Fault::TooManyFiles,
        Fault::ShortWrite,
    ] {
        for at in 1..=calls + 1 {
            let (files, maildir) = fresh();
            files.inject(files.calls() + at, fault);
            let done = maildir.deliver(named(0), &[], BODY);
            files.heal();
            let now = maildir.list().unwrap().messages().len();
            match done {
                Ok(_) => {
                    let after = files.crash();
                    assert!(
                        after.some(500, at).all(|after| survivors(after) == 1),
                        "{fault:?} at {at}"
                    );
                }
                Err(_) => {
                    assert_eq!(now, 0, "{fault:?} at {at}: it will be delivered again");
                    assert!(files.names(Path::new("/Maildir/tmp")).unwrap().is_empty());
                }
            }
            maildir.deliver(named(1), &[], BODY).unwrap();
            assert!(
                files
                    .crash()
                    .some(500, at)
                    .all(|after| survivors(after) >= 1)
            );
        }
    }
}

#[test]
fn concurrent_deliveries_are_each_durable_when_reported() {
    let (files, _) = fresh();
    let syncs = Arc::new(DirSyncs::new(Arc::clone(&files)));
    std::thread::scope(|scope| {
        for n in 0..16 {
            let (files, syncs) = (Arc::clone(&files), Arc::clone(&syncs));
            scope.spawn(move || {
                let maildir = Maildir::new(Arc::clone(&files), "/Maildir").sharing(syncs);
                let delivered = maildir.deliver(named(n), &[], BODY).unwrap();
                let path = Path::new("/Maildir/new").join(delivered.name);
                for after in files.crash().some(30, n) {
                    assert_eq!(after.read(&path, 100).unwrap(), BODY);
                }
            });
        }
    });
    assert_eq!(survivors(files.copy()), 16);
}

#[test]
fn a_creation_that_was_cut_short_can_be_repeated() {
    let files = SimFiles::new();
    files.record();
    Maildir::new(Arc::new(files.clone()), "/Maildir")
        .create(None)
        .unwrap();
    for photo in files.photos() {
        for after in photo.crash.some(200, photo.before) {
            let again = Maildir::new(Arc::new(after.clone()), "/Maildir");
            again.create(None).unwrap();
            again.deliver(named(0), &[], BODY).unwrap();
            assert!(after.crash().some(50, 1).all(|after| survivors(after) == 1));
        }
    }
}

#[test]
fn moves_and_removals_lose_no_other_message() {
    let (files, maildir) = fresh();
    for n in 0..2 {
        maildir.deliver(named(n), &[], BODY).unwrap();
    }
    files.settle();
    files.record();
    let listing = maildir.list().unwrap();
    listing.update(&[0]).unwrap();
    let photos = files.photos();
    let mut lost = 0;
    for photo in &photos {
        for after in photo.crash.some(500, photo.before) {
            lost += usize::from(survivors(after) == 0);
        }
    }
    assert_eq!(lost, 0, "a message that was only moved must not vanish");
    assert!(
        files
            .crash()
            .some(500, 3)
            .all(|after| survivors(after) == 1)
    );
}

#[test]
fn a_sync_that_fails_for_many_reports_no_delivery_that_it_dropped() {
    let mut reported = 0;
    for round in 0..40_u64 {
        let (files, _) = fresh();
        let syncs = Arc::new(DirSyncs::new(Arc::clone(&files)));
        let first = files.calls() + 5 + round;
        files.inject_during(first, first + 3, Fault::Io);
        let kept: Vec<_> = std::thread::scope(|scope| {
            let deliveries: Vec<_> = (0..6)
                .map(|n| {
                    let (files, syncs) = (Arc::clone(&files), Arc::clone(&syncs));
                    let maildir = Maildir::new(files, "/Maildir").sharing(syncs);
                    scope.spawn(move || maildir.deliver(named(n), &[], BODY).ok())
                })
                .collect();
            let done = deliveries.into_iter().filter_map(|it| it.join().unwrap());
            done.collect()
        });
        files.heal();
        reported += kept.len();
        for after in files.crash().some(30, round) {
            for delivered in &kept {
                let path = Path::new("/Maildir/new").join(&delivered.name);
                assert_eq!(after.read(&path, 100).unwrap(), BODY, "round {round}");
            }
        }
    }
    assert!(reported > 40);
}
