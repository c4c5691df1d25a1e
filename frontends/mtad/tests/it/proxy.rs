//! Clients that come through a proxy, and those that forge its header (PROXY protocol §2).

use crate::kit::{Home, Line, Running, until};
use crate::tls::Secure;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

const THROUGH: &str = "PROXY TCP4 203.0.113.9 198.51.100.1 40000 25\r\n";
const FROM_HERE: &str = "[proxy]\nfrom = [\"127.0.0.1\"]\n";

/// Version 2 for 203.0.113.9, with some bytes behind the addresses.
fn binary() -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x01\x0c".to_vec();
    header.extend([203, 0, 113, 9, 198, 51, 100, 1, 0x9c, 0x40, 0, 25]);
    header.extend([0; 256]);
    header
}

fn through(to: SocketAddr, header: &[u8]) -> Line {
    let mut line = Line::connect(to);
    line.send(header);
    line
}

#[test]
fn the_client_that_a_proxy_names_rules_relay_limits_and_received() {
    let home = Home::new();
    home.config(&format!(
        "relay_from = [\"203.0.113.0/24\"]\n[limits]\nsessions_per_client = 1\n{FROM_HERE}"
    ));
    let mut mtad = Running::start(&home);
    let smtp = mtad.smtp();
    let mut first = through(smtp, THROUGH.as_bytes());
    assert!(first.reply().starts_with("220 "));
    mtad.logged("smtp 1: connect from 203.0.113.9:40000");
    // Version 2, cut within its addresses; what the client says follows without a pause.
    let mut same = Line::connect(smtp);
    let (head, rest) = (&binary()[..20], &binary()[20..]);
    same.send(head);
    same.send(&[rest, b"EHLO again\r\n"].concat());
    let refused = same.reply();
    assert!(
        refused.starts_with("421 4.7.0 too many connections from your address"),
        "{refused}"
    );
    let mut other = through(smtp, b"PROXY TCP6 2001:db8::9 2001:db8::1 40001 25\r\n");
    assert!(other.reply().starts_with("220 "));
    other.say("EHLO client.example");
    other.say("MAIL FROM:<a@client.example>");
    assert!(
        other
            .say("RCPT TO:<joe@far.example>")
            .starts_with("553 5.7.1")
    );
    other.say("RSET");

    first.say("EHLO client.example");
    first.say("MAIL FROM:<a@client.example>");
    let relayed = first.say("RCPT TO:<joe@far.example>");
    assert!(
        relayed.starts_with("250"),
        "the client may relay: {relayed}"
    );
    first.say("RSET");
    let taken = first.message(
        "a@client.example",
        &["joe@example.org"],
        "Subject: x\r\n\r\nx",
    );
    assert!(taken.starts_with("250"), "{taken}");
    let mail = until("the mail", || home.mail("joe").pop());
    assert!(
        mail.contains("Received: from unknown (HELO client.example) (203.0.113.9)"),
        "{mail}"
    );
}

#[test]
fn a_header_comes_before_tls_and_before_pop3() {
    let home = Home::new();
    home.config(FROM_HERE);
    let mut mtad =
        Running::start_with(&home, &["--smtps", "127.0.0.1:0", "--pop3s", "127.0.0.1:0"]);
    let pem = std::fs::read_to_string(home.path().join("control/servercert.pem")).unwrap();
    for (service, header) in [("smtps", binary()), ("pop3s", THROUGH.into())] {
        let mut stream = TcpStream::connect(mtad.listening(service)).unwrap();
        stream.write_all(&header).unwrap();
        let mut client = Secure::on(stream, "mx.example.org", &pem).unwrap();
        let greeting = client.reply();
        assert!(
            greeting.starts_with("220 ") || greeting.starts_with("+OK"),
            "{greeting}"
        );
    }
    mtad.logged("smtp 1: connect from 203.0.113.9:40000");
    mtad.logged("pop3 1: connect from 203.0.113.9:40000");
    let mut pop3 = through(mtad.pop3(), &binary());
    assert!(pop3.reply().starts_with("+OK"));
}

#[test]
fn a_proxy_that_does_not_tell_its_client_is_refused() {
    let home = Home::new();
    home.config(&format!("{FROM_HERE}[timeouts]\nproxy_header = 1\n"));
    let mut mtad = Running::start(&home);
    let rows: [(&str, &[u8], &str); 5] = [
        (
            "no header",
            b"EHLO client.example\r\n",
            "expected a PROXY header first",
        ),
        (
            "a bad one",
            b"PROXY TCP4 1 2 3 4\r\n",
            "expected \"PROXY TCP4|TCP6",
        ),
        (
            "nobody",
            b"PROXY UNKNOWN\r\n",
            "does not tell the client's address",
        ),
        (
            "half of one",
            b"PROXY TCP4 203.0.113.9",
            "did not come in time",
        ),
        ("none at all", b"", "did not come in time"),
    ];
    for (name, sent, logged) in rows {
        let mut client = through(mtad.smtp(), sent);
        assert_eq!(client.rest(), "", "{name}: not a word");
        mtad.logged(logged);
    }
    // A proxy that looks whether we live speaks for itself.
    let mut alive = through(mtad.smtp(), b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
    assert!(alive.reply().starts_with("220 "));
    mtad.logged("connect from 127.0.0.1:");
}

#[test]
fn from_others_a_header_is_a_command_like_any() {
    let home = Home::new();
    home.config("relay_from = [\"203.0.113.0/24\"]\n[proxy]\nfrom = [\"192.0.2.1\"]\n");
    let mut mtad = Running::start(&home);
    let mut client = through(mtad.smtp(), THROUGH.as_bytes());
    assert!(client.reply().starts_with("220 "));
    assert!(client.reply().starts_with("500 "), "unknown, not obeyed");
    client.say("EHLO client.example");
    client.say("MAIL FROM:<a@client.example>");
    assert!(
        client
            .say("RCPT TO:<joe@far.example>")
            .starts_with("553 5.7.1")
    );
    mtad.logged("connect from 127.0.0.1:");
}

#[test]
fn a_proxy_everywhere_is_an_error_of_the_configuration() {
    let home = Home::new();
    home.config("[proxy]\nfrom = [\"0.0.0.0/1\", \"128.0.0.0/1\"]\n");
    let ran = home.run(&["serve"], "");
    assert_ne!(ran.code, Some(0));
    assert!(
        ran.err
            .contains("mtad.toml:2: from: expected the addresses of proxies"),
        "{}",
        ran.err
    );
}
