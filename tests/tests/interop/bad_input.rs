//! Hostile clients, a damaged queue and a full disk end in a clear word and a living daemon (RFC 5321 §4.5.3).

use mta_tests::{Home, LineClient, Mtad, until};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

fn resident_kib(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn still_works(home: &Home, mtad: &mut Mtad) {
    let before = home.mail().len();
    let reply = LineClient::send_message(
        mtad.smtp(),
        "a@client.example",
        "joe@example.org",
        "Subject: after\r\n\r\nbody",
    );
    assert!(reply.starts_with("250"), "{reply}");
    until("a delivery afterwards", || {
        (home.mail().len() == before + 1).then_some(())
    });
}

#[test]
fn hostile_bytes_end_in_a_reply_and_bounded_memory() {
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    let before = resident_kib(mtad.pid());
    let attacks: [(&str, Vec<u8>); 5] = [
        ("a 100 KB line", [&[b'A'; 100_000][..], b"\r\n"].concat()),
        ("NULs", b"MAIL FROM:<a\0b@c>\r\n".to_vec()),
        ("1e5 commands in one segment", b"NOOP\r\n".repeat(100_000)),
        ("1e5 unknown commands", b"XYZZY\r\n".repeat(100_000)),
        (
            "garbage",
            (0..200_000u32)
                .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
                .collect(),
        ),
    ];
    for (name, bytes) in attacks {
        let mut stream = TcpStream::connect(mtad.smtp()).unwrap();
        // Sent from a thread of its own: a server that stops reading must not stop this test.
        let mut writer = stream.try_clone().unwrap();
        let sender = std::thread::spawn(move || {
            let _ = writer.write_all(&bytes);
            let _ = writer.shutdown(std::net::Shutdown::Write);
        });
        let mut replies = Vec::new();
        let _ = stream.read_to_end(&mut replies);
        sender.join().unwrap();
        let text = String::from_utf8_lossy(&replies);
        let first = text.lines().nth(1).unwrap_or_default();
        assert!(first.starts_with(['2', '4', '5']), "{name}: {first}");
    }
    let grown = resident_kib(mtad.pid()).saturating_sub(before);
    assert!(grown < 32 * 1024, "grew by {grown} KiB");
    still_works(&home, &mut mtad);
}

#[test]
fn a_disconnect_inside_data_leaves_nothing_behind() {
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    for _ in 0..20 {
        let mut client = LineClient::connect(mtad.smtp());
        client.reply();
        client.command("HELO client.example");
        client.command("MAIL FROM:<a@client.example>");
        client.command("RCPT TO:<joe@example.org>");
        assert!(client.command("DATA").starts_with("354"));
        client.send(b"Subject: half\r\n\r\nnot the e");
    }
    still_works(&home, &mut mtad);
    assert_eq!(home.mail().len(), 1);
    until("an empty queue", || {
        let mess = home.path().join("queue/mess");
        let left: usize = std::fs::read_dir(mess)
            .ok()?
            .filter_map(|d| Some(std::fs::read_dir(d.ok()?.path()).ok()?.count()))
            .sum();
        (left == 0).then_some(())
    });
}

#[test]
fn a_flood_of_recipients_is_answered_452_and_the_first_ones_are_kept() {
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    let mut client = LineClient::connect(mtad.smtp());
    client.reply();
    client.command("EHLO client.example");
    client.command("MAIL FROM:<a@client.example>");
    let refused = (0..1_100)
        .map(|_| client.command("RCPT TO:<joe@example.org>"))
        .filter(|r| r.starts_with("452 4.5.3"))
        .count();
    assert_eq!(refused, 100);
    assert!(client.command("DATA").starts_with("354"));
    assert!(
        client
            .command("Subject: x\r\n\r\nbody\r\n.")
            .starts_with("250")
    );
}

#[test]
fn garbage_in_every_queue_file_does_not_stop_the_daemon() {
    let home = Home::new();
    home.control("concurrencylocal", "0\n");
    let mut mtad = Mtad::start(&home);
    for _ in 0..5 {
        let reply = LineClient::send_message(
            mtad.smtp(),
            "a@client.example",
            "joe@example.org",
            "Subject: x\r\n\r\nbody",
        );
        assert!(reply.starts_with("250"), "{reply}");
    }
    assert!(mtad.stop().success());
    let queue = home.path().join("queue");
    let mut n = 0;
    for sub in ["info", "local", "todo", "mess"] {
        for file in files_below(&queue.join(sub)) {
            n += 1;
            if n % 2 == 0 {
                std::fs::write(&file, b"\xff\0garbage\0\xfe").unwrap();
            }
        }
        std::fs::write(queue.join(sub).join("foreign-file"), b"?").unwrap();
    }
    std::fs::write(queue.join("todo/99999999"), b"neither this nor that").unwrap();
    assert!(n > 5, "the queue held only {n} files");
    home.control("concurrencylocal", "10\n");
    let mut mtad = Mtad::start(&home);
    still_works_among(&home, &mut mtad);
    assert!(mtad.alive());
}

fn still_works_among(home: &Home, mtad: &mut Mtad) {
    let reply = LineClient::send_message(
        mtad.smtp(),
        "a@client.example",
        "joe@example.org",
        "Subject: after-damage\r\n\r\nbody",
    );
    assert!(reply.starts_with("250"), "{reply}");
    until("the message sent afterwards", || {
        home.mail().iter().find_map(|f| {
            std::fs::read_to_string(f)
                .ok()
                .filter(|t| t.contains("after-damage"))
        })
    });
}

fn files_below(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn an_unreadable_control_file_is_named() {
    let home = Home::new();
    let path = home.path().join("control/locals");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let ran = home.mtad(
        &["serve", "--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0"],
        b"",
    );
    assert!(!ran.status.success());
    assert!(ran.stderr.contains("control/locals"), "{}", ran.stderr);
}
