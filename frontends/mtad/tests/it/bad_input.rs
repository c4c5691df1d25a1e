//! Hostile clients and damaged files end in a clear word, bounded memory and a living daemon (RFC 5321 §4.5.3).

use crate::kit::{Home, Line, Running, files_below, until};
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

fn resident_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[track_caller]
fn still_works(home: &Home, mtad: &mut Running) {
    assert!(mtad.alive());
    let reply = mtad.message(
        "a@client.example",
        &["joe@example.org"],
        "Subject: afterwards\r\n\r\nx",
    );
    assert!(reply.starts_with("250"), "{reply}");
    until("a delivery afterwards", || {
        home.mail("joe")
            .iter()
            .any(|text| text.contains("afterwards"))
            .then_some(())
    });
}

#[test]
fn hostile_bytes_end_in_replies_and_bounded_memory() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    let before = resident_kib(mtad.pid());
    let noise = |n: u32| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap();
    let attacks: [(&str, &str, Vec<u8>); 6] = [
        (
            "a 100 KB line",
            "500 5.5.2",
            [&[b'A'; 100_000][..], b"\r\n"].concat(),
        ),
        ("a NUL", "500 5.5.2", b"MAIL FROM:<a\0b@c>\r\n".to_vec()),
        (
            "1e5 commands in one segment",
            "250",
            b"NOOP\r\n".repeat(100_000),
        ),
        (
            "1e5 unknown commands",
            "500 5.5.2",
            b"XYZZY\r\n".repeat(100_000),
        ),
        ("a bare LF", "500 5.5.2", b"NOOP\nNOOP\r\n".to_vec()),
        ("noise", "", (0..200_000).map(noise).collect()),
    ];
    for (name, want, bytes) in attacks {
        let mut stream = TcpStream::connect(mtad.smtp()).unwrap();
        let mut writer = stream.try_clone().unwrap();
        // A server that stops reading must not stop this test.
        let sender = std::thread::spawn(move || {
            let _ = writer.write_all(&bytes);
            let _ = writer.shutdown(Shutdown::Write);
        });
        let mut replies = Vec::new();
        let _ = stream.read_to_end(&mut replies);
        sender.join().unwrap();
        let text = String::from_utf8_lossy(&replies);
        let first = text.lines().nth(1).unwrap_or_default();
        assert!(first.starts_with(want), "{name}: {first}");
    }
    let grown = resident_kib(mtad.pid()).saturating_sub(before);
    assert!(grown < 32 * 1024, "grew by {grown} KiB");
    still_works(&home, &mut mtad);
}

#[test]
fn line_ends_that_smuggle_are_refused_with_the_message() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    for (name, text) in [
        ("bare LF", "Subject: a\n\r\nx\r\n."),
        ("LF dot LF", "Subject: a\r\n\r\nx\n.\nMAIL FROM:<b@c>\r\n."),
        ("bare CR", "Subject: a\r\n\r\nx\ry\r\n."),
        ("NUL", "Subject: a\r\n\r\nx\0y\r\n."),
    ] {
        let mut client = Line::smtp(mtad.smtp());
        client.say("MAIL FROM:<a@client.example>");
        client.say("RCPT TO:<joe@example.org>");
        client.say("DATA");
        let reply = client.say(text);
        assert!(reply.starts_with("554 5.6.0"), "{name}: {reply}");
        assert!(client.say("NOOP").starts_with("250"), "{name}");
    }
    still_works(&home, &mut mtad);
    assert_eq!(home.mail("joe").len(), 1);
}

#[test]
fn a_client_that_goes_inside_data_leaves_nothing_behind() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    for _ in 0..10 {
        let mut client = Line::smtp(mtad.smtp());
        client.say("MAIL FROM:<a@client.example>");
        client.say("RCPT TO:<joe@example.org>");
        client.say("DATA");
        client.send(&b"x\r\n".repeat(100_000));
        client.end();
    }
    still_works(&home, &mut mtad);
    until("an empty queue", || (home.queued() == 0).then_some(()));
    assert_eq!(home.mail("joe").len(), 1);
}

