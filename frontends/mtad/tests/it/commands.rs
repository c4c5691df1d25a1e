//! Every command on its own: what it writes, what it prints, how it fails.

use crate::kit::{Home, Line, Running, until};
use std::fs;

#[test]
fn only_serve_and_init_make_a_home() {
    let home = Home::nowhere();
    for command in [
        &["domain", "list"][..],
        &["user", "list"],
        &["queue", "list"],
        &["check", "--no-dns"],
    ] {
        let ran = home.run(command, "");
        assert_eq!(ran.code, Some(100), "{command:?}");
        assert!(
            ran.err.contains(home.path().to_str().unwrap()),
            "{}",
            ran.err
        );
        assert!(ran.err.contains("MTA_HOME"), "{}", ran.err);
    }
    assert!(!home.path().exists());
}

#[test]
fn the_home_comes_from_the_argument_else_the_variable() {
    let home = Home::new();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mtad"));
    let ran = command
        .args(["domain", "list"])
        .env("MTA_HOME", home.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "example.org\n");
    let ran = command
        .args(["--home", "/nonexistent/home"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&ran.stderr).contains("/nonexistent/home"));
}

#[test]
fn init_writes_what_config_wrote() {
    let home = Home::nowhere();
    home.run(
        &[
            "init",
            "--me",
            "MX.a.example.org",
            "--admin",
            "ann@example.org",
        ],
        "",
    )
    .ok();
    let rows = [
        ("control/me", "mx.a.example.org\n"),
        ("control/defaultdomain", "a.example.org\n"),
        ("control/plusdomain", "example.org\n"),
        ("control/locals", "mx.a.example.org\n"),
        ("control/rcpthosts", "mx.a.example.org\n"),
        ("alias/.qmail-postmaster", "&ann@example.org\n"),
        ("alias/.qmail-mailer-daemon", "&ann@example.org\n"),
        ("alias/.qmail-root", "&ann@example.org\n"),
    ];
    for (name, want) in rows {
        assert_eq!(
            fs::read_to_string(home.path().join(name)).unwrap(),
            want,
            "{name}"
        );
    }
    assert!(home.path().join("queue/lock/trigger").exists());
    let again = home.run(&["init", "--me", "other.example"], "");
    assert_eq!(again.code, Some(100));
    assert!(
        again.err.contains("is a mail home already"),
        "{}",
        again.err
    );
    let bad = Home::nowhere().run(&["init", "--me", "no name"], "");
    assert!(bad.err.contains("expected a full host name"), "{}", bad.err);
}

#[test]
fn without_an_administrator_the_hosts_mail_is_kept() {
    let home = Home::nowhere();
    home.run(&["init", "--me", "mx.example.org"], "").ok();
    let mut mtad = Running::start(&home);
    assert!(
        mtad.message("a@client.example", &["root@mx.example.org"], "x")
            .starts_with("250")
    );
    let maildir = home.path().join("alias/Maildir");
    until("the message", || crate::kit::messages(&maildir).pop());
}

#[test]
fn domains_and_users_come_and_go_beside_a_running_server() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    let made = home.run(&["domain", "add", "New.Example"], "").ok();
    let password = made
        .strip_prefix("postmaster@new.example password ")
        .unwrap()
        .trim();
    Line::pop3(mtad.pop3(), "postmaster@new.example", password);
    assert!(
        mtad.message("", &["postmaster@new.example"], "x")
            .starts_with("250")
    );
    assert!(
        mtad.message("", &["ann@new.example"], "x")
            .starts_with("550")
    );
    home.run(
        &["user", "add", "Ann@new.example", "--password-stdin"],
        "one\n",
    )
    .ok();
    assert!(
        mtad.message("", &["ann@new.example"], "x")
            .starts_with("250")
    );
    home.run(
        &["user", "passwd", "ann@new.example", "--password-stdin"],
        "two\r\n",
    )
    .ok();
    Line::pop3(mtad.pop3(), "ann@new.example", "two");
    assert_eq!(
        home.run(&["domain", "list"], "").ok(),
        "example.org\nnew.example\n"
    );
    assert_eq!(
        home.run(&["domain", "list", "new.example"], "").ok(),
        "new.example\n"
    );
    assert_eq!(
        home.run(&["user", "list", "new.example"], "").ok(),
        "ann@new.example\npostmaster@new.example\n"
    );
    assert_eq!(
        home.run(&["user", "list", "ann@new.example"], "").ok(),
        "ann@new.example\n"
    );
    home.run(&["user", "remove", "ann@new.example"], "").ok();
    assert!(
        mtad.message("", &["ann@new.example"], "x")
            .starts_with("550")
    );
    home.run(&["domain", "remove", "new.example"], "").ok();
    assert!(
        mtad.message("", &["postmaster@new.example"], "x")
            .starts_with("553")
    );
    assert!(!home.path().join("domains/new.example").exists());
}

