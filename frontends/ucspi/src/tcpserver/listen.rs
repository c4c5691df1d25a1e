//! The listening socket: which address and port a command line means (tcpserver(1), services(5)).

use super::options::Settings;
use crate::failure::{Failure, reason};
use crate::hosts;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen as start, setsockopt,
    socket, sockopt,
};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

pub(super) fn listen(settings: &Settings) -> Result<TcpListener, Failure> {
    let port = hosts::port(&settings.port)?;
    let host = match settings.host.as_bytes() {
        b"" | b"0" => Ipv4Addr::UNSPECIFIED.into(),
        _ => hosts::first(&settings.host)?,
    };
    bound(SocketAddr::new(host, port), settings.backlog).map_err(|error| unable("bind", &error))
}

/// `unable to WHAT: why`.
pub(super) fn unable(what: &str, error: &io::Error) -> Failure {
    Failure::Temporary(format!("unable to {what}: {}", reason(error)).into_bytes())
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
