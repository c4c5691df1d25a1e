//! Delivery into Maildirs and reading them, also with a foreign reader and writer (maildir(5)).

use crate::files::Scratch;
use mta_core::Unix;
use mta_store::files::sim::Fault;
use mta_store::files::{Files, OpenFile, RealFiles, SimFiles};
use mta_store::maildir::{DeliverError, Folder, Maildir, UniqueName, WireSize, from_fn};
use std::path::Path;
use std::sync::Arc;

pub(crate) fn named(counter: u64) -> UniqueName<'static> {
    UniqueName {
        time: Unix(1_700_000_000),
        pid: 77,
        counter,
        host: "mx.example.org",
    }
}

fn fresh() -> (Arc<SimFiles>, Maildir<SimFiles>) {
    let files = Arc::new(SimFiles::new());
    let maildir = Maildir::new(Arc::clone(&files), "/Maildir");
    maildir.create(None).unwrap();
    (files, maildir)
}

fn put(files: &SimFiles, path: &str, bytes: &[u8], time: u64) {
    let file = files.create_new(Path::new(path), 0o600).unwrap();
    file.append_all(bytes).unwrap();
    file.set_mtime(Unix(time)).unwrap();
}

#[test]
fn a_delivery_is_prefix_and_message_under_a_name_with_its_sizes() {
    let (files, maildir) = fresh();
    let prefix: [&[u8]; 2] = [b"Return-Path: <>\n", b"Delivered-To: joe@x\n"];
    let delivered = maildir
        .deliver(named(5), &prefix, b"Subject: a\n\nb\n")
        .unwrap();
    assert_eq!(delivered.name, "1700000000.P77Q5.mx.example.org,S=50,W=55");
    assert_eq!(delivered.size, 50);
    let path = Path::new("/Maildir/new").join(&delivered.name);
    assert_eq!(
        files.read(&path, 100).unwrap(),
        b"Return-Path: <>\nDelivered-To: joe@x\nSubject: a\n\nb\n"
    );
    assert_eq!(files.stat(&path).unwrap().mode, 0o600);
    assert!(files.names(Path::new("/Maildir/tmp")).unwrap().is_empty());
}

#[test]
fn messages_larger_than_the_buffer_arrive_whole() {
    let (files, maildir) = fresh();
    let body: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let long_line = vec![b'p'; 40_000];
    for (counter, step) in [(0, usize::MAX), (1, 1000), (2, 32 * 1024)] {
        let source = from_fn(|buf: &mut [u8], at| {
            let rest = &body[usize::try_from(at).unwrap()..];
            let n = rest.len().min(buf.len()).min(step);
            buf[..n].copy_from_slice(&rest[..n]);
            Ok(n)
        });
        let prefix: [&[u8]; 2] = [b"one\n", &long_line];
        let delivered = maildir.deliver(named(counter), &prefix, &source).unwrap();
        let stored = files
            .read(&Path::new("/Maildir/new").join(&delivered.name), 1 << 20)
            .unwrap();
        assert!(
            stored == [&b"one\n"[..], &long_line, &body].concat(),
            "step {step}"
        );
    }
}

#[test]
fn hosts_are_escaped_and_cut_in_names() {
    let rows = [
        ("plain", "mx.example.org", "mx.example.org"),
        ("slash", "a/b", r"a\057b"),
        ("colon", "a:b", r"a\072b"),
        ("comma", "a,S=1", r"a\054S=1"),
        ("not ASCII", "mü\n", "m__"),
        (
            "long",
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "abcdefghijklmnopqrstuvwxyz012345",
        ),
        (
            "escape at the cut",
            "abcdefghijklmnopqrstuvwxyz0123/",
            "abcdefghijklmnopqrstuvwxyz0123",
        ),
    ];
    for (name, host, expected) in rows {
        let unique = UniqueName { host, ..named(1) };
        assert_eq!(
            unique.to_string(),
            format!("1700000000.P77Q1.{expected}"),
            "{name}"
        );
    }
}

