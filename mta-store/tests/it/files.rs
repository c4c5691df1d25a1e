//! The port means the same on the real disk and on the simulated one (POSIX.1-2024).

use mta_core::Unix;
use mta_store::files::sim::Fault;
use mta_store::files::{Access, Files, Kind, OpenFile, RealFiles, SimFiles, Wait};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of the real disk that goes away with the value.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "store-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn names_and_bytes<F: Files>(files: &F, dir: &Path) {
    let at = |name: &str| dir.join(name);
    let file = files.create_new(&at("a"), 0o640).unwrap();
    assert_eq!(
        files.create_new(&at("a"), 0o640).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    file.append_all(b"hello ").unwrap();
    file.append_all(b"world").unwrap();
    file.write_all_at(b"W", 6).unwrap();
    file.sync().unwrap();
    assert_eq!(files.read(&at("a"), 11).unwrap(), b"hello World");
    assert_eq!(
        files.read(&at("a"), 10).unwrap_err().kind(),
        ErrorKind::FileTooLarge
    );
    file.truncate(5).unwrap();
    file.set_mtime(Unix(77)).unwrap();
    let stat = files.stat(&at("a")).unwrap();
    assert_eq!((stat.kind, stat.size, stat.mode), (Kind::File, 5, 0o640));
    assert_eq!((stat.mtime, stat.nlink), (Unix(77), 1));
    assert_eq!(stat.ino, file.stat().unwrap().ino);

    files.link(&at("a"), &at("b")).unwrap();
    assert_eq!(
        files.link(&at("a"), &at("b")).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    assert_eq!(files.stat(&at("b")).unwrap().nlink, 2);
    files.create_new(&at("c"), 0o600).unwrap();
    assert_eq!(
        files.rename_new(&at("b"), &at("c")).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    files.rename(&at("b"), &at("c")).unwrap();
    files.rename_new(&at("c"), &at("d")).unwrap();
    assert_eq!(files.names(dir).unwrap(), ["a", "d"]);
    files.chmod(&at("d"), 0o600).unwrap();
    assert_eq!(files.stat(&at("a")).unwrap().mode, 0o600);
    files.sync_dir(dir).unwrap();
    files.unlink(&at("a")).unwrap();
    assert!(!files.unlink_if_there(&at("a")).unwrap());
    assert_eq!(
        files.open(&at("a"), Access::Read).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

fn directories_locks_and_fifos<F: Files>(files: &F, dir: &Path) {
    let at = |name: &str| dir.join(name);
    files.mkdir(&at("sub"), 0o750).unwrap();
    assert_eq!(files.stat(&at("sub")).unwrap().kind, Kind::Dir);
    files.create_new(&at("sub/x"), 0o600).unwrap();
    assert!(files.rmdir(&at("sub")).is_err());
    assert!(files.unlink(&at("sub")).is_err());
    files.unlink(&at("sub/x")).unwrap();
    files.rmdir(&at("sub")).unwrap();

    let held = files.lock(&at("lock"), Wait::Never).unwrap();
    assert!(held.is_some());
    assert!(files.lock(&at("lock"), Wait::Never).unwrap().is_none());
    drop(held);
    assert!(files.lock(&at("lock"), Wait::Forever).unwrap().is_some());

    files.mkfifo(&at("fifo"), 0o622).unwrap();
    assert_eq!(files.stat(&at("fifo")).unwrap().kind, Kind::Fifo);
    assert_eq!(
        files.read(&at("fifo"), 10).unwrap_err().kind(),
        ErrorKind::InvalidData
    );
    files.pull(&at("fifo")).unwrap();
}

#[test]
fn the_real_disk_keeps_the_contract() {
    let scratch = Scratch::new();
    names_and_bytes(&RealFiles::new(), &scratch.0);
    let scratch = Scratch::new();
    directories_locks_and_fifos(&RealFiles::new(), &scratch.0);
}

#[test]
fn the_simulated_disk_keeps_the_contract() {
    for check in [names_and_bytes::<SimFiles>, directories_locks_and_fifos] {
        let files = SimFiles::new();
        files.mkdir(Path::new("/d"), 0o700).unwrap();
        check(&files, Path::new("/d"));
    }
}

#[test]
fn a_pulled_trigger_nobody_reads_is_no_error() {
    let scratch = Scratch::new();
    let fifo = scratch.0.join("trigger");
    RealFiles::new().mkfifo(&fifo, 0o622).unwrap();
    assert!(!RealFiles::new().pull(&fifo).unwrap());
}

#[test]
fn what_was_synced_survives_every_crash_and_the_rest_may_not() {
    let files = SimFiles::new();
    let (kept, gone) = (Path::new("/kept"), Path::new("/gone"));
    let file = files.create_new(kept, 0o600).unwrap();
    file.append_all(b"durable").unwrap();
    file.sync().unwrap();
    files.sync_dir(Path::new("/")).unwrap();
    file.append_all(b" and more").unwrap();
    let other = files.create_new(gone, 0o600).unwrap();
    other.append_all(b"x").unwrap();
    other.sync().unwrap();
    let crash = files.crash();
    let mut kept_forms = std::collections::BTreeSet::new();
    let mut gone_forms = std::collections::BTreeSet::new();
    for after in crash.some(1000, 0) {
        kept_forms.insert(after.read(kept, 100).unwrap());
        gone_forms.insert(after.read(gone, 100).ok());
    }
    assert!(kept_forms.iter().all(|f| f.starts_with(b"durable")));
    assert!(kept_forms.contains(&b"durable"[..]));
    assert!(kept_forms.contains(&b"durable and more"[..]));
    assert!(kept_forms.len() >= 4, "torn and hollow tails too");
    assert_eq!(gone_forms.len(), 2, "a file synced without its directory");
}

#[test]
fn a_rename_between_directories_may_leave_both_names_or_neither() {
    let files = SimFiles::new();
    let (one, two) = (Path::new("/one"), Path::new("/two"));
    files.mkdir(one, 0o700).unwrap();
    files.mkdir(two, 0o700).unwrap();
    let file = files.create_new(&one.join("f"), 0o600).unwrap();
    file.sync().unwrap();
    files.settle();
    files.rename(&one.join("f"), &two.join("f")).unwrap();
    let crash = files.crash();
    let seen: std::collections::BTreeSet<_> = (0..crash.outcomes())
        .map(|i| crash.outcome(i))
        .map(|f| {
            (
                f.exists(&one.join("f")).unwrap(),
                f.exists(&two.join("f")).unwrap(),
            )
        })
        .collect();
    assert_eq!(seen.len(), 4);
}

#[test]
fn inode_numbers_are_reused_at_once_and_stale_names_show_the_new_file() {
    let files = SimFiles::new();
    let (old, new) = (Path::new("/old"), Path::new("/new"));
    let file = files.create_new(old, 0o600).unwrap();
    let ino = file.stat().unwrap().ino;
    file.append_all(b"old").unwrap();
    drop(file);
    files.settle();
    files.unlink(old).unwrap();
    let file = files.create_new(new, 0o600).unwrap();
    assert_eq!(file.stat().unwrap().ino, ino);
    file.append_all(b"new").unwrap();
    file.sync().unwrap();
    let stale = files.crash().outcome(0);
    assert_eq!(stale.read(old, 10).unwrap(), b"new");
    assert!(!stale.exists(new).unwrap());
}

#[test]
fn after_a_failed_sync_the_next_one_succeeds_and_the_data_is_gone() {
    let files = SimFiles::new();
    let path = Path::new("/f");
    let file = files.create_new(path, 0o600).unwrap();
    files.settle();
    file.append_all(b"data").unwrap();
    files.inject(files.calls() + 1, Fault::Io);
    assert!(file.sync().is_err());
    assert!(file.sync().is_ok());
    assert_eq!(files.read(path, 10).unwrap(), b"data", "the cache has it");
    let lost = files.crash().random(1);
    assert_eq!(lost.read(path, 10).unwrap(), b"");
}

#[test]
fn a_cut_fails_every_later_call() {
    let files = SimFiles::new();
    files.cut_power_at(2);
    files.create_new(Path::new("/a"), 0o600).unwrap();
    assert!(files.stat(Path::new("/a")).is_err());
    assert!(files.create_new(Path::new("/b"), 0o600).is_err());
}
