//! Programs of a .qmail line: forward, condredirect, bouncesaying, except, preline, and QMAILQUEUE.

use crate::kit::{Ended, Home, Run};

fn ended(code: i32, err: &str) -> Ended {
    Ended {
        code,
        out: String::new(),
        err: err.to_owned(),
    }
}

fn forwarding(home: &Home) -> Run {
    home.run("forward")
        .args(["ann@a", "bob@b"])
        .env("NEWSENDER", "me@here")
        .env("DTLINE", "Delivered-To: me@here\n")
        .input("Subject: x\n\nbody\n")
}

#[test]
fn forward_queues_dtline_and_message_for_its_arguments() {
    let home = Home::new();
    let ended = forwarding(&home).end();
    assert_eq!((ended.code, ended.out.as_str()), (0, ""));
    let (envelope, message) = home.queued().remove(0);
    let envelope = String::from_utf8(envelope).unwrap();
    assert!(
        envelope.ends_with("\0Fme@here\0Tann@a\0Tbob@b\0"),
        "{envelope:?}"
    );
    let message = String::from_utf8(message).unwrap();
    assert!(
        message.ends_with("\nDelivered-To: me@here\nSubject: x\n\nbody\n"),
        "{message}"
    );
    let qp = envelope
        .split('\0')
        .nth(1)
        .unwrap()
        .strip_prefix('p')
        .unwrap();
    assert_eq!(ended.err, format!("forward: qp {qp}\n"));
}

#[test]
fn forward_says_what_is_missing() {
    let home = Home::new();
    let without_sender = home.run("forward").env("DTLINE", "x\n").end();
    assert_eq!(
        without_sender,
        ended(100, "forward: fatal: NEWSENDER not set\n")
    );
    let without_dtline = home.run("forward").env("NEWSENDER", "").end();
    assert_eq!(
        without_dtline,
        ended(100, "forward: fatal: DTLINE not set\n")
    );
    assert_eq!(home.files(), 0);
}

#[test]
fn qmailqueue_is_obeyed_and_its_codes_are_told() {
    let rows = [
        ("accepts", "cat >/dev/null; cat <&1 >/dev/null", 0, ""),
        (
            "refuses",
            "exit 31",
            100,
            "mail server permanently rejected message (#5.3.0)",
        ),
        (
            "too long",
            "exit 11",
            100,
            "envelope address too long for qq (#5.1.3)",
        ),
        (
            "later",
            "exit 71",
            111,
            "mail server temporarily rejected message (#4.3.0)",
        ),
        ("odd code", "exit 7", 111, "qq temporary problem (#4.3.0)"),
        (
            "own words",
            "echo -n 'Dno virus please' >&6; exit 82",
            100,
            "no virus please",
        ),
        (
            "own words, later",
            "echo -n 'Zbusy' >&6; exit 82",
            111,
            "busy",
        ),
        ("no words", "exit 82", 111, "qq temporary problem (#4.3.0)"),
        ("crashes", "kill -9 $$", 111, "qq crashed (#4.3.0)"),
    ];
    for (name, script, code, text) in rows {
        let home = Home::new();
        let program = home.script("filter", script);
        let got = forwarding(&home).env("QMAILQUEUE", &program).end();
        assert_eq!(got.code, code, "{name}: {got:?}");
        if code != 0 {
            assert_eq!(got.err, format!("forward: fatal: {text}\n"), "{name}");
        }
        assert_eq!(home.files(), 0, "{name}");
    }
}

#[test]
fn a_queue_program_that_says_yes_unread_is_not_believed() {
    let home = Home::new();
    let program = home.script("filter", "exit 0");
    // More than a pipe holds, so that it cannot go unnoticed.
    let message = vec![b'x'; 4 << 20];
    let run = forwarding(&home).env("QMAILQUEUE", &program).input(message);
    let want = ended(111, "forward: fatal: qq read error (#4.3.0)\n");
    assert_eq!(run.end(), want);
}