#[test]
fn failures_say_whose_they_are_and_leave_nothing() {
    let (files, maildir) = fresh();
    let missing = Maildir::new(Arc::clone(&files), "/none");
    let failed = missing.deliver(named(1), &[], b"x").unwrap_err();
    assert!(matches!(failed, DeliverError::NoMaildir(_)));
    assert_eq!(
        failed.qmail_text(),
        "Unable to chdir to maildir. (#4.2.1)\n"
    );
    let unreadable = from_fn(|_: &mut [u8], _| Err(std::io::Error::other("gone")));
    let failed = maildir.deliver(named(2), &[], &unreadable).unwrap_err();
    assert!(matches!(failed, DeliverError::Source(_)));
    put(
        &files,
        "/Maildir/tmp/1700000000.P77Q3.mx.example.org",
        b"",
        0,
    );
    let failed = maildir.deliver(named(3), &[], b"x").unwrap_err();
    assert!(matches!(failed, DeliverError::NameTaken(_)));
    assert!(maildir.list().unwrap().messages().is_empty());
}

#[test]
fn a_missing_directory_is_an_error_and_never_an_empty_mailbox() {
    let (files, maildir) = fresh();
    files.rmdir(Path::new("/Maildir/cur")).unwrap();
    assert!(maildir.list().is_err());
    maildir.create(None).unwrap();
    assert!(maildir.list().unwrap().messages().is_empty());
    files.inject_during(files.calls() + 1, u64::MAX, Fault::Io);
    assert!(maildir.list().is_err());
}

#[test]
fn listings_are_ordered_by_time_and_hide_what_is_no_message() {
    let (files, maildir) = fresh();
    put(&files, "/Maildir/new/c", b"c", 30);
    put(&files, "/Maildir/cur/b:2,S", b"bb\n", 20);
    put(&files, "/Maildir/cur/no-flags", b"x", 20);
    put(&files, "/Maildir/new/a", b"a", 10);
    put(&files, "/Maildir/new/.hidden", b"h", 5);
    files.mkdir(Path::new("/Maildir/cur/dir"), 0o700).unwrap();
    let listing = maildir.list().unwrap();
    let uids: Vec<_> = listing
        .messages()
        .iter()
        .map(|m| m.uid().to_vec())
        .collect();
    assert_eq!(uids, [&b"a"[..], b"b", b"no-flags", b"c"]);
    assert_eq!(listing.messages()[1].folder, Folder::Cur);
    assert_eq!(listing.messages()[1].size, 3);
}

#[test]
fn wire_sizes_count_line_ends_as_pop3_sends_them() {
    let (files, maildir) = fresh();
    let rows: &[(&str, &[u8], u64)] = &[
        ("n1", b"", 0),
        ("n2", b"a\nb\n", 6),
        ("n3", b"a\r\nb\r\n", 6),
        ("n4", b"no end", 8),
        ("n5", b"cr at the end\r", 16),
        ("n6,W=7", b"a\nb\nc", 7),
        ("n7,W=99", b"a\n", 3),
        ("n8,W=x", b"a\n", 3),
    ];
    for (at, (name, bytes, _)) in rows.iter().enumerate() {
        put(&files, &format!("/Maildir/new/{name}"), bytes, at as u64);
    }
    let listing = maildir.list().unwrap();
    for (at, (name, _, expected)) in rows.iter().enumerate() {
        assert_eq!(listing.wire_size(at).unwrap(), *expected, "{name}");
    }
    let before = files.calls();
    assert_eq!(listing.wire_size(3).unwrap(), 8);
    assert_eq!(files.calls(), before, "a count is remembered");
    let mut cut = WireSize::default();
    cut.add(b"a\r");
    cut.add(b"\nb\n");
    assert_eq!(cut.total(), 6);
}

#[test]
fn names_of_our_deliveries_spare_reading_them() {
    let (files, maildir) = fresh();
    maildir.deliver(named(1), &[], b"a\nb").unwrap();
    let listing = maildir.list().unwrap();
    let before = files.calls();
    assert_eq!(listing.wire_size(0).unwrap(), 6);
    assert_eq!(files.calls(), before);
}

#[test]
fn removal_and_moves_follow_other_readers() {
    let (files, maildir) = fresh();
    for n in 0..4 {
        maildir.deliver(named(n), &[], b"x\n").unwrap();
    }
    let listing = maildir.list().unwrap();
    let other = maildir.list().unwrap();
    other.mark_seen(&[0, 1]).unwrap();
    other.remove(2).unwrap();
    assert_eq!(listing.open(0).unwrap().read_all(10).unwrap(), b"x\n");
    listing.remove(1).unwrap();
    listing.remove(2).unwrap();
    assert!(listing.open(2).is_err());
    listing.update(&[1, 2]).unwrap();
    let cur = files.names(Path::new("/Maildir/cur")).unwrap();
    assert_eq!(cur.len(), 2, "{cur:?}");
    assert!(
        cur.iter()
            .all(|name| name.to_string_lossy().ends_with(":2,"))
    );
    assert!(files.names(Path::new("/Maildir/new")).unwrap().is_empty());
    assert!(listing.open(9).is_err());
}

