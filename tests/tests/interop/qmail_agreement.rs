//! qmail-remote and mtad say the same of the same hosts (qmail-remote(8), qmail-rspawn(8)).

use mta_tests::{Home, LineClient, Mtad, qmail_binary, run, until};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// A name server that fails for `broken.example`, leads `self.example` here, and knows no other
/// name.
fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut query = [0; 1500];
        while let Ok((n, from)) = socket.recv_from(&mut query) {
            if let Some(answer) = query.get(..n).and_then(answer) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    address
}

fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let question = query.get(12..)?;
    let end = question.iter().position(|&b| b == 0)? + 5;
    let question = question.get(..end)?;
    let is = |name: &[u8]| {
        question
            .windows(name.len())
            .any(|part| part.eq_ignore_ascii_case(name))
    };
    let is_address = question.get(end - 3) == Some(&1);
    let (code, count) = match () {
        () if is(b"broken") => (2, 0),
        () if is(b"self") => (0, u8::from(is_address)),
        () => (3, 0),
    };
    let mut out = query.get(..2)?.to_vec();
    out.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    out.extend_from_slice(question);
    if count > 0 {
        out.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some(out)
}

/// A server that says these replies, one to each line, to everybody who comes.
fn scripted(replies: &'static [&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = BufReader::new(stream);
            for reply in replies {
                if stream
                    .get_mut()
                    .write_all(format!("{reply}\r\n").as_bytes())
                    .is_err()
                {
                    break;
                }
                let mut line = String::new();
                let dot = reply.starts_with("354");
                while stream.read_line(&mut line).is_ok_and(|n| n > 0) {
                    if !dot || line == ".\r\n" {
                        break;
                    }
                    line.clear();
                }
            }
        }
    });
    address
}

/// What mtad's log says of the first delivery to `host`.
fn by_mtad(home: &Home, host: &str) -> String {
    let mut mtad = Mtad::start(home);
    let to = format!("you@{host}");
    let reply =
        LineClient::send_message(mtad.smtp(), "joe@example.org", &to, "Subject: x\r\n\r\nx");
    assert!(reply.starts_with("250"), "{reply}");
    let line = until("the first delivery's end", || {
        let log = mtad.log();
        let line = log.iter().find(|line| line.starts_with("delivery 1: "));
        line.cloned()
    });
    line.trim_start_matches("delivery 1: ").to_owned()
}

/// What the log would say of qmail-remote's reports: qmail-rspawn joins those of the recipient and
/// of the message.
fn by_qmail_remote(home: &Home, host: &str, dns: SocketAddr) -> String {
    let mut command = Command::new(qmail_binary());
    command.arg0("qmail-remote").env("MTA_HOME", home.path());
    command.env("DNSCACHEIP", dns.to_string());
    command.args([host, "joe@example.org", &format!("you@{host}")]);
    let said = run(&mut command, b"Subject: x\n\nx\n").ok();
    let reports: Vec<&str> = said.split_terminator('\0').collect();
    let letters: String = reports
        .iter()
        .filter_map(|report| report.chars().next())
        .collect();
    let outcome = match letters.as_str() {
        "rK" => "success",
        "hD" | "D" | "rD" => "failure",
        "sD" | "Z" | "rZ" => "deferral",
        other => panic!("no report is {other:?}: {said:?}"),
    };
    let text: String = reports
        .iter()
        .filter_map(|report| report.get(1..))
        .collect();
    format!("{outcome}: {}", text.replace(' ', "_").replace('\n', "/"))
}

#[test]
fn qmail_remote_and_mtad_agree() {
    let taken = scripted(&[
        "220 a",
        "250 a",
        "250 ok",
        "250 ok",
        "354 go",
        "250 ok 1 qp 2",
        "221 bye",
    ]);
    let nobody = scripted(&["220 a", "250 a", "250 ok", "550 5.1.1 nobody", "221 bye"]);
    let later = scripted(&["220 a", "250 a", "250 ok", "451 4.7.1 later", "221 bye"]);
    let busy = scripted(&["421 busy"]);
    let never = scripted(&["554 never"]);
    let spam = scripted(&[
        "220 a", "250 a", "250 ok", "250 ok", "354 go", "554 spam", "221 bye",
    ]);
    let routes = [
        ("taken", taken),
        ("nobody", nobody),
        ("later", later),
        ("busy", busy),
        ("never", never),
        ("spam", spam),
    ];
    let routed = routes
        .iter()
        .map(|(name, at)| format!("{name}.example:127.0.0.1:{}\n", at.port()));
    let routed: String = routed.collect();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let rows = [
        ("taken.example", "success: "),
        ("nobody.example", "failure: "),
        ("later.example", "deferral: "),
        ("busy.example", "deferral: "),
        ("never.example", "failure: "),
        ("spam.example", "failure: "),
        ("closed.example", "deferral: "),
        ("missing.example", "failure: "),
        ("broken.example", "deferral: "),
        ("self.example", "failure: "),
    ];
    let dns = name_server();
    for (host, want) in rows {
        let home = Home::new();
        home.control(
            "smtproutes",
            &format!("{routed}closed.example:127.0.0.1:{}\n", closed.port()),
        );
        let config = home.path().join("mtad.toml");
        let text = format!("relay_from = [\"127.0.0.0/8\"]\n[dns]\nnameservers = [\"{dns}\"]\n");
        std::fs::write(config, text).unwrap();
        let ours = by_qmail_remote(&home, host, dns);
        assert!(ours.starts_with(want), "{host}: {ours}");
        assert_eq!(by_mtad(&home, host), ours, "{host}");
    }
}
