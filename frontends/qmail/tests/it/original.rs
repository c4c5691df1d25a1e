//! qmail-inject beside the original one, where MTA_ORIGINAL_QMAIL names a directory with it (qmail-inject(8), spec §11).
//!
//! Deliberate differences (mta_core::inject) are left out of the table.

use crate::kit::{BINARY, Home};
use std::ffi::OsStr;
use std::io::{Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output};

const DATED: &str = "Date: x\nMessage-ID: <1@x>\n";

fn original(test: &str) -> Option<PathBuf> {
    let directory = std::env::var_os("MTA_ORIGINAL_QMAIL");
    let program = directory.map(|directory| PathBuf::from(directory).join("qmail-inject"));
    if program.is_none() {
        mta_tests::skip(test, "MTA_ORIGINAL_QMAIL names no directory of originals");
    }
    program
}

fn printed(program: &OsStr, home: &Home, args: &[&str], set: &str, message: &str) -> Output {
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(message.as_bytes()).unwrap();
    input.rewind().unwrap();
    let mut command = Command::new(program);
    command.arg0("qmail-inject").arg("-n").args(args);
    command.env_clear().env("MTA_HOME", home.path());
    // The original's control files lie where it was built for.
    let hosts =
        "QMAILDEFAULTHOST=dh;QMAILDEFAULTDOMAIN=d.d;QMAILPLUSDOMAIN=p.p;QMAILIDHOST=i.i;USER=joe";
    for assignment in hosts.split(';').chain(set.split(';')) {
        let (name, value) = assignment.split_once('=').unwrap_or((assignment, ""));
        if !name.is_empty() {
            command.env(name, value);
        }
    }
    command.stdin(input).output().unwrap()
}

const LONG: &str = "To: one@some.host,two@some.host,three@some.host,four@some.host,five@some.host,six@some.host,seven@some.host\n";

/// Variables, arguments, message.
const ROWS: [(&str, &[&str], &str); 30] = [
    ("", &[], "To: fred@box\n\nbody\n"),
    ("", &[], "To: eric@m.cs+, a, b@c.d.\n\n"),
    ("", &[], "Cc: <@r1,@r2:z@w>, \"A. B\" <x@y>\n\n"),
    ("", &[], "To: quux@[1.2.3.4]\n\n"),
    ("", &[], "To: group: a, b;, c\n\n"),
    ("", &[], "To: a (comment), b@c (d)\n\n"),
    ("", &[], "To: c d\n\n"),
    ("", &[], LONG),
    (
        "",
        &[],
        "Bcc: x\nContent-Length: 5\nReturn-Path: <r@p>\nX: y\n\nb",
    ),
    ("", &[], "Resent-To: a\nTo: b\n\n"),
    ("", &[], "Resent-From: a\nResent-Bcc: b\n\n"),
    ("", &[], "From a mbox\nSubject: x\n\n"),
    ("", &[], "Subject: x\nno field\nbody\n"),
    ("", &[], "Subject: header only"),
    (
        "",
        &[],
        "Apparently-To: a\nReply-To: b\nErrors-To: c\nSender: d\n\n",
    ),
    ("", &[], "To: \"a b\"@c\n\n"),
    ("", &[], "To: a\n b,\n\tc\n\n"),
    ("", &["-f", "s"], "\n"),
    ("", &["-f", ""], "\n"),
    ("", &["-f", "a b@c"], "\n"),
    ("", &["-f", "#@[]"], "\n"),
    ("NAME=Joe D.", &[], "\n"),
    ("NAME=Joe;QMAILINJECT=c", &[], "\n"),
    ("QMAILINJECT=r", &[], "\n"),
    ("QMAILINJECT=f", &[], "From: x\n\n"),
    ("QMAILINJECT=s", &[], "Return-Path: <a@b>\n\n"),
    ("QMAILUSER=a b;QMAILHOST=h", &[], "\n"),
    ("QMAILSUSER=s;QMAILSHOST=t", &[], "\n"),
    ("MAILUSER=m;MAILHOST=n", &[], "\n"),
    ("", &["a", "b@c"], "To: ignored\n\n"),
];

#[test]
fn headers_are_written_as_the_original_writes_them() {
    let test = "headers_are_written_as_the_original_writes_them";
    let Some(original) = original(test) else {
        return;
    };
    let home = Home::new();
    let mut differ = String::new();
    for (set, args, message) in ROWS {
        let message = format!("{DATED}Resent-Comment: x\n{message}");
        let want = printed(original.as_os_str(), &home, args, set, &message);
        let got = printed(OsStr::new(BINARY), &home, args, set, &message);
        // What names the moment and the process is not compared.
        let plain = |output: &Output| -> (Option<i32>, String) {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let generated = ["Resent-Date: ", "Resent-Message-ID: "];
            let kept = text
                .lines()
                .filter(|line| !generated.iter().any(|g| line.starts_with(g)));
            (
                output.status.code(),
                kept.map(|line| format!("{line}\n")).collect(),
            )
        };
        if plain(&got) != plain(&want) {
            differ += &format!(
                "--- {set:?} {args:?} {message:?}\n{:?}\n{:?}\n",
                plain(&want),
                plain(&got)
            );
        }
    }
    assert!(differ.is_empty(), "{differ}");
}
