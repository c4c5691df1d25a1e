//! The client's side of TLS: encryption for its own sake, or with a host that proves its name (RFC 7435, RFC 6125).

use super::server::NoTls;
use super::{Handshake, Oldest, Role, provider};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// What a host must prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a name is either proven or it is not"
)]
pub enum Trust {
    /// Nothing: whoever answers is spoken to, which keeps out those who only listen.
    Anyone,
    /// That a trusted authority knows it by its name.
    Name,
}

/// Asks servers for TLS; clones share what is remembered of sessions.
#[derive(Clone, Debug)]
pub struct ClientTls {
    anyone: Arc<ClientConfig>,
    named: Arc<ClientConfig>,
    limit: Duration,
}

impl ClientTls {
    /// Trusts these authorities, each a certificate in DER; those that make no sense are left out.
    /// A handshake may take `limit`.
    ///
    /// # Errors
    /// Fails where rustls cannot be set up.
    pub fn new(
        authorities: Vec<CertificateDer<'static>>,
        oldest: Oldest,
        limit: Duration,
    ) -> Result<Self, NoTls> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities);
        let builder = || {
            ClientConfig::builder_with_provider(provider())
                .with_protocol_versions(oldest.versions())
        };
        let anyone = builder()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(provider())))
            .with_no_client_auth();
        let named = builder()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            anyone: Arc::new(anyone),
            named: Arc::new(named),
            limit,
        })
    }

    /// What a stream to `host` needs; where `host` is no name at all, its address stands for it.
    #[must_use]
    pub fn handshake(&self, host: &str, address: IpAddr, trust: Trust) -> Handshake {
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned());
        let name = name.unwrap_or_else(|_| ServerName::IpAddress(address.into()));
        let config = match trust {
            Trust::Anyone => &self.anyone,
            Trust::Name => &self.named,
        };
        Handshake {
            role: Role::Client(Arc::clone(config), name),
            limit: self.limit,
        }
    }
}

/// Takes every certificate, but insists that the host has its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