#[test]
fn what_cannot_be_changed_is_said_with_the_permanent_code() {
    let home = Home::new();
    let rows: [(&str, &[&str], &str, &str); 8] = [
        (
            "domain twice",
            &["domain", "add", "example.org"],
            "",
            "example.org exists",
        ),
        (
            "no domain",
            &["domain", "remove", "x.example"],
            "",
            "there is no x.example",
        ),
        ("no name", &["domain", "add", "../x"], "", "\"../x\": "),
        (
            "user twice",
            &["user", "add", "joe@example.org", "--password-stdin"],
            "x\n",
            "joe@example.org exists",
        ),
        (
            "no user",
            &["user", "remove", "x1@example.org"],
            "",
            "there is no x1@example.org",
        ),
        (
            "no address",
            &["user", "add", "joe", "--password-stdin"],
            "x\n",
            "expected user@domain",
        ),
        (
            "no password",
            &["user", "add", "ann@example.org", "--password-stdin"],
            "\n",
            "at least one character",
        ),
        (
            "nobody to ask",
            &["user", "passwd", "joe@example.org"],
            "x\n",
            "--password-stdin",
        ),
    ];
    for (name, arguments, input, said) in rows {
        let ran = home.run(arguments, input);
        assert_eq!(ran.code, Some(100), "{name}: {}", ran.err);
        assert!(ran.err.contains(said), "{name}: {}", ran.err);
    }
}

#[test]
fn what_is_not_there_cannot_be_listed() {
    let home = Home::new();
    for (arguments, missing) in [
        (["domain", "list", "x.example"], "x.example"),
        (["user", "list", "x.example"], "x.example"),
        (["user", "list", "x1@example.org"], "x1@example.org"),
    ] {
        let ran = home.run(&arguments, "");
        assert_eq!(ran.code, Some(100), "{arguments:?}");
        assert!(
            ran.err.contains(&format!("there is no {missing}")),
            "{}",
            ran.err
        );
    }
}

