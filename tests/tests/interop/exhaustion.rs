//! A full disk, no descriptors left, crowds of idle clients and readers that do not read: the daemon lives and says why (RFC 5321 §4.5.4).

use crate::bad_input::still_works;
use crate::need;
use mta_tests::{Home, LineClient, Mtad, TempDir, run, skip, until};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

/// A small file system in memory, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]);
        run(command.arg(&at), b"")
            .status
            .success()
            .then_some(Self(at))
    }

    /// Writes until nothing fits any more.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("ballast")).unwrap();
        while file.write_all(&[b'x'; 512]).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("-l").arg(&self.0), b"");
    }
}

fn send(mtad: &mut Mtad, text: &str) -> String {
    LineClient::send_message(mtad.smtp(), "a@client.example", "joe@example.org", text)
}

#[test]
fn a_full_disk_defers_and_nothing_accepted_is_lost() {
    const TEST: &str = "a_full_disk_defers_and_nothing_accepted_is_lost";
    let here = TempDir::new();
    let id = run(Command::new("id").arg("-u"), b"").ok();
    let disk = (id.trim() == "0").then(|| SmallDisk::mount(here.path().join("disk")));
    let Some(disk) = disk.flatten() else {
        return skip(TEST, "needs root and mount(8)");
    };
    let home = Home::at(&disk.0.join("home"));
    home.control("concurrencylocal", "0\n");
    let mut mtad = Mtad::start(&home);
    assert!(send(&mut mtad, "Subject: before\r\n\r\nx").starts_with("250"));
    // One that does not fit leaves nothing behind.
    let large = "0123456789012345678901234567890123456789012345678901234567890\r\n".repeat(200_000);
    let large = format!("Subject: large\r\n\r\n{large}");
    let reply = send(&mut mtad, &large);
    assert!(reply.starts_with("452 4.3.1"), "{reply}");
    disk.fill();
    // What was put by for the log may hold some more; whatever is accepted is kept.
    let mut accepted = 1;
    for refused in 0..3 {
        loop {
            let reply = send(&mut mtad, &"Subject: full\r\n\r\nx".repeat(3000));
            if reply.starts_with("452 4.3.1") {
                break;
            }
            assert!(
                reply.starts_with("250") && accepted < 1000,
                "{refused}: {reply}"
            );
            accepted += 1;
        }
    }
    let _ = mtad.logged("no space left");
    // Deliveries are tried on the full disk, then with room; so is a new start.
    assert!(mtad.stop().success());
    std::fs::remove_file(home.path().join("control/concurrencylocal")).unwrap();
    disk.fill();
    let mut mtad = Mtad::start(&home);
    let _ = mtad.logged("starting delivery 1");
    let _ = mtad.logged("delivery 1: ");
    disk.make_room();
    mtad.signal("ALRM");
    until("what was accepted before", || {
        (home.mail().len() == accepted).then_some(())
    });
    still_works(&home, &mut mtad);
    assert!(mtad.stop().success());
}

#[test]
fn connections_leave_descriptors_for_mail() {
    let prlimit = need!("connections_leave_descriptors_for_mail", "prlimit");
    let home = Home::new();
    let mut mtad = Mtad::start_under(&home, &prlimit, &["--nofile=120:120"]);
    let said = mtad.logged("with 120 open files at most there is room for ");
    assert!(said.ends_with("15 SMTP and 15 POP3 sessions"), "{said}");
    let mut clients: Vec<LineClient> = (0..60).map(|_| LineClient::connect(mtad.smtp())).collect();
    let mut inside = 0;
    for client in &mut clients {
        let greeting = client.reply().unwrap();
        if greeting.starts_with("220") {
            inside += 1;
            client.command("MAIL FROM:<a@client.example>");
            let reply = client.command("RCPT TO:<joe@example.org>");
            assert!(reply.starts_with("250"), "{reply}");
            assert!(client.command("DATA").starts_with("354"));
            client.send(b"Subject: inside\r\n\r\n");
        } else {
            assert!(
                greeting.starts_with("421 4.7.0 too many connections"),
                "{greeting}"
            );
        }
    }
    assert_eq!(inside, 15);
    for client in clients.iter_mut().take(inside) {
        let reply = client.command("x\r\n.");
        assert!(reply.starts_with("250"), "{reply}");
    }
    until("all of them", || {
        (home.mail().len() == inside).then_some(())
    });
    drop(clients);
    until("a place", || {
        LineClient::connect(mtad.smtp())
            .reply()?
            .starts_with("220")
            .then_some(())
    });
    still_works(&home, &mut mtad);
}

#[test]
fn idle_clients_and_clients_that_do_not_read_cost_little() {
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    still_works(&home, &mut mtad);
    let before = mtad.resident_kib();
    let mut idle: Vec<LineClient> = (0..400).map(|_| LineClient::connect(mtad.smtp())).collect();
    for client in &mut idle {
        assert!(client.reply().unwrap().starts_with("220"));
    }
    let grown = mtad.resident_kib().saturating_sub(before);
    assert!(grown < 400 * 8 + 2048, "400 idle clients cost {grown} KiB");
    let deaf: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut stream = TcpStream::connect(mtad.smtp()).unwrap();
            stream.set_nonblocking(true).unwrap();
            // Until both sides' buffers are full of commands and of replies that nobody takes.
            let mut full = 0;
            until("full buffers", || {
                full = match stream.write(&b"NOOP\r\n".repeat(10_000)) {
                    Ok(_) => 0,
                    Err(_) => full + 1,
                };
                (full > 2).then_some(())
            });
            stream
        })
        .collect();
    let grown = mtad.resident_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "8 deaf clients cost {grown} KiB");
    still_works(&home, &mut mtad);
    // Whoever reads at last gets every reply in order.
    let mut late = &deaf[0];
    late.set_nonblocking(false).unwrap();
    let mut some = vec![0; 10_000];
    late.read_exact(&mut some).unwrap();
    assert!(
        String::from_utf8_lossy(&some)
            .lines()
            .nth(1)
            .unwrap()
            .starts_with("250")
    );
}

#[test]
fn a_log_that_nobody_reads_stops_neither_mail_nor_the_end() {
    let shell = need!(
        "a_log_that_nobody_reads_stops_neither_mail_nor_the_end",
        "sh"
    );
    let home = Home::new();
    let pipe = home.path().join("log-pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    // Opened for reading too, so that it can be opened, and never read.
    let script = format!("exec 2<>{}; exec \"$@\"", pipe.display());
    let mut mtad = Mtad::start_under(&home, &shell, &["-c", &script, "sh"]);
    // Two lines a session: more than the pipe and the backlog hold.
    let to = mtad.smtp();
    let sessions: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(move || {
                for _ in 0..400 {
                    assert!(LineClient::connect(to).reply().unwrap().starts_with("220"));
                }
            })
        })
        .collect();
    for session in sessions {
        session.join().unwrap();
    }
    still_works(&home, &mut mtad);
    assert!(mtad.stop().success());
}
