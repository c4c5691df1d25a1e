//! The digests of CRAM-MD5 (RFC 2195 §2) and APOP (RFC 1939 §7).

use super::exchange::{Question, Reason};
use super::{Fresh, MAX_NAME, Secret};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

/// `<unique@host>`, as both protocols want it.
pub(super) fn challenge(fresh: Fresh, host: &str) -> Vec<u8> {
    let unique: String = fresh.0.iter().map(|b| format!("{b:02x}")).collect();
    format!("<{unique}@{host}>").into_bytes()
}

/// Reads `name SP digest`; the name may hold spaces.
pub(super) fn parse(message: &[u8], challenge: Vec<u8>) -> Result<Question, Reason> {
    let at = message.iter().rposition(|&b| b == b' ');
    let (name, digest) = at
        .and_then(|at| message.split_at_checked(at))
        .ok_or(Reason::Malformed)?;
    let digest = digest.trim_ascii_start();
    let hexadecimal = digest.len() == 32 && digest.iter().all(u8::is_ascii_hexdigit);
    if name.is_empty() || name.len() > MAX_NAME || !hexadecimal {
        return Err(Reason::Malformed);
    }
    Ok(Question::Digest {
        name: name.to_vec(),
        challenge,
        digest: Secret::new(digest),
    })
}

/// Computes what a client that knows the clear password answers to a CRAM-MD5 challenge, in lower
/// case.
///
/// ```
/// let digest = mta_auth::sasl::cram_md5_digest(
///     b"tanstaaftanstaaf",
///     b"<1896.697170952@postoffice.reston.mci.net>",
/// );
/// assert_eq!(digest, "b913a602c7eda7a495b4e6e7334d3890");
/// ```
#[must_use]
pub fn cram_md5_digest(clear: &[u8], challenge: &[u8]) -> String {
    // HMAC takes keys of every length, so there is no failure.
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(clear) else {
        return String::new();
    };
    mac.update(challenge);
    hex(&mac.finalize().into_bytes())
}

/// Computes what a client that knows the clear password answers to the greeting's timestamp, in
/// lower case.
///
/// ```
/// let digest = mta_auth::sasl::apop_digest(b"tanstaaf", b"<1896.697170952@dbc.mtview.ca.us>");
/// assert_eq!(digest, "c4c9334bac560ecc979e58001b3e22fb");
/// ```
#[must_use]
pub fn apop_digest(clear: &[u8], timestamp: &[u8]) -> String {
    hex(&Md5::new()
        .chain_update(timestamp)
        .chain_update(clear)
        .finalize())
}

/// Compares two digests in constant time, whatever their case; an empty one equals nothing.
#[must_use]
pub fn digests_equal(computed: &str, given: &[u8]) -> bool {
    let given = given.to_ascii_lowercase();
    let equal: bool = computed.as_bytes().ct_eq(&given).into();
    equal && !given.is_empty()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
