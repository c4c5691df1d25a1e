//! Version 2, in binary (PROXY protocol §2.2).
//!
//! ```text
//! 0             12        13        14       16
//! │ signature   │ version │ family  │ length │ addresses, ports, TLVs
//! │             │ command │ transp. │  (BE)  │ `length` bytes
//! ```

use super::{Client, HEADER_MAX, Malformed, Parsed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// What no SMTP or POP3 client says, nor one that begins with TLS.
pub(super) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes before the addresses.
const FIXED: usize = 16;
/// Version 2 with the commands.
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
/// Families with their transport.
const UNSPECIFIED: u8 = 0x00;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const UNIX_STREAM: u8 = 0x31;

pub(super) fn parse(input: &[u8]) -> Result<Parsed, Malformed> {
    let command = match input.get(SIGNATURE.len()) {
        None => return Ok(Parsed::Incomplete),
        Some(&(LOCAL | PROXY)) => input.get(SIGNATURE.len()).copied(),
        Some(_) => return Err(Malformed::Command),
    };
    let Some(fixed) = input.first_chunk::<FIXED>() else {
        return Ok(Parsed::Incomplete);
    };
    let [.., family, high, low] = *fixed;
    let announced = usize::from(u16::from_be_bytes([high, low]));
    let length = FIXED + announced;
    if length > HEADER_MAX {
        return Err(Malformed::TooLong);
    }
    if announced < of_addresses(command, family)? {
        return Err(Malformed::Short);
    }
    let Some(body) = input.get(FIXED..length) else {
        return Ok(Parsed::Incomplete);
    };
    let client = match (command, family) {
        // Whatever addresses it has are to be ignored.
        (Some(LOCAL), _) => Client::Proxy,
        (_, TCP4) => v4(body)?,
        (_, TCP6) => v6(body)?,
        _ => Client::Unknown,
    };
    Ok(Parsed::Header { length, client })
}

/// How many bytes the addresses have.
fn of_addresses(command: Option<u8>, family: u8) -> Result<usize, Malformed> {
    match family {
        _ if command == Some(LOCAL) => Ok(0),
        UNSPECIFIED => Ok(0),
        TCP4 => Ok(12),
        TCP6 => Ok(36),
        UNIX_STREAM => Ok(216),
        _ => Err(Malformed::Family),
    }
}

fn v4(body: &[u8]) -> Result<Client, Malformed> {
    let (from, rest) = body.split_first_chunk::<4>().ok_or(Malformed::Short)?;
    let (to, rest) = rest.split_first_chunk::<4>().ok_or(Malformed::Short)?;
    let (from_port, to_port) = ports(rest)?;
    Ok(Client::At {
        from: SocketAddr::from((Ipv4Addr::from(*from), from_port)),
        to: SocketAddr::from((Ipv4Addr::from(*to), to_port)),
    })
}

fn v6(body: &[u8]) -> Result<Client, Malformed> {
    let (from, rest) = body.split_first_chunk::<16>().ok_or(Malformed::Short)?;
    let (to, rest) = rest.split_first_chunk::<16>().ok_or(Malformed::Short)?;
    let (from_port, to_port) = ports(rest)?;
    Ok(Client::At {
        from: SocketAddr::from((Ipv6Addr::from(*from), from_port)),
        to: SocketAddr::from((Ipv6Addr::from(*to), to_port)),
    })
}

fn ports(rest: &[u8]) -> Result<(u16, u16), Malformed> {
    let (from, rest) = rest.split_first_chunk::<2>().ok_or(Malformed::Short)?;
    let (to, _) = rest.split_first_chunk::<2>().ok_or(Malformed::Short)?;
    Ok((u16::from_be_bytes(*from), u16::from_be_bytes(*to)))
}
