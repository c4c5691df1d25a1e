//! What .qmail files, aliases and domains make of a message (dot-qmail(5), vdelivermail(8)).

use crate::kit::{Home, Running, messages, until};
use std::fs;

#[test]
fn an_alias_forwards_to_the_administrator() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    let reply = mtad.message(
        "a@client.example",
        &["postmaster@mx.example.org"],
        "Subject: help\r\n\r\nx",
    );
    assert!(reply.starts_with("250"), "{reply}");
    let mail = until("the forwarded message", || home.mail("joe").pop());
    assert!(
        mail.starts_with("Return-Path: <a@client.example>\nDelivered-To: joe@example.org\n"),
        "{mail}"
    );
    assert!(
        mail.contains("\nDelivered-To: postmaster@mx.example.org\n"),
        "{mail}"
    );
    mtad.logged("success: did_0+1+0/qp_");
}

#[test]
fn lines_are_carried_out_in_order_and_forwards_go_in_one_message() {
    let home = Home::new();
    for user in ["ann@example.org", "bob@example.org"] {
        home.run(&["user", "add", user, "--password-stdin"], "x\n")
            .ok();
    }
    let lines = "# everybody\n./box/\n&ann@example.org\nbob@example.org\n";
    let alias = home.path().join("alias");
    fs::write(alias.join(".qmail-all"), lines).unwrap();
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(alias.join("box").join(part)).unwrap();
    }
    let mut mtad = Running::start(&home);
    mtad.message(
        "a@client.example",
        &["all@mx.example.org"],
        "Subject: x\r\n\r\nbody",
    );
    mtad.logged("success: did_1+2+0/qp_");
    until("ann's copy", || home.mail("ann").pop());
    until("bob's copy", || home.mail("bob").pop());
    assert_eq!(messages(&alias.join("box")).len(), 1);
}

#[test]
fn a_message_that_was_here_before_fails() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    let text = "Delivered-To: joe@example.org\r\nSubject: x\r\n\r\nbody";
    mtad.message("", &["joe@example.org"], text);
    mtad.logged("failure: This_message_is_looping");
}

#[test]
fn a_catch_all_address_gets_what_nobody_else_does() {
    let home = Home::new();
    let path = home.path().join("domains/example.org/.qmail-default");
    let line = fs::read_to_string(&path).unwrap();
    fs::write(&path, line.replace("bounce-no-mailbox", "joe@example.org")).unwrap();
    let mut mtad = Running::start(&home);
    let reply = mtad.message(
        "a@client.example",
        &["anybody@example.org"],
        "Subject: x\r\n\r\nbody",
    );
    assert!(reply.starts_with("250"), "{reply}");
    let mail = until("the message", || home.mail("joe").pop());
    assert!(
        mail.contains("Delivered-To: anybody@example.org\n"),
        "{mail}"
    );
}

#[test]
fn a_catch_all_directory_is_served_like_a_mailbox() {
    let home = Home::new();
    let path = home.path().join("domains/example.org/.qmail-default");
    let line = fs::read_to_string(&path).unwrap();
    let catch = home.path().join("catch");
    fs::create_dir(&catch).unwrap();
    let line = line.replace("bounce-no-mailbox", catch.to_str().unwrap());
    fs::write(&path, line).unwrap();
    let mut mtad = Running::start(&home);
    mtad.message("", &["who@example.org"], "Subject: x\r\n\r\nbody");
    let mail = until("the message", || messages(&catch.join("Maildir")).pop());
    assert!(
        mail.starts_with("Return-Path: <>\nDelivered-To: who@example.org\n"),
        "{mail}"
    );
    fs::write(catch.join(".qmail"), "# mine\n&joe@example.org\n").unwrap();
    mtad.message("", &["who@example.org"], "Subject: x\r\n\r\nbody");
    until("the forwarded message", || home.mail("joe").pop());
    fs::write(catch.join(".qmail"), "\n./mbox\n").unwrap();
    mtad.message("", &["who@example.org"], "x");
    mtad.logged("catch/.qmail:2_asks_for");
    assert_eq!(messages(&catch.join("Maildir")).len(), 1);
}

#[test]
fn a_bounce_comes_back_to_the_sender() {
    let home = Home::new();
    // Known at RCPT, gone at the delivery.
    home.control("concurrencylocal", "0\n");
    home.run(
        &["user", "add", "ann@example.org", "--password-stdin"],
        "x\n",
    )
    .ok();
    let mut mtad = Running::start(&home);
    let reply = mtad.message(
        "joe@example.org",
        &["ann@example.org"],
        "Subject: lost\r\n\r\nbody",
    );
    assert!(reply.starts_with("250"), "{reply}");
    mtad.logged("new msg ");
    assert!(mtad.stop().success());
    home.run(&["user", "remove", "ann@example.org"], "").ok();
    home.control("concurrencylocal", "10\n");
    let mtad = Running::start(&home);
    let bounce = until("the bounce", || home.mail("joe").pop());
    for wanted in [
        "Return-Path: <>\n",
        "Subject: failure notice\n",
        "Hi. This is the qmail-send program at mx.example.org.\n",
        "\n<ann@example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n",
        "multipart/report",
        "Subject: lost\n",
    ] {
        assert!(
            bounce.contains(wanted),
            "{wanted:?} is missing in\n{bounce}"
        );
    }
    mtad.logged("bounce msg ");
    until("an empty queue", || (home.queued() == 0).then_some(()));
}

#[test]
fn a_mailbox_may_have_instructions_of_its_own() {
    let home = Home::new();
    home.run(
        &["user", "add", "ann@example.org", "--password-stdin"],
        "x\n",
    )
    .ok();
    let dir = home.maildir("joe").parent().unwrap().to_path_buf();
    fs::write(
        dir.join(".qmail"),
        "\n# away\n./Maildir/\n&ann@example.org\n",
    )
    .unwrap();
    let mut mtad = Running::start(&home);
    mtad.message(
        "a@client.example",
        &["joe@example.org"],
        "Subject: x\r\n\r\nbody",
    );
    until("joe's copy", || home.mail("joe").pop());
    let forwarded = until("ann's copy", || home.mail("ann").pop());
    assert!(
        forwarded.contains("\nDelivered-To: joe@example.org\n"),
        "{forwarded}"
    );
    // A file of comments only is a black hole, an empty one counts as none.
    fs::write(dir.join(".qmail"), "# nothing\n").unwrap();
    mtad.message(
        "a@client.example",
        &["joe@example.org"],
        "Subject: y\r\n\r\nbody",
    );
    mtad.logged("delivery 3: success: did_0+0+1/");
    assert_eq!(home.mail("joe").len(), 1);
    fs::write(dir.join(".qmail"), "").unwrap();
    mtad.message(
        "a@client.example",
        &["joe@example.org"],
        "Subject: z\r\n\r\nbody",
    );
    until("a second message", || {
        (home.mail("joe").len() == 2).then_some(())
    });
}

#[test]
fn a_domain_without_a_postmaster_of_its_own_has_the_hosts() {
    let home = Home::new();
    home.run(&["user", "remove", "postmaster@example.org"], "")
        .ok();
    let mut mtad = Running::start(&home);
    let reply = mtad.message(
        "a@client.example",
        &["postmaster@example.org"],
        "Subject: x\r\n\r\nbody",
    );
    assert!(reply.starts_with("250"), "{reply}");
    let mail = until("the forwarded message", || home.mail("joe").pop());
    assert!(
        mail.contains("Delivered-To: example.org-postmaster@example.org\n"),
        "{mail}"
    );
}
