//! qmail-remote's conversations and reports (spec §7.1, §7.3).

use crate::kit::Home;
use crate::server::{Server, drain};
use std::io::Write;

/// Runs it for far.example, whose mail goes to the port; NULs are shown as bars.
fn remote(home: &Home, port: u16, recipients: &[&str], message: &str) -> String {
    home.write("control/me", "me.example\n");
    home.write(
        "control/smtproutes",
        format!("far.example:127.0.0.1:{port}\n"),
    );
    let args = ["far.example", "joe@me.example"].iter().chain(recipients);
    let got = home.run("qmail-remote").args(args).input(message).end();
    assert_eq!((got.code, got.err.as_str()), (0, ""));
    got.out.replace('\0', "|")
}

#[test]
fn a_message_goes_out_dot_stuffed_and_is_accepted() {
    let home = Home::new();
    let replies = [
        "220 hi\n",
        "500 what?\n",
        "250 hi\n",
        "250 ok\n",
        "250 ok\n",
        "354 go\n",
        "250 taken\n",
        "221 bye\n",
    ];
    let server = Server::says(&replies);
    let message = "Subject: x\n\n.dot\nx\r.\nlast";
    let said = remote(&home, server.port(), &["ann b@far.example"], message);
    assert_eq!(
        said,
        "r|K127.0.0.1 accepted message.\nRemote host said: 250 taken\n|"
    );
    assert_eq!(
        server.heard(),
        "EHLO me.example\r\nHELO me.example\r\nMAIL FROM:<joe@me.example>\r\n\
         RCPT TO:<\"ann b\"@far.example>\r\nDATA\r\n\
         Subject: x\r\n\r\n..dot\r\nx\r\n..\r\nlast\r\n.\r\nQUIT\r\n"
    );
}

