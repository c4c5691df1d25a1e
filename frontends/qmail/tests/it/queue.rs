//! qmail-queue: what it takes, what it refuses and with which code, and what it leaves behind.

use crate::kit::Home;
use std::process::Stdio;

#[test]
fn a_message_is_queued_with_its_received_line_and_envelope() {
    let home = Home::new();
    let ended = home
        .run("qmail-queue")
        .input("Subject: x\n\nbody\n")
        .inject(b"Fme@a\0Tyou@b\0Tshe@c\0\0");
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    let queued = home.queued();
    let [(envelope, message)] = queued.as_slice() else {
        panic!("one message was expected: {queued:?}");
    };
    let records: Vec<_> = envelope
        .split(|&b| b == 0)
        .map(String::from_utf8_lossy)
        .collect();
    assert_eq!(records[0], format!("u{}", nix::unistd::getuid()));
    assert!(records[1].starts_with('p'), "{records:?}");
    assert_eq!(records[2..], ["Fme@a", "Tyou@b", "Tshe@c", ""]);
    let message = String::from_utf8_lossy(message);
    let pid = &records[1][1..];
    let uid = nix::unistd::getuid();
    assert!(
        message.starts_with(&format!("Received: (qmail {pid} invoked by uid {uid}); ")),
        "{message}"
    );
    assert!(
        message.ends_with(" -0000\nSubject: x\n\nbody\n"),
        "{message}"
    );
}

#[test]
fn dates_are_local_where_localdates_is_set() {
    let rows = [
        ("set", Some("LOCALDATES"), "+0545"),
        ("not set", None, "-0000"),
    ];
    for (name, variable, want) in rows {
        let home = Home::new();
        let mut run = home.run("qmail-queue").env("TZ", "XXX-5:45").input("x\n");
        if let Some(variable) = variable {
            run = run.env(variable, "");
        }
        assert_eq!(run.inject(b"F\0Ta\0\0").code, 0, "{name}");
        let (_, message) = home.queued().pop().unwrap();
        let message = String::from_utf8_lossy(&message).into_owned();
        assert!(
            message.ends_with(&format!(" {want}\nx\n")),
            "{name}: {message}"
        );
    }
}

#[test]
fn envelopes_end_with_the_codes_of_the_table_and_leave_nothing_behind() {
    let long = |n: usize| [b"F\0T".as_slice(), &vec![b'a'; n], b"\0\0"].concat();
    let rows: Vec<(&str, Vec<u8>, i32)> = vec![
        ("no recipient", b"Fa@b\0\0".to_vec(), 0),
        ("null sender", b"F\0Ta\0\0".to_vec(), 0),
        ("1002 bytes", long(1002), 0),
        ("1003 bytes", long(1003), 11),
        ("nothing at all", Vec::new(), 54),
        ("no final NUL", b"Fa\0Tb\0".to_vec(), 54),
        ("cut in an address", b"Fa\0Tb".to_vec(), 54),
        ("a NUL first", b"\0".to_vec(), 91),
        ("no sender", b"Ta\0\0".to_vec(), 91),
        ("other record", b"Fa\0Xb\0\0".to_vec(), 91),
        (
            "longest sender",
            [b"F".as_slice(), &[b'a'; 1002], b"\0\0"].concat(),
            0,
        ),
        (
            "too long sender",
            [b"F".as_slice(), &[b'a'; 1003], b"\0\0"].concat(),
            11,
        ),
    ];
    for (name, envelope, code) in rows {
        let home = Home::new();
        let ended = home.run("qmail-queue").input("x\n").inject(&envelope);
        assert_eq!((ended.code, ended.err.as_str()), (code, ""), "{name}");
        // mess/ and todo/, or nothing.
        assert_eq!(home.files(), if code == 0 { 2 } else { 0 }, "{name}");
    }
}

#[test]
fn a_message_may_hold_any_bytes_and_be_large_or_empty() {
    let all: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    for (name, message) in [("empty", Vec::new()), ("all bytes, no LF at the end", all)] {
        let home = Home::new();
        let ended = home
            .run("qmail-queue")
            .input(message.clone())
            .inject(b"F\0Ta\0\0");
        assert_eq!(ended.code, 0, "{name}");
        let (_, stored) = home.queued().remove(0);
        let line_end = stored.iter().position(|&b| b == b'\n').unwrap() + 1;
        assert!(stored[line_end..] == message, "{name}");
    }
}

#[test]
fn a_hundred_thousand_recipients_are_queued_in_their_order() {
    let home = Home::new();
    let mut envelope = b"Fme@a\0".to_vec();
    for n in 0..100_000 {
        envelope.extend_from_slice(format!("Tuser{n}@example.org\0").as_bytes());
    }
    envelope.push(0);
    assert_eq!(
        home.run("qmail-queue").input("x\n").inject(&envelope).code,
        0
    );
    let (stored, _) = home.queued().remove(0);
    assert_eq!(
        stored
            .split(|&b| b == 0)
            .filter(|r| r.starts_with(b"T"))
            .count(),
        100_000
    );
    assert!(stored.ends_with(b"Tuser99999@example.org\0"));
}

#[test]
fn closed_descriptors_are_read_errors() {
    for (name, redirect) in [("message", "<&-"), ("envelope", ">&-"), ("both", "<&- >&-")] {
        let home = Home::new();
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", &format!("exec bin/qmail-queue {redirect}")]);
        shell.env("MTA_HOME", home.path()).current_dir(home.path());
        let status = shell
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(54), "{name}");
        assert_eq!(home.files(), 0, "{name}");
    }
}

#[test]
fn a_missing_home_a_missing_queue_and_a_spoilt_one_have_codes_of_their_own() {
    let spoil = |path: &str| {
        let home = Home::new();
        std::fs::remove_dir_all(home.at(path)).unwrap();
        home.run("qmail-queue").input("x").inject(b"F\0\0").code
    };
    let home = Home::new();
    let lost = home.run("qmail-queue").env("MTA_HOME", "/no/such");
    assert_eq!(lost.input("x").inject(b"F\0\0").code, 61);
    assert_eq!(spoil("queue"), 62);
    assert_eq!(spoil("queue/mess"), 62);
    let home = Home::new();
    for n in 0..23 {
        std::fs::remove_dir(home.at(&format!("queue/mess/{n}"))).unwrap();
    }
    assert_eq!(home.run("qmail-queue").input("x").inject(b"F\0\0").code, 64);
}

#[test]
fn the_trigger_is_pulled() {
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    let home = Home::new();
    let mut trigger = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(home.at("queue/lock/trigger"))
        .unwrap();
    assert_eq!(
        home.run("qmail-queue").input("x").inject(b"F\0Ta\0\0").code,
        0
    );
    let mut pulled = [1; 8];
    assert_eq!(trigger.read(&mut pulled).unwrap(), 1);
    assert_eq!(pulled[0], 0);
}
