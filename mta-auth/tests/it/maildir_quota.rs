//! Counting what a Maildir holds, by Maildir++'s rules (maildirquota(7)).

use mta_auth::maildir_quota::MaildirQuota;
use mta_auth::{Quota, Usage};
use mta_core::Unix;
use mta_store::files::{Files, OpenFile, SimFiles};
use mta_store::maildir::{Maildir, UniqueName};
use std::path::Path;
use std::sync::Arc;

const MAILDIR: &str = "/Maildir";

fn fresh() -> Arc<SimFiles> {
    let files = Arc::new(SimFiles::new());
    Maildir::new(Arc::clone(&files), MAILDIR)
        .create(None)
        .unwrap();
    files
}

fn put(files: &SimFiles, path: &str, bytes: &[u8]) {
    let file = files.create_new(Path::new(path), 0o600).unwrap();
    file.append_all(bytes).unwrap();
}

fn at(time: u64) -> UniqueName<'static> {
    UniqueName {
        time: Unix(time),
        pid: 9,
        counter: 0,
        host: "mx",
    }
}

fn size(files: &SimFiles) -> Option<String> {
    let bytes = files.read(Path::new("/Maildir/maildirsize"), 10_000).ok()?;
    Some(String::from_utf8(bytes).unwrap())
}

fn set_time(files: &SimFiles, path: &str, time: u64) {
    let file = files
        .open(Path::new(path), mta_store::files::Access::ReadWrite)
        .unwrap();
    file.set_mtime(Unix(time)).unwrap();
}

fn quota(text: &str) -> Quota {
    Quota::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_recount_sees_what_the_owner_sees() {
    let files = fresh();
    for dir in ["/Maildir/.Sent", "/Maildir/.Trash", "/Maildir/plain"] {
        Maildir::new(Arc::clone(&files), dir).create(None).unwrap();
    }
    put(&files, "/Maildir/new/1.a,S=100", b"x");
    put(&files, "/Maildir/cur/2.b:2,S", b"four");
    put(&files, "/Maildir/cur/3.c,S=1000:2,ST", b"trashed");
    put(&files, "/Maildir/new/.hidden", b"hidden");
    put(&files, "/Maildir/tmp/unfinished", b"unfinished");
    put(&files, "/Maildir/.Sent/cur/4.d,S=20,W=30:2,", b"x");
    put(&files, "/Maildir/.Trash/cur/5.e,S=5000", b"x");
    put(&files, "/Maildir/plain/cur/6.f,S=5000", b"x");
    let accounts = MaildirQuota::of(&*files, Path::new(MAILDIR)).unwrap();
    let state = accounts.state(quota("1000S,10C"), at(1)).unwrap();
    assert_eq!(
        state.usage,
        Usage {
            bytes: 124,
            messages: 3
        }
    );
    assert_eq!(size(&files).unwrap(), "1000S,10C\n124 3\n");
    assert!(
        files.names(Path::new("/Maildir/tmp")).unwrap().len() == 1,
        "no scratch is left"
    );
}

#[test]
fn a_fresh_file_is_believed_and_its_quota_too() {
    let files = fresh();
    put(&files, "/Maildir/maildirsize", b"500S\n400 4\n");
    set_time(&files, "/Maildir/maildirsize", 1000);
    let accounts = MaildirQuota::of(&*files, Path::new(MAILDIR)).unwrap();
    let state = accounts.state(quota("9S"), at(1000 + 15 * 60)).unwrap();
    assert_eq!((state.quota, state.usage.bytes), (quota("500S"), 400));
    assert!(state.is_over_with(Usage::message(101)));
    assert!(!state.is_over_with(Usage::message(100)), "equal fits");
}

#[test]
fn an_old_a_long_and_a_damaged_file_are_counted_anew() {
    let long = [b"500S\n".to_vec(), b"1 1\n".repeat(1300)].concat();
    let rows: [(&str, &[u8], u64, &str); 4] = [
        ("old", b"500S\n400 4\n", 1000 + 15 * 60 + 1, "500S\n0 0\n"),
        ("long", &long, 1000, "500S\n0 0\n"),
        ("damaged", b"500S\n400 fo", 1000, "9S\n0 0\n"),
        ("left empty by a crash", b"", 1000, "9S\n0 0\n"),
    ];
    for (name, file, now, expected) in rows {
        let files = fresh();
        put(&files, "/Maildir/maildirsize", file);
        set_time(&files, "/Maildir/maildirsize", 1000);
        let accounts = MaildirQuota::of(&*files, Path::new(MAILDIR)).unwrap();
        accounts.state(quota("9S"), at(now)).unwrap();
        assert_eq!(size(&files).unwrap(), expected, "{name}");
    }
}

#[test]
fn deliveries_and_removals_are_added_where_a_file_is() {
    let files = fresh();
    let accounts = MaildirQuota::of(&*files, Path::new(MAILDIR)).unwrap();
    accounts.add(Usage::message(5)).unwrap();
    assert_eq!(size(&files), None);
    put(&files, "/Maildir/maildirsize", b"500S\n400 4\n");
    accounts.add(Usage::message(7)).unwrap();
    accounts
        .subtract(Usage {
            bytes: 300,
            messages: 3,
        })
        .unwrap();
    assert_eq!(size(&files).unwrap(), "500S\n400 4\n7 1\n-300 -3\n");
}

#[test]
fn a_folder_is_on_its_parents_account() {
    let files = fresh();
    Maildir::new(Arc::clone(&files), "/Maildir/.Work")
        .create(None)
        .unwrap();
    put(&files, "/Maildir/.Work/maildirfolder", b"");
    let accounts = MaildirQuota::of(&*files, Path::new("/Maildir/.Work")).unwrap();
    accounts.state(quota("500S"), at(1)).unwrap();
    assert_eq!(size(&files).unwrap(), "500S\n0 0\n");
}

#[test]
fn the_owner_is_warned_once_a_day() {
    let files = fresh();
    let accounts = MaildirQuota::of(&*files, Path::new(MAILDIR)).unwrap();
    let day = 24 * 60 * 60;
    assert!(accounts.take_warning(Unix(1000)).unwrap());
    assert!(!accounts.take_warning(Unix(1000 + day - 1)).unwrap());
    assert!(accounts.take_warning(Unix(1000 + day)).unwrap());
    assert!(!accounts.take_warning(Unix(1000 + day + 1)).unwrap());
}

#[test]
fn no_quota_has_no_file() {
    let files = fresh();
    put(&files, "/Maildir/maildirsize", b"500S\n400 4\n");
    let accounts = MaildirQuota::of(&*files, Path::new(MAILDIR)).unwrap();
    accounts.recount(Quota::NONE, at(1)).unwrap();
    assert_eq!(size(&files), None);
}
