//! A certificate with its chain and key, read from PEM in any order, and what it says of itself (RFC 7468, RFC 5280).

use super::provider;
use mta_core::Unix;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use std::fmt;
use std::sync::Arc;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

/// The most bytes of PEM that are looked at.
pub const PEM_MAX: usize = 1024 * 1024;
/// Bits of an RSA key below which nobody trusts it any more (RFC 8301 §3.2, CA/Browser Forum BR §6.1.5).
pub const RSA_BITS: usize = 2048;

/// A certificate that can be served: it fits its key.
///
/// ```
/// use driver::tls::{Certificate, CertificateError};
/// let said = Certificate::from_pem(b"", b"").unwrap_err();
/// assert_eq!(said, CertificateError::NoKey);
/// ```
#[derive(Clone)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    said: Arc<Said>,
}

/// What a certificate says of itself.
#[derive(Debug)]
struct Said {
    names: Vec<String>,
    not_before: Unix,
    not_after: Unix,
    self_signed: bool,
}

/// Why a certificate cannot be served. Whoever gave the files must change them.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// There is no key.
    #[error("expected a private key in PEM (BEGIN PRIVATE KEY), found none")]
    NoKey,
    /// The key wants a passphrase, and nobody is there to type it.
    #[error(
        "expected a private key without a passphrase, found an encrypted one; openssl pkey removes it"
    )]
    EncryptedKey,
    /// There are several keys.
    #[error("expected one private key, found {0}")]
    SeveralKeys(usize),
    /// There is no certificate.
    #[error("expected a certificate in PEM (BEGIN CERTIFICATE), found none")]
    NoCertificate,
    /// No certificate belongs to the key.
    #[error("expected the certificate of the private key, found none that matches it")]
    Mismatch,
    /// An RSA key is too short to be of use.
    #[error("expected an RSA key of {RSA_BITS} bits or more, found {0}")]
    ShortKey(usize),
    /// The key's kind is not known here.
    #[error("expected an RSA, ECDSA P-256, P-384 or Ed25519 key: {0}")]
    UnsuitableKey(String),
    /// The text is broken.
    #[error("expected PEM as openssl writes it: {0}")]
    Malformed(String),
    /// It is longer than any certificate.
    #[error("expected at most {PEM_MAX} bytes, found {0}")]
    TooLong(usize),
}

impl Certificate {
    /// Reads a chain and its key, which may stand in one text (give it twice) and in any order.
    ///
    /// What does not belong to the chain is left out.
    ///
    /// # Errors
    /// Fails where the two cannot be served, and says what was expected.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let longest = chain.len().max(key.len());
        if longest > PEM_MAX {
            return Err(CertificateError::TooLong(longest));
        }
        let key = private_key(key)?;
        let malformed =
            |error: rustls::pki_types::pem::Error| CertificateError::Malformed(error.to_string());
        let certificates = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(malformed)?;
        let parsed = certificates
            .iter()
            .map(|der| X509Certificate::from_der(der).map(|(_, one)| one))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| CertificateError::Malformed(error.to_string()))?;
        if parsed.is_empty() {
            return Err(CertificateError::NoCertificate);
        }
        let signing = provider()
            .key_provider
            .load_private_key(key)
            .map_err(|error| unsuitable(&parsed, &error))?;
        let order = in_order(&parsed, signing.as_ref())?;
        let first = order.first().and_then(|&at| parsed.get(at));
        let said = Said::of(first.ok_or(CertificateError::Mismatch)?);
        let chain = order.iter().filter_map(|&at| certificates.get(at).cloned());
        Ok(Self {
            key: Arc::new(CertifiedKey::new(chain.collect(), signing)),
            said: Arc::new(said),
        })
    }

    /// The hosts that it is made out for, as it writes them: `*` may stand for a first label.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.said.names
    }

    /// Tells whether it is made out for a host (RFC 6125 §6.4).
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.said.names.iter().any(|name| covers(name, host))
    }

    /// When it begins to hold.
    #[must_use]
    pub fn not_before(&self) -> Unix {
        self.said.not_before
    }

    /// When it ceases to hold.
    #[must_use]
    pub fn not_after(&self) -> Unix {
        self.said.not_after
    }

    /// Tells whether it vouches for itself, so that nobody who does not know it trusts it.
    #[must_use]
    pub fn is_self_signed(&self) -> bool {
        self.said.self_signed
    }

    pub(super) const fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }
}

