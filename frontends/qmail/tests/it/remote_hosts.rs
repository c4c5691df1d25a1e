//! Where qmail-remote goes: smtproutes, the DNS, lock/tcpto (spec §7.2).

use crate::kit::Home;
use crate::server::Server;
use mta_core::Unix;
use mta_core::tcpto::Table;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, getsockname, listen, socket,
};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, SystemTime};

/// A name server with one zone: `null.example` has a null MX, `self.example` leads here,
/// `broken.example` cannot be looked up, `bare.example` has an MX without an address; nothing else
/// exists.
fn name_server() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
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
    let end = 12 + query.get(12..)?.iter().position(|&b| b == 0)?;
    let name = String::from_utf8_lossy(query.get(13..end)?).to_lowercase();
    let kind = *query.get(end + 2)?;
    let (code, data): (u8, Option<&[u8]>) = match (name.split(|c: char| c < ' ').next()?, kind) {
        ("null", 15) => (0, Some(b"\0\0\0")),
        ("self", 1) => (0, Some(&[127, 0, 0, 1])),
        ("bare", 15) => (0, Some(b"\0\x05\x07missing\0")),
        ("self" | "bare", _) => (0, None),
        ("broken", _) => (2, None),
        _ => (3, None),
    };
    let mut out = query.get(..2)?.to_vec();
    out.extend([
        0x81,
        0x80 | code,
        0,
        1,
        0,
        u8::from(data.is_some()),
        0,
        0,
        0,
        0,
    ]);
    out.extend_from_slice(query.get(12..end + 5)?);
    if let Some(data) = data {
        let length = u8::try_from(data.len()).unwrap();
        out.extend([0xC0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, length]);
        out.extend_from_slice(data);
    }
    Some(out)
}

fn remote(home: &Home, host: &str) -> String {
    let recipient = format!("ann@{host}");
    let run = home.run("qmail-remote").args([host, "", &recipient]);
    let got = run.env("DNSCACHEIP", name_server()).input("x\n").end();
    assert_eq!((got.code, got.err.as_str()), (0, ""));
    got.out.replace('\0', "|")
}

#[test]
fn hosts_that_cannot_be_reached_are_reported_in_the_originals_words() {
    let ourselves = "DSorry. Although I'm listed as a best-preference MX or A for that host,\n\
                     it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n|";
    let rows = [
        (
            "no such name",
            "nowhere.example",
            "DSorry, I couldn't find any host named nowhere.example. (#5.1.2)\n|",
        ),
        (
            "look-up fails",
            "broken.example",
            "ZSorry, I couldn't find any host by that name. (#4.1.2)\n|",
        ),
        (
            "MX without address",
            "bare.example",
            "DSorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n|",
        ),
        (
            "null MX",
            "null.example",
            "DSorry, null.example says that it accepts no mail. (#5.1.10)\n|",
        ),
        ("this host", "self.example", ourselves),
        ("this host by number", "127.0.0.1", ourselves),
        ("this host in brackets", "[127.0.0.1]", ourselves),
        ("any address", "0.0.0.0", ourselves),
        ("this host by IPv6", "[IPv6:::1]", ourselves),
        (
            "no name at all",
            "a b",
            "DSorry, I couldn't find any host named a b. (#5.1.2)\n|",
        ),
        (
            "nothing",
            "",
            "DSorry, I couldn't find any host named . (#5.1.2)\n|",
        ),
    ];
    let home = Home::new();
    home.write("control/me", "me.example\n");
    for (name, host, want) in rows {
        assert_eq!(remote(&home, host), want, "{name}");
    }
}

#[test]
fn routes_are_looked_for_from_the_whole_host_to_the_catch_all() {
    let rows = [
        (
            "whole host",
            "a.far.example",
            "a.far.example:127.0.0.1:PORT\n.far.example:127.0.0.1:1\n",
        ),
        (
            "ending",
            "a.far.example",
            ".far.example:127.0.0.1:PORT\n:127.0.0.1:1\n",
        ),
        ("catch-all", "a.far.example", ":127.0.0.1:PORT\n"),
        ("brackets", "far.example", "far.example:[127.0.0.1]:PORT\n"),
        (
            "name of this host",
            "far.example",
            "far.example:self.example:PORT\n",
        ),
        (
            "IPv4 in IPv6",
            "far.example",
            "far.example:[::ffff:127.0.0.1]:PORT\n",
        ),
    ];
    for (name, host, routes) in rows {
        let home = Home::new();
        home.write("control/me", "me.example\n");
        let server = Server::says(&["554 reached\n"]);
        let port = server.port().to_string();
        home.write("control/smtproutes", routes.replace("PORT", &port));
        let said = remote(&home, host);
        assert!(
            said.ends_with("Remote host said: 554 reached\n|"),
            "{name}: {said}"
        );
        server.heard();
    }
    // An empty relay stops the search, and the DNS is asked.
    let home = Home::new();
    home.write("control/me", "me.example\n");
    home.write("control/smtproutes", "null.example:\n:127.0.0.1:1\n");
    assert!(remote(&home, "null.example").ends_with("(#5.1.10)\n|"));
}

#[test]
fn a_host_that_timed_out_twice_is_not_tried() {
    let home = Home::new();
    home.write("control/me", "me.example\n");
    home.write("control/smtproutes", ":127.0.0.1:1\n");
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut table = Table::parse(&[0; 1024]).unwrap();
    let ip = "127.0.0.1".parse().unwrap();
    table.timed_out(ip, Unix(now - 500));
    home.write("queue/lock/tcpto", table.as_bytes());
    let nobody = "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n|";
    assert_eq!(remote(&home, "far.example"), nobody);
    let after = std::fs::read(home.at("queue/lock/tcpto")).unwrap();
    assert_eq!(
        Table::parse(&after).unwrap().entries().count(),
        0,
        "it was refused, which clears"
    );
    table.timed_out(ip, Unix(now - 300));
    home.write("queue/lock/tcpto", table.as_bytes());
    assert_eq!(remote(&home, "far.example"), nobody);
    let after = std::fs::read(home.at("queue/lock/tcpto")).unwrap();
    assert_eq!(
        after,
        table.as_bytes(),
        "it was not tried, so nothing was learnt"
    );
}

/// A port where somebody listens who never lets anybody in: its queue of connections is full.
fn full_port() -> (Vec<TcpStream>, OwnedFd, u16) {
    let kind = SockType::Stream;
    let listener = socket(AddressFamily::Inet, kind, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(listener.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let address: SockaddrIn = getsockname(listener.as_raw_fd()).unwrap();
    let to = SocketAddr::from(([127, 0, 0, 1], address.port()));
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&to, Duration::from_millis(200)) {
        waiting.push(stream);
    }
    (waiting, listener, address.port())
}

#[test]
fn a_timeout_is_noted_for_the_next_attempts() {
    let home = Home::new();
    let (_waiting, _listener, port) = full_port();
    home.write("control/me", "me.example\n");
    home.write("control/timeoutconnect", "1\n");
    home.write("control/smtproutes", format!(":127.0.0.1:{port}\n"));
    home.write("queue/lock/tcpto", [0; 1024]);
    let nobody = "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n|";
    assert_eq!(remote(&home, "far.example"), nobody);
    let after = std::fs::read(home.at("queue/lock/tcpto")).unwrap();
    let noted: Vec<_> = Table::parse(&after).unwrap().entries().collect();
    assert_eq!(noted.len(), 1);
    assert_eq!(
        (noted[0].ip.to_string().as_str(), noted[0].count),
        ("127.0.0.1", 1)
    );
}
