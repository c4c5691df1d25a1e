//! maildir2mbox: what it appends, in which order, and what it leaves alone.

use crate::kit::{Ended, Home, Run};
use std::time::{Duration, SystemTime};

fn message(home: &Home, path: &str, seconds: u64, text: &str) {
    home.write(path, text);
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(home.at(path))
        .unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .unwrap();
}

fn maildir() -> Home {
    let home = Home::new();
    assert_eq!(home.run("maildirmake").args(["Maildir"]).end().code, 0);
    home
}

fn converting(home: &Home) -> Run {
    home.run("maildir2mbox")
        .env("MAILDIR", home.at("Maildir"))
        .env("MAIL", home.at("mbox"))
        .env("MAILTMP", home.at("mbox.tmp"))
}

#[test]
fn messages_are_appended_in_the_order_of_their_time() {
    let home = maildir();
    home.write("mbox", "From a Thu Jan 01 00:00:00 1970\nold\n\n");
    message(
        &home,
        "Maildir/cur/2.b:2,S",
        86_400,
        "Return-Path: <me at@h>\nS: x\n\nFrom me\n>From you",
    );
    message(&home, "Maildir/new/1.a", 60, "Return-Path: <>\n\n");
    message(&home, "Maildir/new/3.c", 172_800, "only line");
    let got = converting(&home).end();
    assert_eq!((got.code, got.err.as_str()), (0, ""));
    let want = "From a Thu Jan 01 00:00:00 1970\nold\n\n\
        From MAILER-DAEMON Thu Jan 01 00:01:00 1970\nReturn-Path: <>\n\n\n\
        From me-at@h Fri Jan 02 00:00:00 1970\nReturn-Path: <me at@h>\nS: x\n\n>From me\n>>From you\n\n\
        From XXX Sat Jan 03 00:00:00 1970\nonly line\n\n";
    assert_eq!(std::fs::read_to_string(home.at("mbox")).unwrap(), want);
    for folder in ["Maildir/new", "Maildir/cur"] {
        assert_eq!(
            std::fs::read_dir(home.at(folder)).unwrap().count(),
            0,
            "{folder}"
        );
    }
    assert!(!home.at("mbox.tmp").exists());
}

#[test]
fn nothing_new_touches_nothing() {
    let home = maildir();
    assert_eq!(converting(&home).end().code, 0);
    assert!(!home.at("mbox").exists());
}

#[test]
fn what_is_missing_is_told_and_no_message_goes() {
    let home = maildir();
    message(&home, "Maildir/new/1.a", 60, "x\n");
    let run = |name: &str| {
        let mut run = converting(&home);
        run.command.env_remove(name);
        run.end()
    };
    for name in ["MAIL", "MAILTMP", "MAILDIR"] {
        let err = format!("maildir2mbox: fatal: {name} not set\n");
        assert_eq!(
            run(name),
            Ended {
                code: 111,
                out: String::new(),
                err
            }
        );
    }
    let nowhere = converting(&home).env("MAILDIR", "/no/such").end();
    assert_eq!(nowhere.code, 111);
    let full = converting(&home).env("MAILTMP", "/no/such/tmp").end();
    let want = "maildir2mbox: fatal: unable to create /no/such/tmp: file does not exist\n";
    assert_eq!((full.code, full.err.as_str()), (111, want));
    assert!(home.at("Maildir/new/1.a").exists());
}
