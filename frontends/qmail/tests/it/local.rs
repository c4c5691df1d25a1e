//! qmail-local by itself: arguments, lines, environment, texts and exit codes (spec §6.3 to §6.7).

use crate::running::Installed;
use std::fs;
use std::io::{Seek, Write};
use std::os::unix::fs::PermissionsExt;

const MESSAGE: &str = "Subject: x\n\nbody\n";

/// What it said on both outputs, and its exit code.
fn run(installed: &Installed, arguments: &[&str], message: &str) -> (i32, String) {
    installed.give();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(message.as_bytes()).unwrap();
    file.rewind().unwrap();
    let mut command = installed.program("qmail-local");
    let output = command.args(arguments).stdin(file).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.code().unwrap_or(-1), said)
}

/// Delivers to the user alias with an extension.
fn deliver(installed: &Installed, option: &[&str], ext: &str) -> (i32, String) {
    let home = installed.home.at("alias");
    let words = [home.to_str().unwrap(), "joe-list", "-", ext, "h.example"];
    let rest = ["me@far.example", "./default\n"];
    let all = [option, &["alias"], words.as_slice(), rest.as_slice()].concat();
    run(installed, &all, MESSAGE)
}

#[test]
fn lines_are_carried_out_and_told_as_the_original_does() {
    let rows: &[(&str, &str, i32, &str)] = &[
        ("an mbox", "./a\n", 0, "did 1+0+0\n"),
        ("two files", "./a\n./b\n", 0, "did 2+0+0\n"),
        (
            "comments, blanks at ends",
            "# x\n./a \t\n\n#\n",
            0,
            "did 1+0+0\n",
        ),
        ("an empty file is the default", "", 0, "did 1+0+0\n"),
        ("only a comment", "#\n", 0, "did 0+0+0\n"),
        (
            "first line blank",
            "\n./a\n",
            111,
            "Uh-oh: first line of .qmail file is blank. (#4.2.1)\n",
        ),
        (
            "a program",
            "|echo hi; echo ho >&2\n",
            0,
            "hi\ndid 0+0+1\nho\n",
        ),
        ("99 stops", "|exit 99\n./a\n", 0, "did 0+0+1\n"),
        ("100 fails", "./a\n|echo no; exit 100\n./b\n", 100, "no\n"),
        ("64 fails", "|exit 64\n", 100, ""),
        ("111 defers", "|exit 111\n", 111, ""),
        ("1 defers", "|exit 1\n", 111, ""),
        (
            "a signal defers",
            "|kill -9 $$\n",
            111,
            "Aack, child crashed. (#4.3.0)\n",
        ),
        (
            "no Maildir",
            "./box/\n",
            111,
            "Unable to chdir to maildir. (#4.2.1)\n",
        ),
        (
            "after +list no file",
            "+list\n./a\n",
            111,
            "Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)\n",
        ),
        (
            "after +list no program",
            "+list\n|true\n",
            111,
            "Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)\n",
        ),
        ("other plus lines", "+odd\n./a\n", 0, "did 1+0+0\n"),
    ];
    for (name, lines, code, said) in rows {
        let installed = Installed::new();
        installed.alias("x", lines);
        let got = deliver(&installed, &[], "x");
        assert_eq!(got, (*code, (*said).to_owned()), "{name}");
    }
}

#[test]
fn nothing_is_done_with_n_and_the_last_letter_wins() {
    let installed = Installed::new();
    installed.alias("x", "./a\n./b/\n|rm -rf /nothing\n&joe@example.org\njim\n");
    let (code, said) = deliver(&installed, &["-Nn", "--"], "x");
    let told = "mbox ./a\nmaildir ./b/\nprogram rm -rf /nothing\nforward joe@example.org\n\
                forward jim\ndid 2+2+1\n";
    assert_eq!((code, said.as_str()), (0, told));
    assert!(!installed.home.at("alias/a").exists());
    installed.alias("y", "./a\n");
    assert_eq!(deliver(&installed, &["-nN"], "y").1, "did 1+0+0\n");
    assert!(installed.home.at("alias/a").exists());
    // A sticky home is only remarked on.
    let home = installed.home.at("alias");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o1755)).unwrap();
    let (code, said) = deliver(&installed, &["-n"], "y");
    assert_eq!(
        (code, said.as_str()),
        (
            0,
            "mbox ./a\ndid 1+0+0\nWarning: home directory is sticky.\n"
        )
    );
    let sticky = "Home directory is sticky: user is editing his .qmail file. (#4.2.1)\n";
    assert_eq!(deliver(&installed, &[], "y"), (111, sticky.to_owned()));
    fs::set_permissions(&home, fs::Permissions::from_mode(0o757)).unwrap();
    let writable = "Uh-oh: home directory is writable. (#4.7.0)\n";
    assert_eq!(deliver(&installed, &[], "y"), (111, writable.to_owned()));
}

