//! Files are replaced whole, and directory syncs are shared (rename(2), fsync(2)).

use mta_store::atomic::{Attributes, edit, publish, read_if_there};
use mta_store::control_dir::ControlDir;
use mta_store::dir_syncs::DirSyncs;
use mta_store::files::sim::Fault;
use mta_store::files::{Files, OpenFile, SimFiles};
use std::path::Path;
use std::sync::Arc;

const MODE: Attributes = Attributes::mode(0o644);

fn with_old() -> SimFiles {
    let files = SimFiles::new();
    publish(&files, Path::new("/f"), b"old", MODE).unwrap();
    files
}

fn contents(files: &SimFiles) -> Vec<u8> {
    files.read(Path::new("/f"), 100).unwrap()
}

#[test]
fn a_crash_leaves_the_old_file_or_the_new_one() {
    let files = with_old();
    files.record();
    edit(&files, Path::new("/f"), MODE, |_| Some(b"new".to_vec())).unwrap();
    let mut seen = 0;
    for photo in files.photos() {
        for after in photo.crash.some(500, photo.before) {
            let found = contents(&after);
            assert!(
                found == b"old" || found == b"new",
                "before {:?}",
                photo.call
            );
            seen += 1;
        }
    }
    assert!(seen > 10);
    assert!(
        files
            .crash()
            .some(500, 0)
            .all(|after| contents(&after) == b"new")
    );
}

#[test]
fn a_writer_that_does_not_sync_is_caught() {
    let files = with_old();
    let file = files.create_new(Path::new("/g"), 0o644).unwrap();
    file.append_all(b"new").unwrap();
    files.rename(Path::new("/g"), Path::new("/f")).unwrap();
    let crash = files.crash();
    let kept = |after: &SimFiles| after.read(Path::new("/f"), 100).is_ok_and(|f| f == b"new");
    assert!(crash.some(500, 0).any(|after| !kept(&after)));
}

#[test]
fn a_failing_call_leaves_the_old_file_or_the_new_one() {
    let calls = {
        let files = with_old();
        let before = files.calls();
        edit(&files, Path::new("/f"), MODE, |_| Some(b"new".to_vec())).unwrap();
        files.calls() - before
    };
    for fault in [
        Fault::Io,
        Fault::NoSpace,
        Fault::TooManyFiles,
        Fault::ShortWrite,
    ] {
        for at in 1..=calls {
            let files = with_old();
            files.inject(files.calls() + at, fault);
            let done = edit(&files, Path::new("/f"), MODE, |_| Some(b"new".to_vec()));
            files.heal();
            let found = contents(&files);
            assert!(found == b"old" || found == b"new", "{fault:?} at {at}");
            if done.is_ok() {
                assert!(
                    files
                        .crash()
                        .some(100, 0)
                        .all(|after| contents(&after) == b"new")
                );
            }
            edit(&files, Path::new("/f"), MODE, |_| Some(b"new".to_vec())).unwrap();
            assert_eq!(contents(&files), b"new", "{fault:?} at {at}, repeated");
            let all = files
                .crash()
                .some(100, 0)
                .all(|after| contents(&after) == b"new");
            assert!(all, "{fault:?} at {at}, repeated, then a crash");
        }
    }
}

#[test]
fn mode_and_owner_are_those_asked_for() {
    let files = SimFiles::new();
    let owned = Attributes::owned(0o600, Some((89, 90)));
    publish(&files, Path::new("/f"), b"x", owned).unwrap();
    let stat = files.stat(Path::new("/f")).unwrap();
    assert_eq!((stat.mode, stat.uid, stat.gid), (0o600, 89, 90));
    assert_eq!(read_if_there(&files, Path::new("/none"), 10).unwrap(), None);
    assert!(read_if_there(&files, Path::new("/f"), 0).is_err());
}

#[test]
fn an_unreadable_control_file_is_not_a_missing_one() {
    let files = SimFiles::new();
    files.mkdir(Path::new("/control"), 0o755).unwrap();
    let control = ControlDir::new(&files, "/control");
    assert!(control.read("rcpthosts").unwrap().is_none());
    files.mkdir(Path::new("/control/rcpthosts"), 0o755).unwrap();
    assert!(control.read("rcpthosts").is_err());
    control.write("me", b"mx.example.org\n").unwrap();
    assert!(control.load().is_err());
}

#[test]
fn waiting_writers_share_syncs_and_all_are_durable() {
    let files = Arc::new(SimFiles::new());
    let syncs = Arc::new(DirSyncs::new(Arc::clone(&files)));
    std::thread::scope(|scope| {
        for n in 0..32 {
            let (files, syncs) = (Arc::clone(&files), Arc::clone(&syncs));
            scope.spawn(move || {
                let path = format!("/f{n}");
                let file = files.create_new(Path::new(&path), 0o600).unwrap();
                file.sync().unwrap();
                syncs.mark(Path::new("/")).wait().unwrap();
                for after in files.crash().some(20, n) {
                    assert!(after.exists(Path::new(&path)).unwrap(), "{path}");
                }
            });
        }
    });
}

#[test]
fn a_shared_sync_that_fails_is_reported() {
    let files = Arc::new(SimFiles::new());
    let syncs = DirSyncs::new(Arc::clone(&files));
    let before = syncs.moment(Path::new("/"));
    files.inject(1, Fault::Io);
    assert!(syncs.mark(Path::new("/")).wait().is_err());
    syncs.mark(Path::new("/")).wait().unwrap();
    assert!(
        before.wait().is_err(),
        "the failed sync may have dropped what was made since"
    );
}
