//! Which keys the address of a rule stands for: ranges, networks, IPv6 (tcprules(1), RFC 4291 §2.2, RFC 4632 §3.1).

use super::Syntax;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The most keys that one address may stand for.
const MAX_KEYS: u32 = 256;

/// Splits a line into its address and what follows the colon; `None` where it has no colon.
pub(super) fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let bracketed = || {
        let close = line.windows(2).position(|two| two == b"]:")?;
        let (address, rest) = line.split_at_checked(close + 1)?;
        network(address)?;
        Some((address, rest.get(1..)?))
    };
    bracketed().or_else(|| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (address, rest) = line.split_at_checked(colon)?;
        Some((address, rest.get(1..)?))
    })
}

/// Returns the keys under which a rule for this address is filed, at most [`MAX_KEYS`].
pub(super) fn keys(address: &[u8], syntax: Syntax) -> Result<Vec<Vec<u8>>, &'static str> {
    if let Some((info, network, length)) = network(address) {
        return v6_keys(info, network, length);
    }
    if syntax == Syntax::Extended
        && let Some((network, length)) = v4_network(address)
    {
        return Ok(v4_keys(network, length));
    }
    let plain = address.iter().any(|byte| matches!(byte, b'=' | b'@'));
    match address.iter().position(|&byte| byte == b'-') {
        Some(dash) if !plain => range(address, dash),
        _ => Ok(vec![address.to_vec()]),
    }
}

/// Expands `BEFORE.N-M.AFTER`, or what is left of it at either end.
fn range(address: &[u8], dash: usize) -> Result<Vec<Vec<u8>>, &'static str> {
    const EXPECTED: &str = "expected digits up to the next dot on both sides of the dash";
    let (left, right) = address.split_at_checked(dash).ok_or(EXPECTED)?;
    let right = right.get(1..).unwrap_or_default();
    let start = left.iter().rposition(|byte| !byte.is_ascii_digit());
    let (before, low) = left
        .split_at_checked(start.map_or(0, |at| at + 1))
        .ok_or(EXPECTED)?;
    let end = right.iter().position(|byte| !byte.is_ascii_digit());
    let (high, after) = right
        .split_at_checked(end.unwrap_or(right.len()))
        .ok_or(EXPECTED)?;
    if before.last().is_some_and(|&byte| byte != b'.')
        || after.first().is_some_and(|&byte| byte != b'.')
    {
        return Err(EXPECTED);
    }
    let numbers = number(low)..=number(high).min(255);
    Ok(numbers
        .map(|n| [before, n.to_string().as_bytes(), after].concat())
        .collect())
}

/// Reads digits; none are 0, and too many are a number that no octet has.
fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |n: u32, &digit| {
        n.saturating_mul(10)
            .saturating_add(u32::from(digit.wrapping_sub(b'0')))
    })
}

/// Reads `[NETWORK]` or `[NETWORK/LENGTH]` with an optional `INFO@` before it.
fn network(address: &[u8]) -> Option<(&[u8], Ipv6Addr, u32)> {
    let open = address.iter().position(|&byte| byte == b'[')?;
    let (info, literal) = address.split_at_checked(open)?;
    // No colon before the bracket: the original would have ended the address there.
    if !(info.is_empty() || info.ends_with(b"@")) || info.contains(&b':') {
        return None;
    }
    let inner = literal.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let inner = std::str::from_utf8(inner).ok()?;
    let (network, length) = match inner.split_once('/') {
        Some((network, length)) => (network, length.parse().ok().filter(|&n| n <= 128)?),
        None => (inner, 128),
    };
    Some((info, network.parse().ok()?, length))
}

fn v6_keys(info: &[u8], network: Ipv6Addr, length: u32) -> Result<Vec<Vec<u8>>, &'static str> {
    if let (Some(v4), 128) = (network.to_ipv4_mapped(), length) {
        return Ok(vec![[info, v4.to_string().as_bytes()].concat()]);
    }
    let groups = length.div_ceil(16);
    let open_bits = groups * 16 - length;
    if 1_u32
        .checked_shl(open_bits)
        .is_none_or(|count| count > MAX_KEYS)
    {
        return Err("expected an IPv6 prefix length at most eight below a multiple of sixteen");
    }
    let step = 1_u128.checked_shl(128 - groups * 16).unwrap_or_default();
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or_default();
    let first = u128::from(network) & mask;
    let keys = (0..1_u128 << open_bits).map(|n| {
        let text = expanded(Ipv6Addr::from(first | (n * step)));
        let end = match groups {
            0 => return [info, b":"].concat(),
            8 => text.len(),
            _ => groups as usize * 5,
        };
        [info, text.as_bytes().get(..end).unwrap_or_default()].concat()
    });
    Ok(keys.collect())
}

/// Writes all eight groups with all their digits.
pub(super) fn expanded(address: Ipv6Addr) -> String {
    let mut text = String::with_capacity(39);
    for group in address.segments() {
        let colon = if text.is_empty() { "" } else { ":" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{colon}{group:04x}");
    }
    text
}

/// Reads `a.b.c.d/LENGTH`.
pub(super) fn v4_network(address: &[u8]) -> Option<(Ipv4Addr, u32)> {
    let text = std::str::from_utf8(address).ok()?;
    let (network, length) = text.split_once('/')?;
    let length = length.parse().ok().filter(|&n| n <= 32)?;
    Some((network.parse().ok()?, length))
}

fn v4_keys(network: Ipv4Addr, length: u32) -> Vec<Vec<u8>> {
    // A prefix of no octets would be the empty key, which IPv6 has too.
    let octets = length.div_ceil(8).max(1);
    let step = 1_u32 << (32 - octets * 8);
    let mask = u32::MAX.checked_shl(32 - length).unwrap_or_default();
    let first = u32::from(network) & mask;
    let keys = (0..1_u32 << (octets * 8 - length)).map(|n| {
        let key = Ipv4Addr::from(first | (n * step)).octets();
        let texts = key.iter().take(octets as usize).map(u8::to_string);
        let mut text = texts.collect::<Vec<_>>().join(".");
        if octets < 4 {
            text.push('.');
        }
        text.into_bytes()
    });
    keys.collect()
}
