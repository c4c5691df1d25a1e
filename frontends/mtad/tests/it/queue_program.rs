//! A program between the protocols and the queue: how it is called, what its exit codes say, what becomes of it (QMAILQUEUE, qmail-queue(8), spec §4).

use crate::kit::{Home, Line, Running, until};
use mta_proto::netstring::encode;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const JOE: &[&str] = &["joe@example.org"];

/// A home whose mail goes through a shell script.
fn filtered(script: &str) -> Home {
    let home = Home::new();
    write(&home, script);
    home.config("qmailqueue = \"filter\"\n");
    home
}

fn write(home: &Home, script: &str) {
    let path = home.path().join("filter");
    // A file of its own each time: one that runs cannot be written.
    let _ = fs::remove_file(&path);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Keeps message, envelope and environment in the home.
const KEEP: &str = "cat >message; cat <&1 >envelope; env >environment; pwd >place";

fn kept(home: &Home, name: &str) -> String {
    String::from_utf8(fs::read(home.path().join(name)).unwrap()).unwrap()
}

fn ns(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    encode(bytes.as_ref(), &mut out);
    out
}

#[test]
fn it_gets_message_envelope_and_the_connections_variables() {
    let home = filtered(KEEP);
    home.config("qmailqueue = \"filter\"\nrelay_from = [\"127.0.0.1\"]\n");
    let mut mtad = Running::start(&home);
    let to = ["joe@example.org", "ann@far.example"];
    let reply = mtad.message("a@client.example", &to, "Subject: x\r\n\r\n..dot");
    assert!(reply.starts_with("250 2.0.0 ok "), "{reply}");
    assert!(reply.contains(" qp "), "{reply}");
    let message = kept(&home, "message");
    let ours = "Received: from unknown (HELO client.example) (127.0.0.1)\n  by mx.example.org with ESMTP; ";
    assert!(message.starts_with(ours), "{message}");
    assert!(
        message.ends_with("-0000\nSubject: x\n\n.dot\n"),
        "{message}"
    );
    assert_eq!(
        kept(&home, "envelope"),
        "Fa@client.example\0Tjoe@example.org\0Tann@far.example\0\0"
    );
    let place = fs::canonicalize(home.path()).unwrap();
    assert_eq!(PathBuf::from(kept(&home, "place").trim_end()), place);
    let environment = kept(&home, "environment");
    let shown = home.path().to_str().unwrap();
    for line in [
        "TCPREMOTEIP=127.0.0.1",
        "TCPLOCALIP=127.0.0.1",
        "TCPLOCALHOST=mx.example.org",
        "RELAYCLIENT=",
        "PROTO=TCP",
        &format!("MTA_HOME={shown}"),
    ] {
        assert!(
            environment.lines().any(|set| set == line),
            "{line} is missing in\n{environment}"
        );
    }
    assert_eq!(
        home.queued(),
        0,
        "what becomes of it is the program's business"
    );
    mtad.logged("given to QMAILQUEUE qp ");
}

#[test]
fn its_exit_codes_are_the_replies() {
    let home = filtered("exit 99");
    let mut mtad = Running::start(&home);
    let read = "cat >/dev/null; cat <&1 >/dev/null";
    #[rustfmt::skip]
    let rows = [
        ("permanent", "exit 31", "554 5.3.0 mail server permanently rejected message"),
        ("address too long", "exit 115", "554 5.1.3 envelope address too long for qq"),
        ("another permanent one", "exit 20", "554 5.3.0 qq permanent problem"),
        ("disk full", "exit 53", "451 4.3.0 qq write error or disk full"),
        ("temporary", "exit 71", "451 4.3.0 mail server temporarily rejected message"),
        ("unknown", "exit 250", "451 4.3.0 qq temporary problem"),
        ("a text of its own", "printf 'Dno virus please (#5.7.1)' >&6; exit 82", "554 5.7.1 no virus please"),
        ("no text", "exit 82", "451 4.3.0 qq temporary problem"),
        ("killed", "kill -9 $$", "451 4.3.0 qq crashed"),
        ("taken", "exit 0", "250 2.0.0 ok "),
    ];
    for (name, end, want) in rows {
        write(&home, &format!("{read}; {end}"));
        let reply = mtad.message("a@client.example", JOE, "Subject: x\r\n\r\nx");
        assert!(reply.starts_with(want), "{name}: {reply}");
    }
    assert_eq!(home.queued(), 0);
}

#[test]
fn one_that_does_not_read_is_judged_by_its_code_but_never_takes() {
    let home = filtered("exit 31");
    let mut mtad = Running::start(&home);
    // More than pipes hold.
    let text = format!("Subject: x\r\n\r\n{}", "many words\r\n".repeat(100_000));
    let reply = mtad.message("a@client.example", JOE, &text);
    assert!(reply.starts_with("554 5.3.0 mail server perm"), "{reply}");
    write(&home, "exit 0");
    let reply = mtad.message("a@client.example", JOE, &text);
    assert!(reply.starts_with("451 4.3.0 qq read error"), "{reply}");
}

#[test]
fn one_that_cannot_be_run_is_said_at_data() {
    let home = filtered("exit 0");
    home.config("qmailqueue = \"/nowhere/filter\"\n");
    let mut mtad = Running::start(&home);
    let mut client = Line::smtp(mtad.smtp());
    client.say("MAIL FROM:<a@client.example>");
    client.say("RCPT TO:<joe@example.org>");
    let reply = client.say("DATA");
    assert!(reply.starts_with("451 4.3.0 unable to exec qq"), "{reply}");
    mtad.logged("unable to run /nowhere/filter: ");
    let judged = home.run(&["check", "--no-dns"], "").out;
    assert!(
        judged.contains("qmailqueue: expected a program"),
        "{judged}"
    );
}

#[test]
fn one_that_hangs_is_killed_with_its_children() {
    let home = filtered("echo $$ >number; sleep 1000; exit 0");
    home.config("qmailqueue = \"filter\"\n[timeouts]\nqueue_program = 1\n");
    let mut mtad = Running::start(&home);
    let reply = mtad.message("a@client.example", JOE, "Subject: x\r\n\r\nx");
    assert!(reply.starts_with("451 4.3.0 qq timeout"), "{reply}");
    let group: i32 = kept(&home, "number").trim_end().parse().unwrap();
    let group = nix::unistd::Pid::from_raw(group);
    until("the end of the group", || {
        nix::sys::signal::killpg(group, None).is_err().then_some(())
    });
    assert!(mtad.alive());
}

#[test]
fn a_client_that_leaves_takes_its_message_back() {
    let home = filtered("cat >message; cat <&1 >envelope; echo >ended");
    let mut mtad = Running::start(&home);
    let mut client = Line::smtp(mtad.smtp());
    client.say("MAIL FROM:<a@client.example>");
    client.say("RCPT TO:<joe@example.org>");
    assert!(client.say("DATA").starts_with("354"));
    client.send(b"Subject: half\r\n");
    drop(client);
    let ended = home.path().join("ended");
    until("the program's end", || ended.exists().then_some(()));
    assert_eq!(kept(&home, "envelope"), "", "it never sees an envelope");
}

#[test]
fn qmtp_and_qmqp_go_through_it_as_well() {
    let home = filtered(KEEP);
    home.config(
        "qmailqueue = \"filter\"\nqmtp_from = [\"127.0.0.0/8\"]\nqmqp_from = [\"127.0.0.0/8\"]\n",
    );
    let further = ["--qmtp", "127.0.0.1:0", "--qmqp", "127.0.0.1:0"];
    let mut mtad = Running::start_with(&home, &further);
    let parts = [
        ns("\nSubject: x\n\nx\n"),
        ns("a@b"),
        ns(ns("joe@example.org")),
    ]
    .concat();
    let package = ns([ns("Subject: x\n\nx\n"), ns("a@b"), ns("joe@example.org")].concat());
    let ask = |mtad: &mut Running, protocol: &str, bytes: &[u8]| {
        let mut client = Line::connect(mtad.listening(protocol));
        client.send(bytes);
        client.end();
        client.rest()
    };
    for (protocol, bytes) in [("qmtp", &parts), ("qmqp", &package)] {
        write(&home, KEEP);
        let answer = ask(&mut mtad, protocol, bytes);
        assert!(
            answer.contains(":Kok ") && answer.contains(" qp "),
            "{answer}"
        );
        assert_eq!(kept(&home, "envelope"), "Fa@b\0Tjoe@example.org\0\0");
        let with = format!(" with {}; ", protocol.to_uppercase());
        assert!(kept(&home, "message").contains(&with));
        write(&home, "exit 31");
        let answer = ask(&mut mtad, protocol, bytes);
        let no = "Dmail server permanently rejected message (#5.3.0)";
        assert!(answer.contains(no), "{answer}");
        write(&home, "printf 'Zcome again' >&6; exit 82");
        let answer = ask(&mut mtad, protocol, bytes);
        assert!(answer.contains(":Zcome again (#4.3.0),"), "{answer}");
    }
    assert_eq!(home.queued(), 0);
}

#[test]
fn the_environment_goes_before_the_file() {
    let home = filtered("exit 31");
    let other = home.path().join("other");
    fs::write(&other, "#!/bin/sh\nexit 71\n").unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
    let mut mtad = Running::start_in(&home, &[("QMAILQUEUE", other.to_str().unwrap())]);
    let reply = mtad.message("a@client.example", JOE, "Subject: x\r\n\r\nx");
    assert!(reply.starts_with("451 4.3.0 mail server temp"), "{reply}");
}

#[test]
fn a_large_message_passes_in_bounded_memory() {
    const LINES: usize = 400_000;
    let home = filtered("wc -c >size; cat <&1 >/dev/null");
    let mut mtad = Running::start(&home);
    let line = format!("{}\r\n", "x".repeat(98));
    let mut client = Line::smtp(mtad.smtp());
    client.say("MAIL FROM:<a@client.example>");
    client.say("RCPT TO:<joe@example.org>");
    assert!(client.say("DATA").starts_with("354"));
    let peak = || {
        let status = fs::read_to_string(format!("/proc/{}/status", mtad.pid())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
        let number = line.split_ascii_whitespace().nth(1).unwrap();
        number.parse::<u64>().unwrap()
    };
    let before = peak();
    client.send(b"Subject: large\r\n\r\n");
    for _ in 0..LINES / 1000 {
        client.send(line.repeat(1000).as_bytes());
    }
    let reply = client.say(".");
    assert!(reply.starts_with("250 "), "{reply}");
    let grown = peak() - before;
    assert!(grown < 8 * 1024, "it grew by {grown} KiB");
    let size: usize = kept(&home, "size").trim().parse().unwrap();
    assert!(size > LINES * 99, "{size}");
}