#[test]
fn half_a_command_then_silence_ends_by_the_timeout() {
    let home = Home::new();
    home.control("timeoutsmtpd", "1\n");
    let mut mtad = Running::start(&home);
    let mut client = Line::smtp(mtad.smtp());
    client.send(b"MAIL FR");
    let reply = client.reply();
    assert!(reply.starts_with("421 4.4.2"), "{reply}");
    mtad.logged("end: timeout");
    assert!(mtad.alive());
}

#[test]
fn too_many_recipients_are_answered_452_and_the_first_are_kept() {
    let home = Home::new();
    home.config("[limits]\nrecipients = 5\n");
    let mut mtad = Running::start(&home);
    let mut client = Line::smtp(mtad.smtp());
    client.say("MAIL FROM:<a@client.example>");
    let replies: Vec<String> = (0..8)
        .map(|_| client.say("RCPT TO:<joe@example.org>"))
        .collect();
    assert_eq!(
        replies
            .iter()
            .filter(|reply| reply.starts_with("250"))
            .count(),
        5
    );
    assert!(replies[7].starts_with("452 4.5.3"), "{replies:?}");
    client.say("DATA");
    assert!(client.say("x\r\n.").starts_with("250"));
}

#[test]
fn a_message_that_is_too_large_is_refused_early_and_late() {
    let home = Home::new();
    home.control("databytes", "1000\n");
    let mut mtad = Running::start(&home);
    let mut client = Line::smtp(mtad.smtp());
    let reply = client.say("MAIL FROM:<a@client.example> SIZE=5000");
    assert!(reply.starts_with("552 5.3.4"), "{reply}");
    let reply = client.message(
        "a@client.example",
        &["joe@example.org"],
        &"0123456789\r\n".repeat(200),
    );
    assert!(reply.starts_with("552 5.3.4"), "{reply}");
    let reply = client.message("a@client.example", &["joe@example.org"], "x");
    assert!(reply.starts_with("250"), "{reply}");
}

#[test]
fn garbage_in_every_queue_file_is_put_aside_with_a_reason() {
    let home = Home::in_qmail_layout();
    home.control("concurrencylocal", "0\n");
    let mut mtad = Running::start(&home);
    for _ in 0..6 {
        mtad.message(
            "a@client.example",
            &["joe@example.org"],
            "Subject: x\r\n\r\nbody",
        );
    }
    until("six messages", || {
        (mtad
            .log()
            .iter()
            .filter(|l| l.starts_with("new msg"))
            .count()
            == 6)
            .then_some(())
    });
    assert!(mtad.stop().success());
    let queue = home.path().join("queue");
    for kind in ["info", "local", "mess"] {
        for (n, file) in files_below(&queue.join(kind)).into_iter().enumerate() {
            if n % 2 == 0 {
                fs::write(&file, b"\xff\0garbage\0\xfe").unwrap();
            }
        }
        fs::write(queue.join(kind).join("0/foreign"), b"?").unwrap();
    }
    fs::write(queue.join("todo/99999999"), b"neither this nor that").unwrap();
    home.control("concurrencylocal", "10\n");
    let mut mtad = Running::start(&home);
    mtad.logged("warning: put aside as ");
    still_works(&home, &mut mtad);
}

#[test]
fn a_damaged_account_file_defers_and_is_named() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    fs::write(
        home.path().join("domains/example.org/vpasswd.cdb"),
        b"garbage",
    )
    .unwrap();
    let reply = mtad.message("a@client.example", &["joe@example.org"], "x");
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    mtad.logged("vpasswd.cdb");
    let (mut pop, _) = Line::greeted(mtad.pop3());
    pop.say("USER joe@example.org");
    assert!(pop.say("PASS joe secret").starts_with("-ERR [SYS/TEMP]"));
    assert!(mtad.alive());
}

#[test]
fn an_unreadable_control_file_stops_the_start_and_is_named() {
    let home = Home::new();
    let path = home.path().join("control/virtualdomains");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let ran = home.run(
        &["serve", "--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0"],
        "",
    );
    assert_eq!(ran.code, Some(111));
    assert!(ran.err.contains("control/virtualdomains: "), "{}", ran.err);
}