#[test]
fn qmailqueue_gets_message_and_envelope_in_the_home_without_arguments() {
    let home = Home::new();
    home.script(
        "filter",
        "pwd >seen; echo $# >>seen; cat >message; cat <&1 >envelope",
    );
    let got = forwarding(&home).env("QMAILQUEUE", "filter").end();
    assert_eq!(got.code, 0, "{got:?}");
    let read = |name: &str| std::fs::read(home.at(name)).unwrap();
    let here = home.path().canonicalize().unwrap();
    assert_eq!(
        read("seen"),
        format!("{}\n0\n", here.display()).into_bytes()
    );
    assert_eq!(
        read("message"),
        b"Delivered-To: me@here\nSubject: x\n\nbody\n"
    );
    assert_eq!(read("envelope"), b"Fme@here\0Tann@a\0Tbob@b\0\0");
}

#[test]
fn a_queue_program_that_is_not_there_is_a_temporary_failure() {
    let home = Home::new();
    let want = ended(111, "forward: fatal: unable to exec qq (#4.3.0)\n");
    assert_eq!(forwarding(&home).env("QMAILQUEUE", "/no/such").end(), want);
    // No look-up in PATH.
    assert_eq!(forwarding(&home).env("QMAILQUEUE", "true").end(), want);
    std::fs::remove_file(home.at("bin/qmail-queue")).unwrap();
    assert_eq!(forwarding(&home).end(), want);
    let lost = forwarding(&home).env("MTA_HOME", "/no/such/home").end();
    assert_eq!(
        lost,
        ended(
            111,
            "forward: fatal: qq trouble in home directory (#4.3.0)\n"
        )
    );
}

#[test]
fn an_address_that_is_too_long_bounces() {
    let home = Home::new();
    let run = |length: usize| {
        home.run("forward")
            .args(["a".repeat(length)])
            .env("NEWSENDER", "")
            .env("DTLINE", "D: x\n")
            .end()
    };
    assert_eq!(run(1002).code, 0);
    let text = "forward: fatal: envelope address too long for qq (#5.1.3)\n";
    assert_eq!(run(1003), ended(100, text));
}

#[test]
fn programs_that_ask_a_program_turn_its_code_into_theirs() {
    let temporary = |tool: &str| format!("{tool}: fatal: temporary child error\n");
    let crashed = |tool: &str| format!("{tool}: fatal: child crashed\n");
    let rows = [
        (
            "yes",
            "exit 0",
            (100, String::new()),
            (100, "No thanks\n".to_owned()),
        ),
        ("no", "exit 99", (0, String::new()), (0, String::new())),
        (
            "hard no",
            "exit 100",
            (0, String::new()),
            (0, String::new()),
        ),
        (
            "later",
            "exit 111",
            (111, temporary("except")),
            (111, temporary("bouncesaying")),
        ),
        (
            "crash",
            "kill -9 $$",
            (111, crashed("except")),
            (111, crashed("bouncesaying")),
        ),
    ];
    for (name, script, except, bouncesaying) in rows {
        let home = Home::new();
        let got = home.run("except").args(["sh", "-c", script]).end();
        assert_eq!(got, ended(except.0, &except.1), "except: {name}");
        let got = home
            .run("bouncesaying")
            .args(["No thanks", "sh", "-c", script])
            .end();
        assert_eq!(
            got,
            ended(bouncesaying.0, &bouncesaying.1),
            "bouncesaying: {name}"
        );
    }
}

#[test]
fn bouncesaying_without_a_program_always_bounces() {
    let home = Home::new();
    assert_eq!(
        home.run("bouncesaying").args(["Gone away"]).end(),
        ended(100, "Gone away\n")
    );
    let usage = "bouncesaying: usage: bouncesaying error [ program [ arg ... ] ]\n";
    assert_eq!(home.run("bouncesaying").end(), ended(100, usage));
    let usage = "except: usage: except program [ arg ... ]\n";
    assert_eq!(home.run("except").end(), ended(100, usage));
}

