//! The certificate of a new home: it vouches for itself, until a better one takes its place (RFC 7435).

use crate::Failure;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use std::time::{Duration, SystemTime};

/// How long it holds: nobody trusts it for its date.
const VALID: Duration = Duration::from_secs(3650 * 86_400);
/// How far back it begins, for clocks that are late.
const EARLIER: Duration = Duration::from_secs(86_400);

/// Makes a key and a certificate for a host, as one PEM text.
///
/// # Errors
/// Fails where the name fits no certificate, or the system gives no random bytes.
pub fn make(host: &str) -> Result<String, Failure> {
    let failed = |error: rcgen::Error| {
        Failure::temporary(format!("unable to make a certificate for {host}: {error}"))
    };
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(failed)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, host);
    params.distinguished_name = name;
    let now = SystemTime::now();
    params.not_before = (now - EARLIER).into();
    params.not_after = (now + VALID).into();
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(key.serialize_pem() + &certificate.pem())
}
