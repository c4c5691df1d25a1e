//! The listening socket: which address and port a command line means (tcpserver(1), services(5)).

use super::options::Settings;
use crate::failure::{Failure, reason};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen as start, setsockopt,
    socket, sockopt,
};
use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::AsRawFd;

/// Where services have their numbers.
const SERVICES: &str = "/etc/services";

pub(super) fn listen(settings: &Settings) -> Result<TcpListener, Failure> {
    let port = port(&settings.port)
        .ok_or_else(|| unknown("unable to figure out port number for ", &settings.port))?;
    let host = host(&settings.host).ok_or_else(|| unknown("no IP address for ", &settings.host))?;
    bound(SocketAddr::new(host, port), settings.backlog).map_err(|error| unable("bind", &error))
}

/// `unable to WHAT: why`.
pub(super) fn unable(what: &str, error: &io::Error) -> Failure {
    Failure::Temporary(format!("unable to {what}: {}", reason(error)).into_bytes())
}

fn unknown(what: &str, name: &OsStr) -> Failure {
    Failure::Temporary(format!("{what}{}", name.display()).into_bytes())
}

/// A number up to 65535, or a service of TCP.
fn port(text: &OsStr) -> Option<u16> {
    let text = text.to_str()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let services = std::fs::read_to_string(SERVICES).ok()?;
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (name, number) = (words.next()?, words.next()?);
        let number = number.strip_suffix("/tcp")?;
        (name == text || words.any(|alias| alias == text)).then(|| number.parse().ok())?
    })
}

/// An address, or a name, whose IPv4 address is preferred as the original knows no other.
fn host(text: &OsStr) -> Option<IpAddr> {
    let text = text.to_str()?;
    if matches!(text, "" | "0") {
        return Some(Ipv4Addr::UNSPECIFIED.into());
    }
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let found: Vec<_> = (text, 0)
        .to_socket_addrs()
        .ok()?
        .map(|found| found.ip())
        .collect();
    found
        .iter()
        .find(|ip| ip.is_ipv4())
        .or_else(|| found.first())
        .copied()
}

fn bound(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let descriptor = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&descriptor, sockopt::ReuseAddr, &true)?;
    bind(descriptor.as_raw_fd(), &SockaddrStorage::from(address))?;
    start(
        &descriptor,
        Backlog::new(backlog).unwrap_or(Backlog::MAXCONN),
    )?;
    let listener = TcpListener::from(descriptor);
    // A client that is gone before it is accepted must not hold up the loop.
    listener.set_nonblocking(true)?;
    Ok(listener)
}
