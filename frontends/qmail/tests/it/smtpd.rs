//! qmail-smtpd's conversations, environment and exit codes (spec §8).

use crate::kit::{Ended, Home, Run};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// A host that takes mail for example.org.
pub(crate) fn host() -> Home {
    let home = Home::new();
    home.write("control/me", "mx.example.org\n");
    for file in ["locals", "rcpthosts"] {
        home.write(&format!("control/{file}"), "example.org\n");
    }
    home
}

/// Says these lines and hears the answers.
pub(crate) fn says(home: &Home, lines: &[&str]) -> Ended {
    session(home.run("qmail-smtpd"), lines)
}

pub(crate) fn session(run: Run, lines: &[&str]) -> Ended {
    run.input(lines.join("\r\n") + "\r\n").end()
}

#[test]
fn a_message_reaches_the_queue_with_its_received_field() {
    let home = host();
    let run = home
        .run("qmail-smtpd")
        .env("TCPREMOTEIP", "192.0.2.1")
        .env("TCPREMOTEHOST", "mail.far.example")
        .env("TCPREMOTEINFO", "joe doe")
        .env("TCPLOCALHOST", "mx.example.org");
    let lines = [
        "EHLO far.example",
        "MAIL FROM:<joe@far.example>",
        "RCPT TO:<ann@example.org>",
        "DATA",
        "Subject: x",
        "",
        "..dot",
        ".",
        "QUIT",
    ];
    let got = session(run, &lines);
    assert_eq!((got.code, got.err.as_str()), (0, ""));
    let replies: Vec<&str> = got.out.lines().collect();
    assert_eq!(replies[0], "220 mx.example.org ESMTP");
    assert!(
        got.out.contains("\n250-PIPELINING\r\n250-8BITMIME\r\n"),
        "{}",
        got.out
    );
    assert!(
        !got.out.contains("SMTPUTF8") && !got.out.contains("DSN"),
        "{}",
        got.out
    );
    let queued = replies[replies.len() - 2];
    let words: Vec<&str> = queued.split(' ').collect();
    assert!(
        matches!(words[..], ["250", "2.0.0", "ok", _, "qp", _]),
        "{queued}"
    );
    assert_eq!(replies[replies.len() - 1], "221 2.0.0 mx.example.org");
    let (envelope, message) = home.queued().remove(0);
    let envelope = String::from_utf8_lossy(&envelope).into_owned();
    assert!(
        envelope.ends_with("Fjoe@far.example\0Tann@example.org\0"),
        "{envelope}"
    );
    let message = String::from_utf8(message).unwrap();
    let pid = words[5];
    assert!(
        message.starts_with(&format!("Received: (qmail {pid} invoked ")),
        "{message}"
    );
    let (_, ours) = message.split_once('\n').unwrap();
    let ours = ours.strip_prefix(
        "Received: from mail.far.example (HELO far.example) (joe?doe@192.0.2.1)\n  \
         by mx.example.org with ESMTP; ",
    );
    let (_date, rest) = ours.unwrap().split_once('\n').unwrap();
    assert_eq!(rest, "Subject: x\n\n.dot\n");
}

#[test]
fn what_is_not_known_of_the_client_is_called_unknown() {
    let home = host();
    let run = home.run("qmail-smtpd").env("TCPLOCALIP", "192.0.2.9");
    session(
        run,
        &[
            "MAIL FROM:<>",
            "RCPT TO:<ann@example.org>",
            "DATA",
            "",
            "x",
            ".",
            "QUIT",
        ],
    );
    let (_, message) = home.queued().remove(0);
    let message = String::from_utf8(message).unwrap();
    let (_, ours) = message.split_once('\n').unwrap();
    assert!(
        ours.starts_with("Received: from unknown (unknown)\n  by 192.0.2.9 with SMTP; "),
        "{ours}"
    );
}