type Row = (&'static str, &'static [&'static str], String);

/// What the servers of a table say, and what is reported of each for ann and bob.
fn check(rows: impl IntoIterator<Item = Row>) {
    for (name, replies, want) in rows {
        let home = Home::new();
        let server = Server::says(replies);
        let recipients = ["ann@far.example", "bob@far.example"];
        let said = remote(&home, server.port(), &recipients, "x\n");
        assert_eq!(said, want, "{name}");
        server.heard();
    }
}

#[test]
fn who_refuses_us_is_reported_in_the_originals_words() {
    let but = |letter: char, what: &str, said: &str| {
        format!("{letter}Connected to 127.0.0.1 but {what}.\nRemote host said: {said}\n|")
    };
    check([
        (
            "greeting 4",
            &["450 no\n"][..],
            but('Z', "greeting failed", "450 no"),
        ),
        (
            "greeting 5",
            &["554 no\n"],
            but('D', "greeting failed", "554 no"),
        ),
        (
            "name",
            &["220 a\n", "550 no\n", "550 never\n"],
            but('Z', "my name was rejected", "550 never"),
        ),
        (
            "sender 4",
            &["220 a\n", "250 a\n", "451 no\n"],
            but('Z', "sender was rejected", "451 no"),
        ),
        (
            "sender 5",
            &["220 a\n", "250 a\n", "553-no\n553 way\n"],
            but('D', "sender was rejected", "553-no\n553 way"),
        ),
    ]);
}

#[test]
fn who_refuses_the_message_is_reported_in_the_originals_words() {
    let not = |letter: char, said: &str| {
        format!("{letter}127.0.0.1 does not like recipient.\nRemote host said: {said}\n|")
    };
    let end = |text: &str, said: &str| format!("127.0.0.1 {text}.\nRemote host said: {said}\n|");
    check([
        (
            "both recipients",
            &["220 a\n", "250 a\n", "250 ok\n", "550 b\n", "450 c\n"][..],
            not('h', "550 b") + &not('s', "450 c") + "DGiving up on 127.0.0.1.\n|",
        ),
        (
            "one recipient",
            &[
                "220 a\n", "250 a\n", "250 ok\n", "450 b\n", "250 ok\n", "354 go\n", "250 k\n",
            ],
            not('s', "450 b") + "r|K" + &end("accepted message", "250 k"),
        ),
        (
            "DATA",
            &[
                "220 a\n", "250 a\n", "250 ok\n", "250 ok\n", "250 ok\n", "451 d\n",
            ],
            "r|r|Z".to_owned() + &end("failed on DATA command", "451 d"),
        ),
        (
            "message",
            &[
                "220 a\n",
                "250 a\n",
                "250 ok\n",
                "250 ok\n",
                "250 ok\n",
                "354 go\n",
                "554 spam\n",
            ],
            "r|r|D".to_owned() + &end("failed after I sent the message", "554 spam"),
        ),
    ]);
}

#[test]
fn a_connection_that_dies_defers_and_says_where_it_may_have_been_too_late() {
    let died = "ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n|";
    let late = "ZConnected to 127.0.0.1 but connection died. Possible duplicate! (#4.4.2)\n|";
    check([
        ("at once", &[""][..], died.to_owned()),
        (
            "after MAIL",
            &["220 a\n", "250 a\n", "250 ok\n"],
            died.to_owned(),
        ),
        (
            "after one RCPT",
            &["220 a\n", "250 a\n", "250 ok\n", "250 ok\n"],
            format!("r|{died}"),
        ),
        (
            "after the dot",
            &[
                "220 a\n", "250 a\n", "250 ok\n", "250 ok\n", "250 ok\n", "354 go\n", "",
            ],
            format!("r|r|{late}"),
        ),
    ]);
}

#[test]
fn what_was_invoked_wrongly_says_so() {
    let home = Home::new();
    home.write("control/me", "me.example\n");
    for args in [
        &[][..],
        &["far.example"],
        &["far.example", "joe@me.example"],
    ] {
        let got = home.run("qmail-remote").args(args).end();
        let want = "DI (qmail-remote) was invoked improperly. (#5.3.5)\n\0";
        assert_eq!((got.code, got.out.as_str()), (0, want), "{args:?}");
    }
}

#[test]
fn trouble_at_home_defers() {
    let args = ["far.example", "", "ann@far.example"];
    let home = Home::new();
    let controls = "ZUnable to read control files. (#4.3.0)\n\0";
    let got = home.run("qmail-remote").args(args).end();
    assert_eq!((got.code, got.out.as_str()), (0, controls), "no me");
    home.write("control/me", "me.example\n");
    std::fs::create_dir(home.at("control/smtproutes")).unwrap();
    let got = home.run("qmail-remote").args(args).end();
    assert_eq!((got.code, got.out.as_str()), (0, controls), "a directory");
    let got = home
        .run("qmail-remote")
        .args(args)
        .env("MTA_HOME", "/no/such")
        .end();
    let want = "ZUnable to switch to home directory. (#4.3.0)\n\0";
    assert_eq!((got.code, got.out.as_str()), (0, want), "no home");
}

#[test]
fn files_that_it_does_not_need_are_not_read() {
    let home = Home::new();
    for other in ["badmailfrom", "locals", "morercpthosts.cdb", "rcpthosts"] {
        std::fs::create_dir(home.at("control").join(other)).unwrap();
    }
    let server = Server::says(&["554 no\n"]);
    let said = remote(&home, server.port(), &["ann@far.example"], "x\n");
    assert!(said.starts_with("DConnected to "), "{said}");
    server.heard();
}

#[test]
fn a_closed_descriptor_is_no_empty_message() {
    let home = Home::new();
    home.write("control/me", "me.example\n");
    let server = Server::says(&[
        "220 a\n", "250 a\n", "250 ok\n", "250 ok\n", "354 go\n", "250 k\n",
    ]);
    home.write(
        "control/smtproutes",
        format!(":127.0.0.1:{}\n", server.port()),
    );
    let program = home.at("bin/qmail-remote");
    std::os::unix::fs::symlink(crate::kit::BINARY, &program).unwrap();
    let shell = home.script(
        "close",
        "exec bin/qmail-remote far.example '' ann@far.example <&-",
    );
    let out = std::process::Command::new(shell)
        .env("MTA_HOME", home.path())
        .current_dir(home.path())
        .output()
        .unwrap();
    let out = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out, "r\0ZUnable to read message. (#4.3.0)\n\0");
    assert!(!server.heard().contains("\r\n.\r\n"));
}

#[test]
fn hostile_servers_cost_bounded_time_and_memory() {
    let home = Home::new();
    home.write("control/timeoutremote", "1\n");
    // Never says a word.
    let server = Server::does(drain);
    let said = remote(&home, server.port(), &["ann@far.example"], "x\n");
    assert_eq!(
        said,
        "ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n|"
    );
    server.heard();
    // Never stops talking.
    let server = Server::does(|mut stream| {
        while stream.write_all(&[b'2'; 4096]).is_ok() {}
        Vec::new()
    });
    let said = remote(&home, server.port(), &["ann@far.example"], "x\n");
    assert!(said.starts_with("ZConnected to 127.0.0.1 but "), "{said}");
    assert!(said.len() < 8192, "{}", said.len());
    server.heard();
    // Says what would end a report.
    let server = Server::says(&["220 a\n", "250 a\n", "250 ok\n", "550 a\0Kb\n"]);
    let said = remote(&home, server.port(), &["ann@far.example"], "x\n");
    assert_eq!(said.matches('|').count(), 2, "{said}");
    assert!(!said.contains("|Kb"), "{said}");
    server.heard();
}

#[test]
fn hostile_addresses_are_not_sent() {
    let home = Home::new();
    let server = Server::says(&[
        "220 a\n", "250 a\n", "250 ok\n", "250 ok\n", "354 go\n", "250 k\n", "221\n",
    ]);
    let recipients = [
        "x@far.example>\r\nRCPT TO:<root@far.example",
        "ann@far.example",
    ];
    let said = remote(&home, server.port(), &recipients, "x\n");
    assert_eq!(
        said,
        "hSorry, that address cannot be sent by SMTP. (#5.1.3)\n|r|\
         K127.0.0.1 accepted message.\nRemote host said: 250 k\n|"
    );
    assert!(!server.heard().contains("root"));
}

#[test]
fn many_recipients_are_answered_one_by_one() {
    let home = Home::new();
    let many: Vec<String> = (0..2000).map(|n| format!("u{n}@far.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut replies = vec!["220 a\n", "250-a\n250 PIPELINING\n", "250 ok\n"];
    replies.extend(std::iter::repeat_n("250 ok\n", many.len()));
    replies.extend(["354 go\n", "250 k\n", "221\n"]);
    let server = Server::says(&replies);
    let said = remote(&home, server.port(), &many, "x\n");
    assert_eq!(said.matches("r|").count(), many.len());
    assert!(said.ends_with("|K127.0.0.1 accepted message.\nRemote host said: 250 k\n|"));
    server.heard();
}
