//! The header by which a proxy tells whose connection it hands on (PROXY protocol, versions 1 and 2).
//!
//! It stands before everything else on a connection, before TLS too. Who may send one is decided
//! by the caller: a header from anybody else is a forgery.

mod binary;
mod text;

use std::net::SocketAddr;

/// Bytes of the longest header that is taken. Version 1 has 107 at most; what version 2 carries
/// behind the addresses (certificates, say) is skipped within this bound.
pub const HEADER_MAX: usize = 4096;

/// What the bytes at hand are.
///
/// ```
/// use mta_proto::proxy::{Client, Parsed, parse};
/// let line = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\nEHLO client\r\n";
/// let Ok(Parsed::Header { length, client: Client::At { from, to } }) = parse(line) else {
///     panic!("a header was expected")
/// };
/// assert_eq!(&line[length..], b"EHLO client\r\n");
/// assert_eq!((from, to), ("192.0.2.1:56324".parse().unwrap(), "198.51.100.1:25".parse().unwrap()));
/// assert_eq!(parse(b"PROXY TC"), Ok(Parsed::Incomplete));
/// assert!(parse(b"EHLO client\r\n").is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a header is there or not yet")]
pub enum Parsed {
    /// More bytes are needed; what is there may still become a header.
    Incomplete,
    /// A header, and what it tells.
    Header {
        /// Its bytes; what follows is the client's.
        length: usize,
        /// Whose connection it is.
        client: Client,
    },
}

/// Whose connection a proxy hands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these three")]
pub enum Client {
    /// That of a client there, which connected to an address of the proxy.
    At {
        /// The client.
        from: SocketAddr,
        /// What it connected to.
        to: SocketAddr,
    },
    /// The proxy's own, as where it looks whether we live (`LOCAL`).
    Proxy,
    /// Somebody's whose address the proxy does not tell, or tells in no form of IP (`UNKNOWN`).
    Unknown,
}

/// The bytes are no header; the proxy's fault, and trying again does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// They begin as no header does.
    #[error("expected a PROXY header first")]
    NoHeader,
    /// Version 1 does not end where it has to.
    #[error("expected the PROXY line to end with CRLF within 107 bytes")]
    Endless,
    /// What stands in the line of version 1 is not what belongs there.
    #[error("expected \"PROXY TCP4|TCP6 address address port port\"")]
    Line,
    /// Version 2 has a version or command that is not known.
    #[error("expected command LOCAL or PROXY of version 2")]
    Command,
    /// Version 2 has a family or transport that is not known, or is not that of a stream.
    #[error("expected a stream of IPv4 or IPv6")]
    Family,
    /// Version 2 announces fewer bytes than its addresses have.
    #[error("expected as many bytes as the addresses have")]
    Short,
    /// Version 2 announces more than [`HEADER_MAX`].
    #[error("expected a header of {HEADER_MAX} bytes at most")]
    TooLong,
}

/// Looks whether `input`, all that has come so far, begins with a whole header.
///
/// # Errors
/// Fails as soon as the bytes cannot become one.
pub fn parse(input: &[u8]) -> Result<Parsed, Malformed> {
    if begins(input, &binary::SIGNATURE) {
        binary::parse(input)
    } else if begins(input, text::START) {
        text::parse(input)
    } else {
        Err(Malformed::NoHeader)
    }
}

/// Tells whether the one is the beginning of the other, whichever is shorter.
fn begins(input: &[u8], start: &[u8]) -> bool {
    input.iter().zip(start).all(|(a, b)| a == b)
}
