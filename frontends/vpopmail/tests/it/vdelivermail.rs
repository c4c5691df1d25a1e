//! vdelivermail as the program that qmail-local runs (vdelivermail(8), spec §4).

use crate::kit::Home;
use std::io::{Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_vpopmail");
const MESSAGE: &[u8] = b"Subject: x\n\nbody\n";

fn command(home: &Home, action: &str, ext: &str) -> Command {
    // qmail-local runs it as the domain's user, and root runs no programs of mailboxes.
    let own = home.at("program");
    if !own.exists() {
        std::fs::copy(BINARY, &own).unwrap();
    }
    let mut command = Command::new(own);
    if nix::unistd::geteuid().is_root() {
        command.uid(1000).gid(1000);
    }
    command
        .arg0("vdelivermail")
        .args(["", action])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("MTA_HOME", home.path())
        .env("EXT", ext)
        .env("HOST", "example.org")
        .env("SENDER", "ann@far.test");
    command
}

fn run(mut command: Command) -> (Option<i32>, String) {
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(MESSAGE).unwrap();
    input.rewind().unwrap();
    let Output { status, stdout, .. } = command.stdin(input).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

fn deliver(home: &Home, action: &str, ext: &str) -> (Option<i32>, String) {
    run(command(home, action, ext))
}

fn mail(home: &Home, maildir: &str) -> Vec<String> {
    let entries = std::fs::read_dir(home.at(maildir).join("new")).unwrap();
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(entry.unwrap().path()).unwrap()
    };
    entries.map(read).collect()
}

fn with_joe() -> Home {
    let home = Home::with_domain();
    home.quiet("vadduser", &["joe@example.org", "secret"]);
    home
}

const JOE: &str = "domains/example.org/joe/Maildir";

#[test]
fn a_mailbox_gets_the_mail_with_both_lines_before_it() {
    let home = with_joe();
    assert_eq!(
        deliver(&home, "bounce-no-mailbox", "Joe"),
        (Some(0), String::new())
    );
    let expected =
        "Return-Path: <ann@far.test>\nDelivered-To: joe@example.org\nSubject: x\n\nbody\n";
    assert_eq!(mail(&home, JOE), [expected]);
    let mut piped = command(&home, "bounce-no-mailbox", "joe");
    let mut child = piped.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(MESSAGE).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(mail(&home, JOE), [expected, expected]);
}

#[test]
fn mail_for_nobody_does_what_the_action_says() {
    let home = with_joe();
    let words = "Sorry, no mailbox here by that name. (#5.1.1)\n".to_owned();
    assert_eq!(
        deliver(&home, "bounce-no-mailbox", "eve"),
        (Some(100), words)
    );
    home.write("domains/example.org/.no-user.msg", "Nobody.\n");
    let words = "Nobody.\n".to_owned();
    assert_eq!(
        deliver(&home, "bounce-no-mailbox", "eve"),
        (Some(100), words)
    );
    assert_eq!(deliver(&home, "delete", "eve"), (Some(0), String::new()));
    let dir = home.at("domains/example.org/joe");
    assert_eq!(deliver(&home, dir.to_str().unwrap(), "eve").0, Some(0));
    assert!(mail(&home, JOE)[0].contains("Delivered-To: eve@example.org\n"));
}

#[test]
fn locked_full_and_looping_mail_bounces() {
    let home = with_joe();
    let mut looping = command(&home, "bounce-no-mailbox", "joe");
    looping.env("DTLINE", "Delivered-To: JOE@example.org\n");
    assert_eq!(run(looping), (Some(100), "mail is looping\n".to_owned()));
    home.quiet("vsetuserquota", &["joe@example.org", "5S"]);
    let words = "user is over quota\n\n".to_owned();
    assert_eq!(
        deliver(&home, "bounce-no-mailbox", "joe"),
        (Some(100), words)
    );
    home.quiet("vmoduser", &["-b", "joe@example.org"]);
    let words = "vdelivermail: account is locked email bounced joe@example.org\n".to_owned();
    assert_eq!(
        deliver(&home, "bounce-no-mailbox", "joe"),
        (Some(100), words)
    );
    assert!(mail(&home, JOE).is_empty());
}

#[test]
fn a_forward_is_queued_with_its_sender() {
    let home = with_joe();
    let bin = home.at("bin");
    std::fs::create_dir(&bin).unwrap();
    let queue = bin.join("qmail-queue");
    let script = format!(
        "#!/bin/sh\nexec 5<&1\ncat >{0}/message\ntr '\\0' ' ' <&5 >{0}/envelope\n",
        home.path().display()
    );
    std::fs::write(&queue, script).unwrap();
    std::fs::set_permissions(&queue, std::fs::Permissions::from_mode(0o755)).unwrap();
    home.write(
        "domains/example.org/joe/.qmail",
        "# elsewhere\n\n&bob@far.test\n",
    );
    assert_eq!(deliver(&home, "bounce-no-mailbox", "joe").0, Some(0));
    assert_eq!(home.text("envelope"), "Fann@far.test Tbob@far.test  ");
    assert!(
        home.text("message")
            .ends_with("Delivered-To: joe@example.org\nSubject: x\n\nbody\n")
    );
    assert!(mail(&home, JOE).is_empty());
    std::fs::write(&queue, "#!/bin/sh\nexit 53\n").unwrap();
    assert_eq!(deliver(&home, "bounce-no-mailbox", "joe").0, Some(111));
}

#[test]
fn programs_of_the_mailbox_decide_by_their_exit_code() {
    let home = with_joe();
    for (code, expected) in [
        (0, 0),
        (99, 99),
        (100, 100),
        (111, 111),
        (77, 100),
        (1, 111),
    ] {
        home.write(
            "domains/example.org/joe/.qmail",
            &format!("|cat >/dev/null; exit {code}\n"),
        );
        assert_eq!(
            deliver(&home, "bounce-no-mailbox", "joe").0,
            Some(expected),
            "{code}"
        );
    }
}

#[test]
fn a_wrong_call_defers_and_a_missing_name_fails() {
    let home = with_joe();
    let mut one = command(&home, "delete", "joe");
    one.args(["more"]);
    assert_eq!(run(one).0, Some(111));
    let mut nobody = command(&home, "delete", "joe");
    nobody.env_remove("EXT");
    assert_eq!(run(nobody).0, Some(100));
}
