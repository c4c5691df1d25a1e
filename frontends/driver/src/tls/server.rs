//! The server's side of TLS: which certificate is shown to whom, exchangeable while sessions run (RFC 6066 §3).

use super::{Certificate, Handshake, Oldest, Role, provider};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, crypto};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Serves TLS with some certificates; clones share them.
#[derive(Clone, Debug)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
    limit: Duration,
}

/// The certificates in force.
#[derive(Debug)]
struct Shown(RwLock<Arc<[Certificate]>>);

/// TLS cannot be set up: a fault of the system, which has no randomness.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("unable to set up TLS: {0}")]
pub struct NoTls(#[from] rustls::Error);

impl ServerTls {
    /// Shows a client the first certificate that is made out for the host it asks for, else the
    /// first of all; a handshake may take `limit`.
    ///
    /// # Errors
    /// Fails where the system gives no random bytes.
    pub fn new(
        certificates: Vec<Certificate>,
        oldest: Oldest,
        limit: Duration,
    ) -> Result<Self, NoTls> {
        let shown = Arc::new(Shown(RwLock::new(certificates.into())));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(oldest.versions())?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        // Tickets keep nothing here, however many clients there are.
        config.ticketer = crypto::ring::Ticketer::new()?;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Ok(Self {
            config: Arc::new(config),
            shown,
            limit,
        })
    }

    /// Shows these from now on; sessions that run keep theirs.
    pub fn replace(&self, certificates: Vec<Certificate>) {
        let mut shown = self.shown.0.write().unwrap_or_else(PoisonError::into_inner);
        *shown = certificates.into();
    }

    /// The certificates in force.
    #[must_use]
    pub fn certificates(&self) -> Arc<[Certificate]> {
        self.shown.now()
    }

    /// What a stream needs to be served.
    #[must_use]
    pub fn handshake(&self) -> Handshake {
        Handshake {
            role: Role::Server(Arc::clone(&self.config)),
            limit: self.limit,
        }
    }
}

impl Shown {
    fn now(&self) -> Arc<[Certificate]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let all = self.now();
        let asked = hello.server_name();
        let fits = asked.and_then(|host| all.iter().find(|one| one.is_for(host)));
        fits.or_else(|| all.first())
            .map(|one| Arc::clone(one.key()))
    }
}
