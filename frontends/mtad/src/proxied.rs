//! Connections that a proxy hands on: its header is read before anything else, TLS too (PROXY protocol §2).

use crate::config::{Config, Proxy};
use mta_proto::proxy::{Client, HEADER_MAX, Malformed, Parsed, parse};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Bytes looked at in one go.
const LOOK: usize = 256;

/// Whose header is read, and how long it may take.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Proxies {
    proxy: Arc<Proxy>,
    /// How long a header may take.
    pub patience: Duration,
}

impl From<&Config> for Proxies {
    fn from(config: &Config) -> Self {
        Self {
            proxy: Arc::new(config.proxy.clone()),
            patience: Duration::from_secs(config.timeouts.proxy_header),
        }
    }
}

impl Proxies {
    /// Tells whether a header comes from there.
    #[must_use]
    pub fn list(&self, peer: IpAddr) -> bool {
        self.proxy.begins_with_header(peer)
    }
}

/// Why a proxy's connection is not served. It hears nothing: it would hand the words on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoClient {
    /// What it sent is no header.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// It hung up or the connection broke.
    #[error("its PROXY header did not come: {0}")]
    Broken(#[from] io::Error),
    /// It was silent.
    #[error("its PROXY header did not come in time")]
    Late,
    /// Served under the proxy's address that client might get what only the proxy may have.
    #[error("its PROXY header does not tell the client's address")]
    Unknown,
}

/// Reads the header, and not a byte of what follows: who the client is and what it connected to,
/// or `None` where the proxy speaks for itself.
///
/// # Errors
/// Says why nobody can be served.
pub async fn client(
    stream: &mut TcpStream,
    patience: Duration,
) -> Result<Option<(SocketAddr, SocketAddr)>, NoClient> {
    let read = tokio::time::timeout(patience, header(stream));
    match read.await.map_err(|_| NoClient::Late)?? {
        Client::At { from, to } => Ok(Some((from, to))),
        Client::Proxy => Ok(None),
        Client::Unknown => Err(NoClient::Unknown),
    }
}

async fn header(stream: &mut TcpStream) -> Result<Client, NoClient> {
    let mut header = Vec::new();
    loop {
        let held = header.len();
        header.resize(held + LOOK, 0);
        let fresh = header.get_mut(held..).unwrap_or_default();
        let there = stream.peek(fresh).await?;
        if there == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        header.truncate(held + there);
        // At `HEADER_MAX` the parser knows.
        debug_assert!(held <= HEADER_MAX, "the parser has a bound");
        let (length, found) = match parse(&header)? {
            Parsed::Incomplete => (header.len(), None),
            Parsed::Header { length, client } => (length, Some(client)),
        };
        let taken = header.get_mut(held..length).unwrap_or_default();
        stream.read_exact(taken).await?;
        if let Some(client) = found {
            return Ok(client);
        }
    }
}