fn redirecting(home: &Home, script: &str) -> Run {
    home.run("condredirect")
        .args(["else@where", "sh", "-c", script])
        .env("SENDER", "them@there")
        .env("DTLINE", "Delivered-To: me@here\n")
        .input("Subject: x\n\nbody\n")
}

#[test]
fn condredirect_rewinds_and_forwards_where_the_program_says_yes() {
    let home = Home::new();
    let got = redirecting(&home, "grep -q Subject").end();
    assert_eq!(got.code, 99, "{got:?}");
    assert!(got.err.starts_with("condredirect: qp "), "{got:?}");
    let (envelope, message) = home.queued().remove(0);
    assert!(envelope.ends_with(b"Fthem@there\0Telse@where\0"));
    assert!(message.ends_with(b"\nDelivered-To: me@here\nSubject: x\n\nbody\n"));
}

#[test]
fn condredirect_leaves_the_message_alone_otherwise() {
    let rows = [
        ("no", "exit 99", ended(0, "")),
        ("missing word", "grep -q Nothing", ended(0, "")),
        (
            "later",
            "exit 111",
            ended(111, "condredirect: fatal: temporary child error\n"),
        ),
        (
            "crash",
            "kill -9 $$",
            ended(111, "condredirect: fatal: child crashed\n"),
        ),
    ];
    for (name, script, want) in rows {
        let home = Home::new();
        assert_eq!(redirecting(&home, script).end(), want, "{name}");
        assert_eq!(home.files(), 0, "{name}");
    }
    let home = Home::new();
    let usage = "condredirect: usage: condredirect newaddress program [ arg ... ]\n";
    assert_eq!(
        home.run("condredirect").args(["a@b"]).end(),
        ended(100, usage)
    );
    let got = home.run("condredirect").args(["a@b", "true"]).end();
    assert_eq!(got, ended(100, "condredirect: fatal: SENDER not set\n"));
}

#[test]
fn preline_puts_the_wanted_lines_before_the_message() {
    let rows: [(&str, &[&str], &str); 6] = [
        (
            "all",
            &["cat"],
            "From x\nReturn-Path: <x>\nDelivered-To: y\nbody\n",
        ),
        (
            "no From_",
            &["-f", "cat"],
            "Return-Path: <x>\nDelivered-To: y\nbody\n",
        ),
        ("message only", &["-frd", "cat"], "body\n"),
        (
            "on again",
            &["-frdR", "--", "cat"],
            "Return-Path: <x>\nbody\n",
        ),
        (
            "options of the program",
            &["-d", "sh", "-c", "cat; echo"],
            "From x\nReturn-Path: <x>\nbody\n\n",
        ),
        ("does not read", &["echo", "hi"], "hi\n"),
    ];
    for (name, args, want) in rows {
        let home = Home::new();
        let got = preline(&home).args(args).end();
        assert_eq!((got.code, got.out.as_str()), (0, want), "{name}: {got:?}");
    }
}

fn preline(home: &Home) -> Run {
    home.run("preline")
        .env("UFLINE", "From x\n")
        .env("RPLINE", "Return-Path: <x>\n")
        .env("DTLINE", "Delivered-To: y\n")
        .input("body\n")
}

#[test]
fn preline_ends_as_its_program_does() {
    let home = Home::new();
    let usage = "preline: usage: preline cmd [ arg ... ]\n";
    assert_eq!(preline(&home).args(["sh", "-c", "exit 42"]).end().code, 42);
    let crash = preline(&home).args(["sh", "-c", "kill -9 $$"]).end();
    assert_eq!(crash, ended(111, "preline: fatal: child crashed\n"));
    let missing = preline(&home).args(["/no/such"]).end();
    assert_eq!(
        missing,
        ended(
            100,
            "preline: fatal: unable to run /no/such: file does not exist\n"
        )
    );
    assert_eq!(preline(&home).end(), ended(100, usage));
    assert_eq!(home.run("preline").args(["cat"]).end(), ended(100, usage));
    let option = preline(&home).args(["-x", "cat"]).end();
    assert_eq!(
        option,
        ended(100, &format!("preline: illegal option -- x\n{usage}"))
    );
}
