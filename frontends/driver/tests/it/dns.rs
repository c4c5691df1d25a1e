//! `DnsDriver` against servers on loopback: silence, refusal, truncation, and the cache.

use driver::{Clock, DnsDriver};
use mta_core::dns::{Answer, Kind, Query, Record};
use mta_core::ports::Resolver;
use mta_proto::dns::ServerList;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

const ANSWER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

fn question(name: &str) -> Query {
    Query {
        name: name.to_owned(),
        kind: Kind::A,
    }
}

fn found() -> Answer {
    Answer::Records(vec![Record::A(ANSWER)])
}

/// Answers a query with one address, or only says that it is truncated.
fn reply(query: &[u8], truncated: bool) -> Vec<u8> {
    let name = query[12..].iter().position(|&byte| byte == 0).unwrap();
    let mut reply = query[..2].to_vec();
    let records = u8::from(!truncated);
    let flags = 0x81 | (u8::from(truncated) << 1);
    reply.extend([flags, 0x80, 0, 1, 0, records, 0, 0, 0, 0]);
    reply.extend(&query[12..12 + name + 5]);
    if !truncated {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(ANSWER.octets());
    }
    reply
}

/// Serves UDP and counts the questions.
fn serve_udp(socket: UdpSocket, truncated: bool) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    tokio::spawn(async move {
        let mut query = [0; 1500];
        while let Ok((n, from)) = socket.recv_from(&mut query).await {
            seen.fetch_add(1, Ordering::SeqCst);
            let reply = reply(&query[..n], truncated);
            // A stray datagram before the answer must not end the wait for it.
            socket.send_to(b"stray", from).await.unwrap();
            socket.send_to(&reply, from).await.unwrap();
        }
    });
    count
}

async fn loopback() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn asking(servers: &[SocketAddr], timeout: Duration) -> DnsDriver {
    let mut list = ServerList::new(servers.to_vec());
    list.timeout = timeout;
    DnsDriver::new(list, Clock::start())
}

#[tokio::test]
async fn an_answer_is_asked_for_once_and_kept() {
    let (socket, address) = loopback().await;
    let count = serve_udp(socket, false);
    let dns = asking(&[address], Duration::from_secs(5));
    assert_eq!(dns.lookup(&question("example.org")).await, found());
    assert_eq!(dns.lookup(&question("example.org")).await, found());
    assert_eq!(count.load(Ordering::SeqCst), 1);
    dns.clear_cache();
    assert_eq!(dns.lookup(&question("example.org")).await, found());
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_silent_server_is_left_for_the_next() {
    let (_silent, silent) = loopback().await;
    let (socket, address) = loopback().await;
    serve_udp(socket, false);
    let dns = asking(&[silent, address], Duration::from_millis(200));
    assert_eq!(dns.lookup(&question("example.org")).await, found());
}

#[tokio::test]
async fn a_closed_port_is_left_at_once() {
    let (socket, closed) = loopback().await;
    drop(socket);
    let (socket, address) = loopback().await;
    serve_udp(socket, false);
    let dns = asking(&[closed, address], Duration::from_secs(600));
    assert_eq!(dns.lookup(&question("example.org")).await, found());
}

#[tokio::test]
async fn a_truncated_answer_is_fetched_over_tcp() {
    let (listener, socket, address) = loop {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        if let Ok(socket) = UdpSocket::bind(address).await {
            break (listener, socket, address);
        }
    };
    serve_udp(socket, true);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut query = vec![0; usize::from(length)];
        stream.read_exact(&mut query).await.unwrap();
        let reply = reply(&query, false);
        stream.write_u16(reply.len() as u16).await.unwrap();
        stream.write_all(&reply).await.unwrap();
    });
    let dns = asking(&[address], Duration::from_secs(5));
    assert_eq!(dns.lookup(&question("example.org")).await, found());
}

#[tokio::test]
async fn nobody_answering_is_a_failure_and_is_not_kept() {
    let (silent, address) = loopback().await;
    let dns = asking(&[address], Duration::from_millis(200));
    let answer = dns.lookup(&question("example.org")).await;
    assert!(matches!(answer, Answer::Failed(_)), "{answer:?}");
    serve_udp(silent, false);
    assert_eq!(dns.lookup(&question("example.org")).await, found());
}

#[test]
fn a_missing_resolv_conf_asks_the_local_host() {
    let missing = std::env::temp_dir().join("no-such-dir/resolv.conf");
    let dns = DnsDriver::from_resolv_conf(&missing, Clock::start()).unwrap();
    assert!(format!("{dns:?}").contains("127.0.0.1:53"));
}