#[test]
fn what_is_queued_can_be_listed_shown_retried_and_removed_without_a_server() {
    let home = Home::new();
    home.control("concurrencylocal", "0\n");
    let mut mtad = Running::start(&home);
    mtad.message(
        "a@client.example",
        &["joe@example.org"],
        "Subject: kept\r\n\r\nx",
    );
    mtad.message("", &["joe@example.org"], "Subject: gone\r\n\r\nx");
    until("both", || {
        (mtad
            .log()
            .iter()
            .filter(|l| l.starts_with("new msg"))
            .count()
            == 2)
            .then_some(())
    });
    assert!(mtad.stop().success());
    let list = home.run(&["queue", "list"], "").ok();
    assert_eq!(
        list.matches("\tlocal\texample.org-joe@example.org\n")
            .count(),
        2,
        "{list}"
    );
    let id = |of: &str| {
        let line = list.lines().find(|line| line.contains(of)).unwrap();
        line.split_once('#')
            .unwrap()
            .1
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    let shown = home.run(&["queue", "show", &id("<>")], "").ok();
    assert!(
        shown.contains(" <> ") && shown.contains("\nSubject: gone\n"),
        "{shown}"
    );
    home.run(&["queue", "remove", &id("<>")], "").ok();
    home.run(&["queue", "retry", &id("<a@client.example>")], "")
        .ok();
    home.run(&["queue", "retry"], "").ok();
    let missing = home.run(&["queue", "remove", &id("<>")], "");
    assert_eq!(missing.code, Some(100), "{}", missing.err);
    assert!(
        missing.err.contains("is not in the queue"),
        "{}",
        missing.err
    );
    home.control("concurrencylocal", "10\n");
    let _mtad = Running::start(&home);
    let mail = until("the kept message", || home.mail("joe").pop());
    assert!(mail.contains("Subject: kept"));
    until("an empty queue", || (home.queued() == 0).then_some(()));
    assert_eq!(home.mail("joe").len(), 1);
}

#[test]
fn what_is_queued_can_be_removed_and_retried_beside_a_server() {
    let home = Home::new();
    fs::write(home.path().join("alias/.qmail-box"), "./box/\n").unwrap();
    let mut mtad = Running::start(&home);
    let reply = mtad.message("joe@example.org", &["box@mx.example.org"], "x");
    let id = reply.rsplit_once(' ').unwrap().1;
    mtad.logged("delivery 1: deferral: ");
    home.run(&["queue", "retry", id], "").ok();
    mtad.logged("delivery 2: deferral: ");
    home.run(&["queue", "retry"], "").ok();
    mtad.logged("delivery 3: deferral: ");
    home.run(&["queue", "remove", id], "").ok();
    assert_eq!(home.queued(), 0);
    mtad.logged(&format!("end msg {id}"));
    assert_eq!(home.run(&["queue", "list"], "").ok(), "");
    assert!(home.mail("joe").is_empty(), "nobody is told");
}

#[test]
fn check_names_file_line_and_what_was_expected() {
    let home = Home::new();
    let sound = home.run(&["check", "--no-dns"], "");
    assert_eq!(sound.code, Some(0), "{}{}", sound.out, sound.err);
    assert!(sound.out.contains("not an open relay: "), "{}", sound.out);
    assert!(sound.out.contains("nobody may relay"), "{}", sound.out);
    home.config("[limits]\n\nhops = \"many\"\n");
    home.control("databytes", "10M\n");
    let alias = home.path().join("alias/.qmail-root");
    fs::remove_file(&alias).unwrap();
    fs::write(home.path().join("domains/example.org/vpasswd"), "joe:x\n").unwrap();
    let judged = home.run(&["check", "--no-dns"], "");
    assert_eq!(judged.code, Some(100), "{}", judged.out);
    for wanted in [
        "mtad.toml:3: ",
        "control/databytes:1: ",
        ".qmail-root: expected",
        "vpasswd:1: ",
    ] {
        assert!(
            judged.out.contains(wanted),
            "{wanted} is missing in\n{}",
            judged.out
        );
    }
    assert!(
        judged
            .out
            .contains("not an open relay: mtad does not start")
    );
    fs::remove_file(home.path().join("users/cdb")).unwrap();
    home.config("relay_from = [\"0.0.0.0/0\"]\n");
    assert!(
        home.run(&["check", "--no-dns"], "")
            .out
            .contains("users/cdb: expected")
    );
    assert!(
        home.run(&["check", "--no-dns"], "")
            .out
            .contains("OPEN RELAY: ")
    );
    home.config("relay_from = [\"::/1\", \"8000::/1\"]\n");
    assert!(
        home.run(&["check", "--no-dns"], "")
            .out
            .contains("OPEN RELAY: ")
    );
    home.config("relay_from = [\"192.0.2.0/24\"]\n");
    assert!(
        home.run(&["check", "--no-dns"], "")
            .out
            .contains("only 192.0.2.0/24 may relay")
    );
}

#[test]
fn only_a_setting_makes_a_missing_rcpthosts_an_open_relay() {
    let home = Home::new();
    fs::remove_file(home.path().join("control/rcpthosts")).unwrap();
    let judged = home.run(&["check", "--no-dns"], "");
    assert!(judged.out.contains("not an open relay: "), "{}", judged.out);
    home.config("missing_rcpthosts = \"anything\"\n");
    let judged = home.run(&["check", "--no-dns"], "");
    assert_eq!(judged.code, Some(100), "{}", judged.out);
    assert!(
        judged
            .out
            .contains("OPEN RELAY: control/rcpthosts is missing")
    );
    home.config("missing_rcpthosts = \"yes\"\n");
    let judged = home.run(&["check", "--no-dns"], "");
    assert!(judged.out.contains("mtad.toml:1: "), "{}", judged.out);
}

#[test]
fn check_warns_where_passwords_would_travel_in_the_clear() {
    let home = Home::new();
    let warned = |home: &Home| {
        home.run(&["check", "--no-dns"], "")
            .out
            .contains("passwords travel in the clear")
    };
    assert!(!warned(&home));
    home.config("pop3 = [\"127.0.0.1:2110\", \"0.0.0.0:110\"]\n");
    assert!(warned(&home));
}

#[test]
fn a_wrong_setting_stops_the_start_and_is_named() {
    let home = Home::new();
    home.config("smtp = [\"127.0.0.1:0\"]\nrelay_form = []\n");
    let ran = home.run(&["serve"], "");
    assert_eq!(ran.code, Some(100));
    assert!(
        ran.err.contains("mtad.toml:2: unknown field"),
        "{}",
        ran.err
    );
}
