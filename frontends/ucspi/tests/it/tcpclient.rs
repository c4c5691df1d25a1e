//! tcpclient: descriptors, environment, messages and codes, beside Debian's (tcpclient(1)).

use crate::kit::{Did, original, program, skip};
use crate::tcpserver::{QUIET, Server, ours as tcpserver};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::Command;

fn ours() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ucspi"));
    command.arg0("tcpclient");
    command
}

/// A port where nobody listens.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

fn without_own_port(mut did: Did) -> Did {
    let lines = did.output.lines();
    let lines = lines.filter(|line| !line.starts_with("TCPLOCALPORT="));
    did.output = lines.map(|line| format!("{line}\n")).collect();
    did
}

#[test]
fn connection_environment_and_words_are_the_originals() {
    let Some(theirs) = original(
        "tcpclient",
        "connection_environment_and_words_are_the_originals",
    ) else {
        return;
    };
    let server = Server::start(
        tcpserver(),
        &QUIET,
        "127.0.0.1",
        &["sh", "-c", "echo hello; cat"],
    );
    let open = server.port.to_string();
    let closed = closed_port();
    let show = "env | grep -E '^(TCP|PROTO)' | sort";
    let talk = "echo ho >&7; head -n 2 <&6";
    #[rustfmt::skip]
    let scenarios: [(&str, &[&str]); 22] = [
        ("environment", &["-RHl0", "127.0.0.1", "OPEN", "sh", "-c", show]),
        ("zero is this host", &["-RHl", "me", "0", "OPEN", "sh", "-c", show]),
        ("empty is this host", &["-RHl0", "", "OPEN", "sh", "-c", show]),
        ("zeros and brackets", &["-RHl0", "[127.000.000.001]", "OPEN", "sh", "-c", show]),
        ("conversation", &["-RHl0", "127.0.0.1", "OPEN", "sh", "-c", talk]),
        ("verbose", &["-vRHl0", "127.0.0.1", "OPEN", "echo", "in"]),
        ("own address", &["-DRHl0", "-i", "127.0.0.2", "127.0.0.1", "OPEN", "sh", "-c", show]),
        ("own address is not ours", &["-RHl0", "-i", "192.0.2.1", "127.0.0.1", "OPEN", "echo"]),
        ("own address is none", &["-i", "junk", "127.0.0.1", "OPEN", "echo"]),
        ("nobody listens", &["-RHl0", "127.0.0.1", "CLOSED", "echo"]),
        ("nobody listens, silent", &["-qRHl0", "127.0.0.1", "CLOSED", "echo"]),
        ("nobody listens, errors", &["-qQRHl0", "127.0.0.1", "CLOSED", "echo"]),
        ("no such service", &["127.0.0.1", "nosuchport", "echo"]),
        ("label too long", &[LONG, "1", "echo"]),
        ("no program", &["127.0.0.1", "OPEN"]),
        ("unknown option", &["-z", "127.0.0.1", "OPEN", "echo"]),
        ("no value", &["-T"]),
        ("no such program", &["-RHl0", "127.0.0.1", "OPEN", "/nonexistent"]),
        ("the program's code", &["-RHl0", "127.0.0.1", "OPEN", "sh", "-c", "exit 9"]),
        ("patience", &["-RHl0", "-T", "5+5", "127.0.0.1", "OPEN", "echo", "in"]),
        ("patience of one round", &["-RHl0", "-T5", "127.0.0.1", "OPEN", "echo", "in"]),
        ("nobody at ident", &["-Hrt1", "-l0", "127.0.0.1", "OPEN", "sh", "-c", show]),
    ];
    for (name, arguments) in scenarios {
        let arguments = arguments.iter().map(|word| match *word {
            "OPEN" => &open[..],
            "CLOSED" => &closed,
            word => word,
        });
        let arguments: Vec<_> = arguments.collect();
        let run = |mut command: Command| {
            command
                .env("TCPREMOTEHOST", "inherited")
                .env("TCPREMOTEINFO", "inherited");
            without_own_port(program(command.args(&arguments), b""))
        };
        assert_eq!(run(ours()), run(Command::new(&theirs)), "{name}");
    }
}

const LONG: &str = "thislabelistoolongbecausenolabelmayhavemorethansixtythreecharacters.example.";

#[test]
fn ipv6_is_connected_to() {
    if TcpListener::bind("[::1]:0").is_err() {
        return skip("ipv6_is_connected_to: no IPv6 loopback");
    }
    let server = Server::start(tcpserver(), &QUIET, "::1", &["echo", "six"]);
    let port = server.port.to_string();
    for host in ["::1", "[::1]"] {
        let words = [
            "-vRHl0",
            host,
            &port,
            "sh",
            "-c",
            "echo $TCPREMOTEIP; cat <&6",
        ];
        let did = program(ours().args(words), b"");
        assert_eq!(did.output, "::1\nsix\n", "{host}");
        assert_eq!(
            did.errors,
            format!("tcpclient: connected to ::1 port {port}\n")
        );
    }
}

#[test]
fn names_come_from_dns() {
    let servers = format!("127.0.0.1:{}", crate::tcpserver::name_server());
    let server = Server::start(tcpserver(), &QUIET, "127.0.0.1", &["cat"]);
    let port = server.port.to_string();
    let words = [
        "-R",
        "127.0.0.1",
        &port,
        "sh",
        "-c",
        "echo $TCPLOCALHOST $TCPREMOTEHOST",
    ];
    let did = program(ours().env("DNSCACHEIP", servers).args(words), b"");
    assert_eq!(did.output, "h.example h.example\n");
}
