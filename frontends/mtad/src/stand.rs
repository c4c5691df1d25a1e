//! What XCLIENT changes about an SMTP session: the client that it stands for (Postfix's XCLIENT_README).

use bytes::Bytes;
use mta_proto::smtp::{Enhanced, Reply, Spoken, Told, Xclient};
use std::net::{IpAddr, SocketAddr};

/// A client without an address could be given what only the host in front may have.
pub(crate) const NO_ADDRESS: Reply =
    Reply::fixed(550, "the client's address is needed").with(Enhanced::new(7, 0));

/// A client that somebody else speaks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    pub(crate) peer: SocketAddr,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) name: Option<Bytes>,
    pub(crate) hello: Option<Bytes>,
    pub(crate) login: Option<String>,
    pub(crate) extended: bool,
}

impl Stand {
    /// Puts what is told over what is known of the connection.
    pub(crate) fn of(
        told: &Xclient,
        peer: SocketAddr,
        local: Option<SocketAddr>,
    ) -> Result<Self, Reply> {
        let ip = address(told.addr, peer.ip())?;
        let local = match local {
            Some(local) => {
                let ip = address(told.destaddr, local.ip())?;
                Some(SocketAddr::new(ip, port(told.destport, local.port())))
            }
            None => None,
        };
        let login = value(&told.login);
        Ok(Self {
            peer: SocketAddr::new(ip, port(told.port, peer.port())),
            local,
            name: value(&told.name),
            hello: value(&told.helo),
            login: login.map(|name| String::from_utf8_lossy(&name).into_owned()),
            extended: told.proto == Told::Is(Spoken::Esmtp),
        })
    }
}

fn address(told: Told<IpAddr>, known: IpAddr) -> Result<IpAddr, Reply> {
    match told {
        Told::Is(address) => Ok(address),
        Told::Unsaid => Ok(known),
        Told::Unavailable => Err(NO_ADDRESS),
    }
}

const fn port(told: Told<u16>, known: u16) -> u16 {
    match told {
        Told::Is(port) => port,
        Told::Unsaid => known,
        Told::Unavailable => 0,
    }
}

fn value(told: &Told<Bytes>) -> Option<Bytes> {
    match told {
        Told::Is(value) => Some(value.clone()),
        Told::Unsaid | Told::Unavailable => None,
    }
}
