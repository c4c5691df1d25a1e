//! Mail sent by curl, swaks, smtp-source and Python arrives whole (RFC 5321).

use crate::need;
use mta_tests::{Home, Mtad, run, until};
use std::process::Command;

const MESSAGE: &str = "From: a@client.example\r\nTo: joe@example.org\r\nSubject: hello\r\n\r\n.dotted\r\n..twice\r\nplain\r\n";
const STORED: &str =
    "From: a@client.example\nTo: joe@example.org\nSubject: hello\n\n.dotted\n..twice\nplain\n";

fn only_mail(home: &Home) -> String {
    let file = until("one message in the Maildir", || home.mail().pop());
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn curl_sends_a_message_that_arrives_byte_for_byte() {
    let curl = need!("curl_sends_a_message_that_arrives_byte_for_byte", "curl");
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    let url = format!("smtp://{}/client.example", mtad.smtp());
    let args = [
        "-sS",
        "--mail-from",
        "a@client.example",
        "--mail-rcpt",
        "joe@example.org",
        "-T",
        "-",
    ];
    let _ = run(Command::new(curl).arg(url).args(args), MESSAGE.as_bytes()).ok();
    let mail = only_mail(&home);
    assert!(
        mail.starts_with(
            "Return-Path: <a@client.example>\nDelivered-To: joe@example.org\nReceived: "
        ),
        "{mail}"
    );
    assert!(mail.ends_with(STORED), "{mail}");
}

#[test]
fn swaks_sends_with_pipelining() {
    let swaks = need!("swaks_sends_with_pipelining", "swaks");
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    let server = mtad.smtp();
    let mut command = Command::new(swaks);
    command.args([
        "--server",
        &server.ip().to_string(),
        "--port",
        &server.port().to_string(),
    ]);
    command.args([
        "--from",
        "a@client.example",
        "--to",
        "joe@example.org",
        "--pipeline",
        "--ehlo",
        "client.example",
    ]);
    let transcript = run(&mut command, b"").ok();
    assert!(transcript.contains("250-PIPELINING"), "{transcript}");
    assert!(only_mail(&home).contains("This is a test mailing"));
}

#[test]
fn python_smtplib_sends_and_hears_who_is_unknown() {
    let python = need!("python_smtplib_sends_and_hears_who_is_unknown", "python3");
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    let script = "
import smtplib, sys
s = smtplib.SMTP(sys.argv[1], int(sys.argv[2]))
refused = s.sendmail('a@client.example', ['joe@example.org', 'nobody@example.org', 'x@elsewhere.example'], 'Subject: hi\\n\\nbody\\n')
for who in sorted(refused): print(who, refused[who][0], refused[who][1].decode().split()[0])
s.quit()
";
    let server = mtad.smtp();
    let mut command = Command::new(python);
    command.args([
        "-c",
        script,
        &server.ip().to_string(),
        &server.port().to_string(),
    ]);
    let said = run(&mut command, b"").ok();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(
        lines[0].starts_with("nobody@example.org 550 5.1.1"),
        "{said}"
    );
    assert!(lines[1].starts_with("x@elsewhere.example 5"), "{said}");
    assert!(only_mail(&home).contains("\nSubject: hi\n\nbody\n"));
}

#[test]
fn twenty_parallel_sessions_of_smtp_source_all_arrive() {
    let source = need!(
        "twenty_parallel_sessions_of_smtp_source_all_arrive",
        "smtp-source"
    );
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    let mut command = Command::new(source);
    command.args([
        "-s",
        "20",
        "-m",
        "400",
        "-l",
        "4096",
        "-f",
        "a@client.example",
        "-t",
        "joe@example.org",
    ]);
    let _ = run(command.arg(mtad.smtp().to_string()), b"").ok();
    until("400 messages in the Maildir", || {
        (home.mail().len() >= 400).then_some(())
    });
    assert_eq!(home.mail().len(), 400);
    until("an empty queue", || {
        home.mtad(&["queue", "list"], b"")
            .ok()
            .trim()
            .is_empty()
            .then_some(())
    });
}
