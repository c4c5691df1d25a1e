//! What vdelivermail does for virtual mailboxes: quotas, extensions, flags, default lines (vdelivermail(8), spec vpopmail §4).

use crate::kit::{Home, Running, messages, until};
use crate::local::{give, own_home};
use std::fs;
use std::path::PathBuf;

fn domain(home: &Home) -> PathBuf {
    home.path().join("domains/example.org")
}

fn write(path: PathBuf, text: &str) {
    fs::write(&path, text).unwrap();
    give(&path);
}

/// Gives joe a quota as vsetuserquota does.
fn limit(home: &Home, quota: &str) {
    let vpasswd = domain(home).join("vpasswd");
    let text = fs::read_to_string(&vpasswd).unwrap();
    let change = |line: &str| match line.starts_with("joe:") {
        true => format!("{}:{quota}\n", line.rsplit_once(':').unwrap().0),
        false => format!("{line}\n"),
    };
    write(vpasswd, &text.lines().map(change).collect::<String>());
    // A missing database is made of the lines.
    fs::remove_file(domain(home).join("vpasswd.cdb")).unwrap();
}

fn message(mtad: &mut Running, to: &str, size: usize) {
    let text = format!("Subject: x\r\n\r\n{}", "x".repeat(size));
    let reply = mtad.message("postmaster@example.org", &[to], &text);
    assert!(reply.starts_with("250"), "{to}: {reply}");
}

#[test]
fn a_full_mailbox_bounces_in_the_administrators_words() {
    let home = own_home();
    limit(&home, "5000S");
    let joe = domain(&home).join("joe/Maildir");
    let mut mtad = Running::start(&home);
    message(&mut mtad, "joe@example.org", 1000);
    until("the mail", || messages(&joe).pop());
    let size = fs::read_to_string(joe.join("maildirsize")).unwrap();
    let stored: u64 = fs::read_dir(joe.join("new"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert_eq!(size, format!("5000S\n0 0\n{stored} 1\n"));
    message(&mut mtad, "joe@example.org", 6000);
    mtad.logged("failure: user_is_over_quota");
    write(domain(&home).join(".over-quota.msg"), "No room for you.\n");
    message(&mut mtad, "joe@example.org", 6000);
    mtad.logged("failure: No_room_for_you");
    assert_eq!(messages(&joe).len(), 1);
}

#[test]
fn a_nearly_full_mailbox_is_warned_once() {
    let home = own_home();
    limit(&home, "1000000S,10C");
    write(
        domain(&home).join(".quotawarn.msg"),
        "Subject: nearly full\n\nDelete some.\n",
    );
    let joe = domain(&home).join("joe/Maildir");
    write(joe.join("maildirsize"), "1000000S,10C\n10 7\n");
    let mut mtad = Running::start(&home);
    for count in 1..=2 {
        message(&mut mtad, "joe@example.org", 10);
        until("the mail", || (messages(&joe).len() >= count).then_some(()));
    }
    // The second of these is the ninth message, and before the third the box is 90 percent full.
    message(&mut mtad, "joe@example.org", 10);
    until("the warning", || (messages(&joe).len() == 4).then_some(()));
    let warned = messages(&joe);
    let warning = warned.iter().find(|text| text.contains("nearly full"));
    assert!(
        warning
            .unwrap()
            .starts_with("Delivered-To: joe@example.org\nDate: ")
    );
    message(&mut mtad, "joe@example.org", 10);
    mtad.logged("failure: user_is_over_quota");
    assert_eq!(messages(&joe).len(), 4);
}

#[test]
fn extensions_are_the_mailboxs_where_the_setting_says_so() {
    let home = own_home();
    let joe = domain(&home).join("joe");
    let etc = home.path().join("etc");
    fs::create_dir(&etc).unwrap();
    give(&etc);
    let mut mtad = Running::start(&home);
    let refused = mtad.message("ann@client.example", &["joe-list@example.org"], "x");
    assert!(refused.starts_with("550"), "{refused}");
    write(etc.join("vpopmail.conf"), "qmail-ext=y\n");
    message(&mut mtad, "joe-list@example.org", 10);
    until("the mail", || messages(&joe.join("Maildir")).pop());
    write(
        joe.join(".qmail-list-default"),
        "|echo for $EXT; exit 100\n",
    );
    message(&mut mtad, "joe-list-x@example.org", 10);
    mtad.logged("failure: for_joe-list-x/");
    assert_eq!(messages(&joe.join("Maildir")).len(), 1);
}

#[test]
fn a_default_line_forwards_to_the_same_name_elsewhere() {
    let home = own_home();
    let line = format!(
        "| {}/bin/vdelivermail '' $EXT@mx.example.org\n",
        home.path().display()
    );
    write(domain(&home).join(".qmail-default"), &line);
    write(
        home.path().join("alias/.qmail-eve"),
        "|echo got it; exit 100\n",
    );
    let mut mtad = Running::start(&home);
    message(&mut mtad, "eve@example.org", 10);
    mtad.logged("failure: got_it/");
}