#[test]
fn the_code_tells_whether_the_client_said_goodbye() {
    let home = host();
    assert_eq!(says(&home, &["QUIT"]).code, 0);
    assert_eq!(says(&home, &["NOOP"]).code, 1);
    let got = home.run("qmail-smtpd").end();
    assert_eq!(
        (got.code, got.out.as_str()),
        (1, "220 mx.example.org ESMTP\r\n")
    );
}

#[test]
fn a_host_that_cannot_read_its_controls_says_421() {
    let want = "421 unable to read controls (#4.3.0)\r\n";
    type Spoil = fn(&Home);
    let rows: [(&str, Spoil); 3] = [
        ("no me", |home| {
            std::fs::remove_file(home.at("control/me")).unwrap()
        }),
        ("rcpthosts a directory", |home| {
            std::fs::remove_file(home.at("control/rcpthosts")).unwrap();
            std::fs::create_dir(home.at("control/rcpthosts")).unwrap();
        }),
        ("no control", |home| {
            std::fs::remove_dir_all(home.at("control")).unwrap()
        }),
    ];
    for (name, spoil) in rows {
        let home = host();
        spoil(&home);
        let got = says(&home, &["QUIT"]);
        assert_eq!((got.code, got.out.as_str()), (1, want), "{name}");
    }
    let got = host().run("qmail-smtpd").env("MTA_HOME", "/no/such").end();
    assert_eq!((got.code, got.out.as_str()), (1, want), "no home");
}

#[test]
fn the_queue_programs_code_is_the_clients_answer() {
    let envelope = [
        "MAIL FROM:<>",
        "RCPT TO:<ann@example.org>",
        "DATA",
        "x",
        ".",
        "QUIT",
    ];
    let rows = [
        (
            "exit 31",
            "554 5.3.0 mail server permanently rejected message\r\n",
        ),
        ("exit 53", "451 4.3.0 qq write error or disk full\r\n"),
        ("exit 40", "554 5.3.0 qq permanent problem\r\n"),
        ("exit 1", "451 4.3.0 qq temporary problem\r\n"),
        (
            "cat >/dev/null; printf 'Dno virus (#5.7.1)' >&6; exit 82",
            "554 5.7.1 no virus\r\n",
        ),
        (
            "cat >/dev/null; printf 'Zlater' >&6; exit 82",
            "451 4.0.0 later\r\n",
        ),
        ("kill -9 $$", "451 4.3.0 qq crashed\r\n"),
    ];
    for (text, want) in rows {
        let home = host();
        home.script("bin/filter", text);
        let got = session(
            home.run("qmail-smtpd").env("QMAILQUEUE", "bin/filter"),
            &envelope,
        );
        assert_eq!(got.code, 0, "{text}");
        assert!(got.out.contains(want), "{text}: {}", got.out);
    }
    let home = host();
    let got = session(
        home.run("qmail-smtpd").env("QMAILQUEUE", "/no/such"),
        &envelope,
    );
    assert!(
        got.out.contains("\r\n451 4.3.0 unable to exec qq\r\n"),
        "{}",
        got.out
    );
}

#[test]
fn a_message_that_is_refused_leaves_nothing_in_the_queue() {
    let hops = "Received: x\r\n".repeat(100) + "\r\nx";
    let rows = [
        ("bare LF", "a\nb\r\n.", "554 5.6.0 "),
        ("bare CR", "a\rb", "554 5.6.0 "),
        ("NUL", "a\0b", "554 5.6.0 "),
        ("smuggled end", "a\r\n.\nMAIL FROM:<b@c>", "554 5.6.0 "),
        (
            "hops",
            &hops,
            "554 5.4.6 too many hops, this message is looping\r\n",
        ),
        ("databytes", "0123456789", "552 5.3.4 "),
    ];
    for (name, body, want) in rows {
        let home = host();
        let databytes = if name == "databytes" { "10" } else { "0" };
        let run = home.run("qmail-smtpd").env("DATABYTES", databytes);
        let lines = [
            "MAIL FROM:<>",
            "RCPT TO:<ann@example.org>",
            "DATA",
            body,
            ".",
            "QUIT",
        ];
        let got = session(run, &lines);
        assert!(got.out.contains(want), "{name}: {}", got.out);
        assert_eq!((home.queued().len(), home.files()), (0, 0), "{name}");
    }
}