/// The key is not shown.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.said).finish()
    }
}

impl Said {
    fn of(certificate: &X509Certificate<'_>) -> Self {
        let alternative = certificate.subject_alternative_name().ok().flatten();
        let mut names: Vec<String> = alternative
            .iter()
            .flat_map(|extension| &extension.value.general_names)
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            let common = certificate.subject().iter_common_name();
            names.extend(common.filter_map(|name| name.as_str().ok().map(str::to_owned)));
        }
        let time = |time: i64| Unix(u64::try_from(time).unwrap_or(0));
        let validity = certificate.validity();
        Self {
            names,
            not_before: time(validity.not_before.timestamp()),
            not_after: time(validity.not_after.timestamp()),
            self_signed: certificate.subject().as_raw() == certificate.issuer().as_raw(),
        }
    }
}

/// The one key in a text.
fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let has = |words: &[u8]| pem.windows(words.len()).any(|part| part == words);
    if has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED") {
        return Err(CertificateError::EncryptedKey);
    }
    let mut keys = PrivateKeyDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| CertificateError::Malformed(error.to_string()))?;
    match (keys.pop(), keys.len()) {
        (None, _) => Err(CertificateError::NoKey),
        (Some(key), 0) => Ok(key),
        (Some(_), more) => Err(CertificateError::SeveralKeys(more + 1)),
    }
}

/// Why a key was refused: most often it is an RSA key of old.
fn unsuitable(parsed: &[X509Certificate<'_>], error: &rustls::Error) -> CertificateError {
    let sizes = parsed.iter().filter_map(|one| rsa_bits(one));
    match sizes.min().filter(|&bits| bits < RSA_BITS) {
        Some(bits) => CertificateError::ShortKey(bits),
        None => CertificateError::UnsuitableKey(error.to_string()),
    }
}

fn rsa_bits(certificate: &X509Certificate<'_>) -> Option<usize> {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => Some(key.key_size()),
        _ => None,
    }
}

/// The key's own certificate first, and behind each one that of its issuer (RFC 8446 §4.4.2).
fn in_order(
    parsed: &[X509Certificate<'_>],
    key: &dyn SigningKey,
) -> Result<Vec<usize>, CertificateError> {
    let public = key.public_key().ok_or(CertificateError::Mismatch)?;
    let own = |one: &X509Certificate<'_>| one.public_key().raw == public.as_ref();
    let first = parsed.iter().position(own);
    let mut order = vec![first.ok_or(CertificateError::Mismatch)?];
    while let Some(last) = order.last().and_then(|&at| parsed.get(at)) {
        let issuer = last.issuer().as_raw();
        let next = parsed
            .iter()
            .enumerate()
            .find(|(at, one)| one.subject().as_raw() == issuer && !order.contains(at));
        match next {
            Some((at, _)) => order.push(at),
            None => break,
        }
    }
    Ok(order)
}

/// Whether a name of a certificate covers a host; `*` stands for exactly the first label.
fn covers(name: &str, host: &str) -> bool {
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(rest), Some((label, domain))) => {
            !label.is_empty() && rest.eq_ignore_ascii_case(domain)
        }
        _ => name.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_star_stands_for_one_label() {
        let rows = [
            ("same", "mx.example.org", "MX.example.ORG", true),
            ("other", "mx.example.org", "mx2.example.org", false),
            ("star", "*.example.org", "mx.example.org", true),
            ("star and no label", "*.example.org", "example.org", false),
            (
                "star and two labels",
                "*.example.org",
                "a.b.example.org",
                false,
            ),
            ("empty label", "*.example.org", ".example.org", false),
            ("star within", "m*.example.org", "mx.example.org", false),
        ];
        for (name, pattern, host, want) in rows {
            assert_eq!(covers(pattern, host), want, "{name}");
        }
    }
}
