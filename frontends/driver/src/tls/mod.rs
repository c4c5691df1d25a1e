//! TLS 1.2 and 1.3 by rustls with ring: certificates, who serves with them, and who asks for them (RFC 8446, RFC 8314).
//!
//! ```text
//!   PEM files ──► Certificate ──► ServerTls ──► Handshake ──► Link, BlockingTls
//!   trusted roots ──────────────► ClientTls ──►
//! ```
//! The provider of the cryptography is always given, so that another one elsewhere in the program
//! changes nothing here.

pub mod blocking;
pub mod certificate;
pub mod client;
pub mod facts;
pub mod server;
pub(crate) mod socket;
pub mod stream;

pub use blocking::BlockingTls;
pub use certificate::{Certificate, CertificateError};
pub use client::{ClientTls, Trust};
pub use facts::Facts;
pub use server::ServerTls;
pub use stream::AsyncTls;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion, version};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// How long a handshake may take unless something else is set.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);

/// The oldest version that is spoken (RFC 8996 rules out what is older).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "rustls speaks these two and no other"
)]
pub enum Oldest {
    /// TLS 1.2 (RFC 5246).
    #[default]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl Oldest {
    const fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
        static NEWER: [&SupportedProtocolVersion; 1] = [&version::TLS13];
        match self {
            Self::Tls12 => &BOTH,
            Self::Tls13 => &NEWER,
        }
    }
}

/// What a stream needs to become a TLS stream: our role, whom to trust, how long to wait.
#[derive(Clone, Debug)]
pub struct Handshake {
    pub(crate) role: Role,
    pub(crate) limit: Duration,
}

#[derive(Clone, Debug)]
pub(crate) enum Role {
    Server(Arc<ServerConfig>),
    Client(Arc<ClientConfig>, ServerName<'static>),
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(ring::default_provider()));
    Arc::clone(&PROVIDER)
}
