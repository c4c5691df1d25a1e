//! The example delivers, and what it reported survives a power failure (maildir(5)).

use super::{deliver, sequential};
use mta_core::Unix;
use mta_store::files::{Files, OpenFile, SimFiles};
use mta_store::maildir::{Maildir, UniqueName};
use std::path::Path;
use std::sync::Arc;

const NAME: UniqueName<'static> = UniqueName {
    time: Unix(1_700_000_000),
    pid: 1,
    counter: 0,
    host: "localhost",
};

#[test]
fn a_message_that_is_piped_in_arrives_whole() {
    let body = "Subject: long\n\n".to_owned() + &"words and words\n".repeat(10_000);
    let maildir = Maildir::new(Arc::new(SimFiles::new()), "/Maildir");
    deliver(&maildir, NAME, &sequential(body.as_bytes())).unwrap();
    let file = maildir.list().unwrap().open(0).unwrap();
    let stored = file.read_all(1 << 20).unwrap();
    assert!(stored == ["Return-Path: <>\n", &body].concat().into_bytes());
}

#[test]
fn a_reported_message_survives_every_power_failure() {
    let files = Arc::new(SimFiles::new());
    let maildir = Maildir::new(Arc::clone(&files), "/Maildir");
    let delivered = deliver(&maildir, NAME, b"Subject: hello\n").unwrap();
    let path = Path::new("/Maildir/new").join(delivered.name);
    for after in files.crash().some(1000, 0) {
        let stored = after.read(&path, 1000).unwrap();
        assert_eq!(stored, b"Return-Path: <>\nSubject: hello\n");
    }
}
