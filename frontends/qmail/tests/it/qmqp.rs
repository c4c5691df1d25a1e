//! qmail-qmqpd and qmail-qmqpc, each alone and as the pair that they are (spec §10).

use crate::kit::{BINARY, Ended, Home};
use crate::qmtp::netstring;
use crate::server::{Server, drain};
use crate::smtpd::host;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::Command;

fn package(message: &str, sender: &str, recipients: &[&str]) -> Vec<u8> {
    let addresses = std::iter::once(&sender).chain(recipients);
    let parts = std::iter::once(netstring(message)).chain(addresses.map(netstring));
    netstring(parts.flatten().collect::<Vec<u8>>())
}

#[test]
fn qmqpd_queues_for_anybody_who_reaches_it() {
    let home = host();
    let run = home.run("qmail-qmqpd").env("TCPREMOTEIP", "192.0.2.1");
    let got = run
        .input(package(
            "x\r\n",
            "joe@a.example",
            &["ann@b.example", "bob@c.example"],
        ))
        .end();
    assert_eq!((got.code, got.err.as_str()), (0, ""));
    assert!(
        got.out.contains(":Kok ") && got.out.contains(" qp "),
        "{}",
        got.out
    );
    let (envelope, message) = home.queued().remove(0);
    assert!(envelope.ends_with(b"Fjoe@a.example\0Tann@b.example\0Tbob@c.example\0"));
    let message = String::from_utf8(message).unwrap();
    assert!(
        message.contains("\nReceived: from unknown (192.0.2.1)\n  by unknown with QMQP; "),
        "{message}"
    );
    assert!(message.ends_with("\nx\r\n"), "{message}");
}

#[test]
fn qmqpd_answers_or_ends_with_the_originals_code() {
    let long = "x".repeat(1000);
    let bad = "Dsorry, I can't accept addresses like that (#5.1.3)";
    let hops = "Received: x\n".repeat(100);
    let rows: [(&str, Vec<u8>, i32, &str); 8] = [
        ("nothing", Vec::new(), 0, ""),
        ("half", b"20:5:hel".to_vec(), 0, ""),
        ("no netstring", b"hello".to_vec(), 100, ""),
        ("no content", b"0:,".to_vec(), 100, ""),
        ("too long", b"99999999999:".to_vec(), 111, ""),
        ("long address", package("x", "", &[&long]), 0, bad),
        ("NUL", package("x", "a\0b", &["c"]), 0, bad),
        (
            "hops",
            package(&hops, "", &["c"]),
            0,
            "Dtoo many hops, this message is looping (#5.4.6)",
        ),
    ];
    for (name, input, code, want) in rows {
        let home = host();
        let got = home.run("qmail-qmqpd").input(input).end();
        let want = if want.is_empty() {
            String::new()
        } else {
            format!("{}:{want},", want.len())
        };
        assert_eq!((got.code, got.out), (code, want), "{name}");
        assert_eq!((home.queued().len(), home.files()), (0, 0), "{name}");
    }
}

/// Runs qmail-qmqpc on a host that knows these servers.
fn qmqpc(servers: &str, message: &str, envelope: &[u8]) -> Ended {
    let home = Home::new();
    home.write("control/qmqpservers", servers);
    home.run("qmail-qmqpc").input(message).inject(envelope)
}

fn at(server: &Server) -> String {
    format!("127.0.0.1:{}\n", server.port())
}

#[test]
fn qmqpc_sends_a_message_and_ends_with_the_answers_code() {
    let rows = [
        ("taken", "8:Kok 1 qp,", 0),
        ("later", "5:Zbusy,", 71),
        ("never", "3:Dno,", 31),
        ("no answer", "", 74),
        ("half an answer", "8:Kok", 74),
        ("no QMQP", "220 hello\r\n", 74),
        ("other letter", "3:xno,", 74),
    ];
    for (name, answer, code) in rows {
        let server = Server::does(move |mut stream| {
            let mut heard = [0; 21 + 4];
            stream.read_exact(&mut heard).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            [heard.to_vec(), drain(stream)].concat()
        });
        let got = qmqpc(&at(&server), "hello\n", b"Fa@b\0Tc@d\0\0");
        assert_eq!((got.code, got.err.as_str()), (code, ""), "{name}");
        assert_eq!(server.heard(), "21:6:hello\n,3:a@b,3:c@d,,", "{name}");
    }
}