#[test]
fn bad_arguments_are_a_usage_error() {
    let installed = Installed::new();
    let usage = "qmail-local: usage: qmail-local [ -nN ] user homedir local dash ext domain sender aliasempty\n";
    let rows: &[(&str, &[&str], String)] = &[
        ("none", &[], usage.to_owned()),
        (
            "seven",
            &["u", "/", "l", "", "", "d", "s"],
            usage.to_owned(),
        ),
        (
            "nine",
            &["u", "/", "l", "", "", "d", "s", "a", "x"],
            usage.to_owned(),
        ),
        (
            "relative home",
            &["u", "home", "l", "", "", "d", "s", "a"],
            usage.to_owned(),
        ),
        (
            "unknown letter",
            &["-x"],
            format!("qmail-local: illegal option -- x\n{usage}"),
        ),
    ];
    for (name, arguments, said) in rows {
        assert_eq!(
            run(&installed, arguments, "x\n"),
            (100, said.clone()),
            "{name}"
        );
    }
    let missing = ["u", "/nonexistent/home", "l", "", "", "d", "s", "a"];
    let said = "Unable to switch to /nonexistent/home: file does not exist. (#4.3.0)\n";
    assert_eq!(run(&installed, &missing, "x\n"), (111, said.to_owned()));
}

#[test]
fn programs_find_their_environment_and_the_whole_message() {
    let installed = Installed::new();
    installed.alias("one-default", "|env > env; cat > seen; pwd\n");
    let home = installed.home.at("alias");
    let shown = home.to_str().unwrap();
    let arguments = [
        "--",
        "alias",
        shown,
        "joe-one-two-Three",
        "-",
        "one-two-Three",
        "a.b.c.d",
        "me@far.example",
        "./x",
    ];
    let (code, said) = run(&installed, &arguments, MESSAGE);
    assert_eq!((code, said), (0, format!("{shown}\ndid 0+0+1\n")));
    assert_eq!(installed.read("alias/seen"), MESSAGE);
    let env = installed.read("alias/env");
    for line in [
        "SENDER=me@far.example",
        "NEWSENDER=me@far.example",
        "RECIPIENT=joe-one-two-Three@a.b.c.d",
        "USER=alias",
        &format!("HOME={shown}"),
        "HOST=a.b.c.d",
        "HOST2=a.b.c",
        "HOST3=a.b",
        "HOST4=a",
        "LOCAL=joe-one-two-Three",
        "EXT=one-two-Three",
        "EXT2=two-Three",
        "EXT3=Three",
        "EXT4=",
        "DEFAULT=two-Three",
        "DTLINE=Delivered-To: joe-one-two-Three@a.b.c.d",
        "RPLINE=Return-Path: <me@far.example>",
    ] {
        assert!(env.lines().any(|have| have == line), "{line} in {env}");
    }
    assert!(env.contains("\nUFLINE=From me@far.example "), "{env}");
}

