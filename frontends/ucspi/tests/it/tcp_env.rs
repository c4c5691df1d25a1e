//! tcp-env as inetd starts it: the connection at its standard input (spec §9.4).

use crate::kit::applet;
use crate::tcpserver::name_server;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

const SHOW: &str = "echo $PROTO $TCPLOCALIP $TCPLOCALPORT $TCPLOCALHOST; \
    echo $TCPREMOTEIP $TCPREMOTEPORT $TCPREMOTEHOST ${TCPREMOTEINFO-unset}";

/// Runs it with an accepted connection, and returns what the program says and both ports.
fn shown(options: &[&str], environment: &[(&str, &str)]) -> (String, u16, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, peer) = listener.accept().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ucspi"))
        .arg0("tcp-env")
        .args(options)
        .args(["sh", "-c", SHOW])
        .env("TCPREMOTEINFO", "inherited")
        .envs(environment.iter().copied())
        .stdin(Stdio::from(OwnedFd::from(accepted)))
        .output()
        .unwrap();
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    drop(client);
    let server = listener.local_addr().unwrap().port();
    (
        String::from_utf8(output.stdout).unwrap(),
        server,
        peer.port(),
    )
}

#[test]
fn a_program_learns_both_ends_of_the_connection_at_its_input() {
    let servers = format!("127.0.0.1:{}", name_server());
    let (said, server, client) = shown(&["-R"], &[("DNSCACHEIP", &servers)]);
    let expected =
        format!("TCP 127.0.0.1 {server} h.example\n127.0.0.1 {client} h.example unset\n");
    assert_eq!(said, expected);
}

#[test]
fn a_name_server_that_does_not_answer_is_told_of() {
    // Nobody listens behind a port that was just given back.
    let closed = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let (said, server, client) = shown(&["-R", "-t5"], &[("DNSCACHEIP", &closed)]);
    let expected =
        format!("TCP 127.0.0.1 {server} softdnserror\n127.0.0.1 {client} softdnserror unset\n");
    assert_eq!(said, expected);
}

#[test]
fn under_tcpserver_the_environment_is_left_alone() {
    let environment = [
        ("PROTO", "TCP"),
        ("TCPLOCALIP", "192.0.2.1"),
        ("TCPREMOTEIP", "192.0.2.2"),
    ];
    let (said, _, _) = shown(&[], &environment);
    assert_eq!(said, "TCP 192.0.2.1\n192.0.2.2 inherited\n");
}

#[test]
fn a_wrong_call_and_a_missing_program_have_their_codes() {
    for arguments in [&[][..], &["-z", "true"], &["-t", "x", "true"], &["-t"]] {
        let did = applet("tcp-env", arguments, &[], b"");
        assert_eq!(did.code, 100, "{arguments:?}");
        assert!(did.errors.starts_with("tcp-env: usage: "), "{}", did.errors);
    }
    let did = applet("tcp-env", &["/nonexistent"], &[("PROTO", "TCP")], b"");
    assert_eq!(did.code, 111);
    assert_eq!(
        did.errors,
        "tcp-env: fatal: unable to run /nonexistent: file does not exist\n"
    );
}
