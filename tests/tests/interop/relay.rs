//! Mail relayed to smtp-sink and to hostile servers ends delivered, deferred or bounced, never lost (RFC 5321 §4.5.4).

use crate::need;
use mta_tests::{Home, LineClient, Mtad, TempDir, run, until};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

fn relay_home(next: SocketAddr) -> Home {
    let home = Home::new();
    home.control("smtproutes", &format!(":{}:{}\n", next.ip(), next.port()));
    let config = home.path().join("mtad.toml");
    let text = std::fs::read_to_string(&config).unwrap_or_default();
    std::fs::write(config, format!("relay_from = [\"127.0.0.0/8\"]\n{text}")).unwrap();
    home
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn two_hundred_messages_reach_smtp_sink() {
    let sink = need!("two_hundred_messages_reach_smtp_sink", "smtp-sink");
    let source = need!("two_hundred_messages_reach_smtp_sink", "smtp-source");
    // smtp-sink cannot choose its port: take a free one, then give it up.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut command = Command::new(sink);
    let here = TempDir::new();
    command
        .args(["-u", "root", "-d", "mail.", &port.to_string(), "100"])
        .current_dir(here.path());
    let _sink = Ended(
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    until("smtp-sink to listen", || TcpStream::connect(port).ok());
    let home = relay_home(port);
    let mut mtad = Mtad::start(&home);
    let mut command = Command::new(source);
    command.args([
        "-s",
        "10",
        "-m",
        "200",
        "-l",
        "2000",
        "-f",
        "a@client.example",
        "-t",
        "you@far.example",
    ]);
    let _ = run(command.arg(mtad.smtp().to_string()), b"").ok();
    until("an empty queue", || {
        home.mtad(&["queue", "list"], b"")
            .ok()
            .trim()
            .is_empty()
            .then_some(())
    });
    assert_eq!(std::fs::read_dir(here.path()).unwrap().count(), 200);
}

/// A server that says `lines` one after another, each upon one line of the client, then hangs up.
fn scripted(lines: &'static [&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let mut reader = BufReader::new(stream);
            for line in lines {
                if reader.get_mut().write_all(line.as_bytes()).is_err() {
                    break;
                }
                let mut heard = String::new();
                if reader.read_line(&mut heard).is_err() {
                    break;
                }
            }
        }
    });
    address
}

/// What the log says of the first delivery to a server that speaks `lines`.
fn verdict(lines: &'static [&'static str]) -> String {
    let home = relay_home(scripted(lines));
    let mut mtad = Mtad::start(&home);
    let reply = LineClient::send_message(
        mtad.smtp(),
        "joe@example.org",
        "you@far.example",
        "Subject: x\r\n\r\nbody",
    );
    assert!(reply.starts_with("250"), "{reply}");
    let line = until("the first delivery's end", || {
        mtad.log()
            .into_iter()
            .find(|l| l.starts_with("delivery 1: "))
    });
    assert!(mtad.alive());
    line
}

#[test]
fn a_refused_recipient_bounces_to_the_sender() {
    let lines = &[
        "220 hi\r\n",
        "250 hi\r\n",
        "250 ok\r\n",
        "550 5.1.1 nobody here\r\n",
        "250 ok\r\n",
        "221 bye\r\n",
    ];
    let home = relay_home(scripted(lines));
    let mut mtad = Mtad::start(&home);
    let reply = LineClient::send_message(
        mtad.smtp(),
        "joe@example.org",
        "you@far.example",
        "Subject: x\r\n\r\nbody",
    );
    assert!(reply.starts_with("250"), "{reply}");
    let bounce = until("the bounce", || home.mail().pop());
    let bounce = std::fs::read_to_string(bounce).unwrap();
    for wanted in [
        "Return-Path: <>\n",
        "Hi. This is the qmail-send program at ",
        "<you@far.example>:\n",
        "nobody here",
        "Content-Type: multipart/report",
        "Final-Recipient: rfc822;",
        "Status: 5.1.1",
    ] {
        assert!(
            bounce.contains(wanted),
            "{wanted:?} is missing in\n{bounce}"
        );
    }
}

#[test]
fn a_greeting_that_asks_for_later_defers() {
    let line = verdict(&["421 come back later\r\n"]);
    assert!(line.contains("deferral: "), "{line}");
}

#[test]
fn a_greeting_that_refuses_for_good_fails() {
    assert!(verdict(&["554 go away\r\n"]).contains("failure: "));
}

#[test]
fn a_server_that_hangs_up_defers() {
    assert!(verdict(&["220 hi\r\n", "250 hi\r\n"]).contains("deferral: "));
}

#[test]
fn garbage_instead_of_replies_defers() {
    assert!(verdict(&["\0\u{1}\u{2}garbage\r\n"]).contains("deferral: "));
}

#[test]
fn an_endless_greeting_defers() {
    static LINES: std::sync::LazyLock<Vec<String>> =
        std::sync::LazyLock::new(|| vec!["220-more\r\n".repeat(200_000)]);
    static SLICE: std::sync::LazyLock<Vec<&'static str>> =
        std::sync::LazyLock::new(|| LINES.iter().map(String::as_str).collect());
    assert!(verdict(&SLICE).contains("deferral: "));
}