#[test]
fn databytes_is_read_from_the_file_unless_the_variable_is_set() {
    let lines = [
        "MAIL FROM:<>",
        "RCPT TO:<ann@example.org>",
        "DATA",
        "0123456789",
        ".",
        "QUIT",
    ];
    let rows = [
        ("file", "10", None, 0),
        ("fits exactly", "11", None, 1),
        ("variable", "10", Some("11"), 1),
        ("variable is no number", "10", Some("x"), 1),
        ("variable is less", "0", Some("10"), 0),
    ];
    for (name, file, variable, taken) in rows {
        let home = host();
        home.write("control/databytes", file);
        let run = home.run("qmail-smtpd");
        let run = match variable {
            Some(value) => run.env("DATABYTES", value),
            None => run,
        };
        session(run, &lines);
        assert_eq!(home.queued().len(), taken, "{name}");
    }
}

#[test]
fn a_client_that_hangs_up_leaves_nothing_in_the_queue() {
    for lines in [
        &["MAIL FROM:<>", "RCPT TO:<ann@example.org>", "DATA", "x"][..],
        &[
            "MAIL FROM:<>",
            "RCPT TO:<ann@example.org>",
            "DATA",
            "x",
            "..",
            ".\n",
        ],
    ] {
        let home = host();
        assert_eq!(says(&home, lines).code, 1);
        assert_eq!((home.queued().len(), home.files()), (0, 0), "{lines:?}");
    }
}

#[test]
fn hostile_clients_cost_bounded_memory() {
    let home = host();
    let long = "x".repeat(100_000);
    let got = says(&home, &[&long, "NOOP", "QUIT"]);
    assert!(
        got.out
            .contains("\r\n500 5.5.2 command line too long\r\n250 "),
        "{}",
        got.out
    );
    let mut lines = vec!["MAIL FROM:<>"];
    lines.extend(std::iter::repeat_n("RCPT TO:<ann@example.org>", 100_000));
    lines.extend(["DATA", "x", ".", "QUIT"]);
    let got = says(&home, &lines);
    assert_eq!(got.out.matches("250 2.1.5 ok").count(), 1000);
    assert!(
        got.out.contains("\r\n452 4.5.3 "),
        "later recipients are told to come again"
    );
    let got = says(&home, &vec!["nonsense"; 1000]);
    assert_eq!(got.code, 1);
    assert!(
        got.out.ends_with("421 4.7.0 too many errors, closing\r\n"),
        "{}",
        got.out
    );
    let got = says(&home, &["MAIL FROM:<a\0b@c>", "HELO \0", "QUIT"]);
    assert_eq!(
        got.out
            .matches("\r\n500 5.5.2 the line holds a NUL byte")
            .count(),
        2
    );
}

#[test]
fn closed_descriptors_end_the_session() {
    let home = host();
    for closed in ["<&-", ">&-", "<&- >&- 2>&-"] {
        let script = home.script(
            "close",
            &format!("exec -a qmail-smtpd {} {closed}", crate::kit::BINARY),
        );
        let mut command = Command::new("bash");
        command
            .arg0("bash")
            .arg(script)
            .env("MTA_HOME", home.path());
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{closed}");
    }
}

#[test]
fn a_silent_client_is_sent_away() {
    let home = host();
    home.write("control/timeoutsmtpd", "1\n");
    let mut command = home.run("qmail-smtpd").command;
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let kept = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(kept);
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        out,
        "220 mx.example.org ESMTP\r\n421 4.4.2 timeout, closing\r\n"
    );
    assert_eq!(output.status.code(), Some(1));
}