#[test]
fn a_move_that_was_cut_short_shows_one_message_and_removes_both_names() {
    let (files, maildir) = fresh();
    put(&files, "/Maildir/new/x", b"x\n", 10);
    files
        .link(Path::new("/Maildir/new/x"), Path::new("/Maildir/cur/x:2,"))
        .unwrap();
    let listing = maildir.list().unwrap();
    assert_eq!(listing.messages().len(), 1);
    listing.mark_seen(&[0]).unwrap();
    assert!(files.names(Path::new("/Maildir/new")).unwrap().is_empty());
    files
        .link(Path::new("/Maildir/cur/x:2,"), Path::new("/Maildir/new/x"))
        .unwrap();
    maildir.list().unwrap().update(&[0]).unwrap();
    assert!(maildir.list().unwrap().messages().is_empty());
}

#[test]
fn stale_files_in_tmp_are_cleaned() {
    let (files, maildir) = fresh();
    put(&files, "/Maildir/tmp/old", b"x", 1000);
    put(&files, "/Maildir/tmp/young", b"x", 200_000);
    assert_eq!(maildir.clean_tmp(Unix(200_001)).unwrap(), 1);
    assert_eq!(files.names(Path::new("/Maildir/tmp")).unwrap(), ["young"]);
}

#[test]
fn a_foreign_reader_sees_our_deliveries_and_we_see_its() {
    let scratch = Scratch::new();
    let path = scratch.0.join("Maildir");
    let ours = Maildir::new(Arc::new(RealFiles::new()), &path);
    ours.create(None).unwrap();
    ours.deliver(
        named(1),
        &[b"Return-Path: <>\n"],
        b"Subject: ours\n\nhello\n",
    )
    .unwrap();
    let theirs = maildir::Maildir::from(path);
    let mut entry = theirs.list_new().next().unwrap().unwrap();
    let headers = entry.headers().unwrap();
    assert!(
        headers
            .iter()
            .any(|h| h.get_key() == "Subject" && h.get_value() == "ours")
    );

    theirs.store_new(b"Subject: theirs\n\nhi\n").unwrap();
    theirs
        .store_cur_with_flags(b"Subject: read\n\nhi\n", "S")
        .unwrap();
    let listing = ours.list().unwrap();
    assert_eq!(listing.messages().len(), 3);
    let mut subjects = Vec::new();
    for at in 0..3 {
        let text = listing.open(at).unwrap().read_all(1000).unwrap();
        let text = String::from_utf8(text).unwrap();
        subjects.extend(
            text.lines()
                .find(|l| l.starts_with("Subject"))
                .map(str::to_owned),
        );
        assert!(listing.wire_size(at).unwrap() > listing.messages()[at].size);
    }
    listing.update(&[]).unwrap();
    subjects.sort();
    assert_eq!(
        subjects,
        ["Subject: ours", "Subject: read", "Subject: theirs"]
    );
    assert_eq!((theirs.count_new(), theirs.count_cur()), (0, 3));
    assert!(theirs.list_cur().all(|entry| entry.is_ok()));
}

#[test]
fn whatever_comes_goes_or_moves_gives_another_stamp() {
    let scratch = Scratch::new();
    let path = scratch.0.join("Maildir");
    let maildir = Maildir::new(Arc::new(RealFiles::new()), &path);
    maildir.create(None).unwrap();
    let aged = |folder: &str| {
        let dir = std::fs::File::open(path.join(folder)).unwrap();
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        dir.set_modified(time).unwrap();
    };
    let changes: [(&str, &dyn Fn()); 3] = [
        ("delivered", &|| {
            maildir.deliver(named(1), &[], b"a\n").unwrap();
        }),
        ("seen", &|| maildir.list().unwrap().mark_seen(&[0]).unwrap()),
        ("removed", &|| maildir.list().unwrap().remove(0).unwrap()),
    ];
    for (name, change) in changes {
        aged("new");
        aged("cur");
        let before = maildir.stamp().unwrap();
        assert_eq!(maildir.stamp().unwrap(), before, "{name}");
        let rows = [(1003, true), (1002, false), (5, false)];
        for (now, settled) in rows {
            assert_eq!(before.is_settled(Unix(now)), settled, "{name} at {now}");
        }
        change();
        assert_ne!(maildir.stamp().unwrap(), before, "{name}");
    }
}