#[test]
fn qmqpc_goes_on_to_the_next_server_until_one_lets_it_in() {
    let envelope = b"F\0Ta@b\0\0";
    assert_eq!(qmqpc("", "x", envelope).code, 55, "no server");
    assert_eq!(qmqpc("hub.example\n", "x", envelope).code, 55, "no address");
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    assert_eq!(
        qmqpc(&format!("{closed}\n"), "x", envelope).code,
        73,
        "refused"
    );
    let server = Server::does(|mut stream| {
        let mut heard = [0; 17];
        stream.read_exact(&mut heard).unwrap();
        stream.write_all(b"2:K.,").unwrap();
        heard.to_vec()
    });
    let got = qmqpc(&format!("{closed}\n{}", at(&server)), "x", envelope);
    assert_eq!(got.code, 0, "the second");
    assert_eq!(server.heard(), "13:1:x,0:,3:a@b,,");
}

#[test]
fn qmqpc_has_qmail_queues_codes_for_its_caller() {
    let long = [b"F\0T", "x".repeat(1003).as_bytes(), b"\0\0"].concat();
    let rows: [(&str, &[u8], i32); 5] = [
        ("no envelope", b"", 54),
        ("half an envelope", b"Fa@b\0Tc", 54),
        ("no final NUL", b"Fa@b\0Tc@d\0", 54),
        ("no sender", b"Tc@d\0\0", 91),
        ("too long", &long, 11),
    ];
    for (name, envelope, code) in rows {
        assert_eq!(qmqpc("127.0.0.1:1\n", "x", envelope).code, code, "{name}");
    }
    let home = Home::new();
    let run = home.run("qmail-qmqpc").env("MTA_HOME", "/no/such");
    assert_eq!(run.inject(b"F\0\0").code, 61, "no home");
    std::fs::create_dir(home.at("control/qmqpservers")).unwrap();
    assert_eq!(
        home.run("qmail-qmqpc").inject(b"F\0\0").code,
        55,
        "unreadable"
    );
    let home = Home::new();
    home.write("control/qmqpservers", "127.0.0.1:1\n");
    let script = home.script("close", &format!("exec -a qmail-qmqpc {BINARY} <&-"));
    let mut command = Command::new("bash");
    command
        .arg0("bash")
        .arg(script)
        .env("MTA_HOME", home.path());
    assert_eq!(command.output().unwrap().status.code(), Some(54), "closed");
}

#[test]
fn a_host_without_a_queue_sends_through_one_that_has_it() {
    let hub = host();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut server = hub.run("qmail-qmqpd").command;
    let served = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let out = stream.try_clone().unwrap();
        let (input, output) = (
            std::os::fd::OwnedFd::from(stream),
            std::os::fd::OwnedFd::from(out),
        );
        server.stdin(input).stdout(output).status().unwrap()
    });
    let recipients = "Tann@example.org\0".repeat(50_000);
    let envelope = format!("Fjoe@a.example\0{recipients}\0");
    let message = "line\n".repeat(1_000_000);
    let servers = format!("127.0.0.1:{port}\n");
    assert_eq!(qmqpc(&servers, &message, envelope.as_bytes()).code, 0);
    assert_eq!(served.join().unwrap().code(), Some(0));
    let (queued, text) = hub.queued().remove(0);
    assert!(queued.ends_with(&envelope.as_bytes()[..envelope.len() - 1]));
    assert!(text.ends_with(message.as_bytes()));
}