#[test]
fn forwards_go_out_in_one_injection_and_only_when_all_else_succeeded() {
    let installed = Installed::new();
    installed.alias(
        "x",
        "&a@example.org\n./box\nb@example.org\n|exit 99\n&never@example.org\n",
    );
    installed.alias("x-owner", "./owner\n");
    let (code, said) = deliver(&installed, &[], "x");
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("did 1+2+1\nqp "), "{said}");
    let [(envelope, message)] = installed.home.queued().try_into().unwrap();
    let envelope = String::from_utf8(envelope).unwrap();
    assert!(
        envelope.ends_with("\0Fjoe-list-owner@h.example\0Ta@example.org\0Tb@example.org\0"),
        "{envelope}"
    );
    let message = String::from_utf8(message).unwrap();
    let (_, behind) = message.split_once('\n').unwrap();
    assert_eq!(
        behind,
        format!("Delivered-To: joe-list@h.example\n{MESSAGE}")
    );
    installed.alias("y", "&a@example.org\n|exit 100\n");
    assert_eq!(deliver(&installed, &[], "y").0, 100);
    installed.replace("qmail-queue", "cat > /dev/null; exit 31");
    let refused = "Unable to forward message: mail server permanently rejected message (#5.3.0).\n";
    installed.alias("z", "&a@example.org\n");
    assert_eq!(deliver(&installed, &[], "z"), (100, refused.to_owned()));
    installed.replace("qmail-queue", "cat > /dev/null; exit 71");
    let refused = "Unable to forward message: mail server temporarily rejected message (#4.3.0).\n";
    assert_eq!(deliver(&installed, &[], "z"), (111, refused.to_owned()));
    assert_eq!(installed.home.queued().len(), 1);
}

#[test]
fn a_message_that_was_here_before_is_refused() {
    let installed = Installed::new();
    installed.alias("x", "./box\n");
    let home = installed.home.at("alias");
    let words = [
        "alias",
        home.to_str().unwrap(),
        "joe",
        "-",
        "x",
        "h.example",
        "",
        "./d",
    ];
    let text = "Delivered-To: joe@h.example\nSubject: x\n\nbody\n";
    let looping = "This message is looping: it already has my Delivered-To line. (#5.4.6)\n";
    assert_eq!(run(&installed, &words, text), (100, looping.to_owned()));
    let below = format!("Subject: x\n\n{text}");
    assert_eq!(run(&installed, &words, &below).0, 0);
    let other_case = "delivered-to: joe@h.example\n\n";
    assert_eq!(run(&installed, &words, other_case).0, 0);
}

#[test]
fn hostile_qmail_files_defer_and_an_absent_one_fails() {
    let installed = Installed::new();
    installed.alias("open", "./box\n");
    let path = installed.home.at("alias/.qmail-open");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o602)).unwrap();
    let writable = "Uh-oh: .qmail file is writable. (#4.7.0)\n";
    assert_eq!(deliver(&installed, &[], "open"), (111, writable.to_owned()));
    installed.alias("huge", &"#\n".repeat(1 << 20));
    let (code, said) = deliver(&installed, &[], "huge");
    assert!(
        code == 111 && said.starts_with("Unable to open .qmail-huge: "),
        "{said}"
    );
    fs::create_dir(installed.home.at("alias/.qmail-dir")).unwrap();
    let absent = (
        100,
        "Sorry, no mailbox here by that name. (#5.1.1)\n".to_owned(),
    );
    for ext in ["none", "dir", "a/b", "../alias/.qmail-box"] {
        assert_eq!(deliver(&installed, &[], ext), absent, "{ext}");
    }
    let binary: String = (1..128_u8).map(char::from).collect();
    installed.alias("binary", &format!("#{binary}\n./box\n"));
    assert_ne!(deliver(&installed, &[], "binary").0, -1);
}

#[test]
fn a_message_that_cannot_be_rewound_is_deferred() {
    let installed = Installed::new();
    installed.alias("x", "./box\n");
    installed.give();
    let home = installed.home.at("alias");
    let mut command = installed.program("qmail-local");
    command.args([
        "alias",
        home.to_str().unwrap(),
        "joe",
        "-",
        "x",
        "h",
        "",
        "./d",
    ]);
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(MESSAGE.as_bytes()).unwrap();
    drop(writer);
    let output = command.stdin(reader).output().unwrap();
    assert_eq!(output.status.code(), Some(111));
    assert_eq!(output.stderr, b"Unable to rewind message. (#4.3.0)\n");
}
