//! What the network says about a peer: its name by DNS, its user by ident (RFC 1035 §3.5, RFC 3596 §2.5, RFC 1413).

use crate::Io;
use driver::{Clock, DnsDriver};
use mta_core::dns::{Answer, Kind, Query, Record};
use mta_core::ports::Resolver;
use mta_proto::dns::ServerList;
use std::fmt::Write;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::runtime::{Builder, Runtime};

/// The most bytes of an ident server's answer that are read (RFC 1413 §6).
const IDENT_MAX: u64 = 1000;
/// The port of ident servers.
const IDENT_PORT: u16 = 113;

/// The name servers did not answer; later they may.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoAnswer;

/// Asks on behalf of one connection, one question after the other.
#[derive(Debug)]
pub(crate) struct Names {
    runtime: Runtime,
    dns: DnsDriver,
}

impl Names {
    /// Asks the servers of $DNSCACHEIP, as the original does, or else those of /etc/resolv.conf.
    /// An address may have its port behind it.
    pub(crate) fn new(io: &Io<'_>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let said = io
            .variable("DNSCACHEIP")
            .and_then(|servers| servers.to_str());
        let _entered = runtime.enter();
        let dns = match said.and_then(ServerList::from_dnscacheip) {
            Some(servers) => DnsDriver::new(servers, Clock::start()),
            None => DnsDriver::from_resolv_conf(Path::new("/etc/resolv.conf"), Clock::start())?,
        };
        drop(_entered);
        Ok(Self { runtime, dns })
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Asks one question.
    pub(crate) fn ask(&self, query: &Query) -> Answer {
        self.wait(self.dns.lookup(query))
    }

    fn records(&self, name: String, kind: Kind) -> Result<Vec<Record>, NoAnswer> {
        match self.ask(&Query { name, kind }) {
            Answer::Records(records) => Ok(records),
            Answer::Failed(_) => Err(NoAnswer),
            _ => Ok(Vec::new()),
        }
    }

    /// Returns the name of an address. Unlike the original, one with white space, control or
    /// non-ASCII bytes is none: it would go into the environment of programs.
    pub(crate) fn reverse(&self, address: IpAddr) -> Result<Option<String>, NoAnswer> {
        let records = self.records(reverse_name(address), Kind::Ptr)?;
        Ok(records.into_iter().find_map(|record| match record {
            Record::Ptr(name) if proper(&name) => Some(name.to_ascii_lowercase()),
            _ => None,
        }))
    }

    /// Tells whether a name has this address.
    pub(crate) fn leads_to(&self, name: &str, address: IpAddr) -> bool {
        let kind = if address.is_ipv4() {
            Kind::A
        } else {
            Kind::Aaaa
        };
        let records = self.records(name.to_owned(), kind);
        let mut records = records.unwrap_or_default().into_iter();
        records.any(|record| match record {
            Record::A(found) => address == found,
            Record::Aaaa(found) => address == found,
            _ => false,
        })
    }

    /// Asks the peer's ident server who it is.
    pub(crate) fn ident(
        &self,
        peer: SocketAddr,
        local: SocketAddr,
        timeout: Duration,
    ) -> Option<Vec<u8>> {
        self.wait(async {
            let asked = ask_ident(peer, local, IDENT_PORT);
            let answer = tokio::time::timeout(timeout, asked).await.ok()?.ok()?;
            user(&answer)
        })
    }
}

fn proper(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn reverse_name(address: IpAddr) -> String {
    let mut name = String::new();
    // Writing to a String cannot fail.
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            for octet in v4.octets().iter().rev() {
                let _ = write!(name, "{octet}.");
            }
            name + "in-addr.arpa"
        }
        IpAddr::V6(v6) => {
            for octet in v6.octets().iter().rev() {
                let _ = write!(name, "{:x}.{:x}.", octet & 15, octet >> 4);
            }
            name + "ip6.arpa"
        }
    }
}

/// Asks from the address that the peer connected to: its server goes by both.
async fn ask_ident(peer: SocketAddr, local: SocketAddr, port: u16) -> io::Result<Vec<u8>> {
    let socket = if local.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.bind(SocketAddr::new(local.ip(), 0))?;
    let mut stream = socket.connect(SocketAddr::new(peer.ip(), port)).await?;
    let question = format!("{} , {}\r\n", peer.port(), local.port());
    stream.write_all(question.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut limited = stream.take(IDENT_MAX);
    while !answer.contains(&b'\n') && limited.read_buf(&mut answer).await? > 0 {}
    Ok(answer)
}

/// Reads `PORT , PORT : USERID : SYSTEM : USER` (RFC 1413 §6).
fn user(answer: &[u8]) -> Option<Vec<u8>> {
    let line = answer
        .split(|byte| matches!(byte, b'\r' | b'\n' | 0))
        .next()?;
    let mut parts = line.splitn(4, |&byte| byte == b':');
    let (_ports, kind, _system) = (parts.next()?, parts.next()?, parts.next()?);
    let user = parts.next()?.trim_ascii();
    (kind.trim_ascii() == b"USERID" && !user.is_empty()).then(|| user.to_vec())
}

#[cfg(test)]
mod tests {
    use super::{ask_ident, reverse_name, user};
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// Name, answer, user.
    type Row = (&'static str, &'static [u8], Option<&'static [u8]>);

    #[test]
    fn only_a_userid_answer_names_a_user() {
        let table: [Row; 7] = [
            ("usual", b"1,2:USERID:UNIX:joe\r\n", Some(b"joe")),
            ("spaces", b"1 , 2 : USERID : UNIX : joe \r\n", Some(b"joe")),
            (
                "colons in the name",
                b"1,2:USERID:OTHER:a:b\r\n",
                Some(b"a:b"),
            ),
            ("error", b"1,2:ERROR:NO-USER\r\n", None),
            ("nobody", b"1,2:USERID:UNIX:\r\n", None),
            ("NUL ends it", b"1,2:USERID:UNIX:joe\0x\r\n", Some(b"joe")),
            ("cut", b"1,2:USERID", None),
        ];
        for (name, answer, expected) in table {
            assert_eq!(user(answer).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn the_ident_question_names_the_peers_port_first() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            stream
                .write_all(b"4000 , 25 : USERID : UNIX : joe\r\n")
                .unwrap();
            line
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        let peer = "127.0.0.1:4000".parse().unwrap();
        let asked = ask_ident(peer, "127.0.0.1:25".parse().unwrap(), port);
        let answer = runtime.block_on(asked).unwrap();
        assert_eq!(user(&answer).as_deref(), Some(&b"joe"[..]));
        assert_eq!(server.join().unwrap(), "4000 , 25\r\n");
    }

    #[test]
    fn addresses_have_their_names_backwards() {
        let v4 = reverse_name("192.0.2.1".parse().unwrap());
        assert_eq!(v4, "1.2.0.192.in-addr.arpa");
        let v6 = reverse_name("2001:db8::1".parse().unwrap());
        assert!(v6.starts_with("1.0.0.0.") && v6.ends_with(".8.b.d.0.1.0.0.2.ip6.arpa"));
    }
}
