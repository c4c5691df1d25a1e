//! The server's TLS: its certificates, kept up to date while it runs, and what it asks of other hosts (RFC 3207, RFC 8314).

pub mod files;
pub mod selfsigned;
mod watch;

pub(crate) use watch::start as watch;

use crate::Failure;
use crate::config::{Config, MinVersion};
use crate::home::Home;
use driver::Clock;
use driver::tls::{Certificate, ClientTls, Oldest, ServerTls};
use files::Stamp;
use mta_core::tls_level::Level;
use mta_proto::smtp::server::StartTls;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What sessions and deliveries need for TLS. Clones share the certificates.
#[derive(Clone, Debug)]
pub struct Tls {
    /// For sessions.
    pub server: ServerTls,
    /// For deliveries.
    pub client: ClientTls,
    seen: Arc<Mutex<Vec<Stamp>>>,
}

impl Tls {
    /// Reads the certificates; blocks.
    ///
    /// # Errors
    /// Names the file that is missing or wrong. The usual file need not be there, unless a service
    /// begins with TLS.
    pub fn start(home: &Home, config: &Config) -> Result<Self, Failure> {
        let seen = files::stamps(&files::pairs(home, config));
        let certificates = files::read(home, config)?;
        if certificates.is_empty()
            && let Some(service) = config.tls_service()
        {
            let path = home.root().join(&config.tls.certificate);
            return Err(Failure::permanent(format!(
                "{service} needs a certificate with its key in {}, and there is no such file",
                path.display()
            )));
        }
        let oldest = match config.tls.min_version {
            MinVersion::Tls12 => Oldest::Tls12,
            MinVersion::Tls13 => Oldest::Tls13,
        };
        let limit = Duration::from_secs(config.timeouts.tls_handshake);
        let setup = |error: driver::tls::server::NoTls| Failure::temporary(error.to_string());
        let authorities = authorities(home, config)?;
        Ok(Self {
            server: ServerTls::new(certificates, oldest, limit).map_err(setup)?,
            client: ClientTls::new(authorities, Oldest::Tls12, limit).map_err(setup)?,
            seen: Arc::new(Mutex::new(seen)),
        })
    }

    /// Whether sessions in the clear may turn to TLS now.
    #[must_use]
    pub fn starttls(&self) -> StartTls {
        if self.server.certificates().is_empty() {
            StartTls::Unavailable
        } else {
            StartTls::Offered
        }
    }

    /// Tells whether the files are other ones than those that were read; blocks.
    #[must_use]
    pub fn is_stale(&self, home: &Home, config: &Config) -> bool {
        let now = files::stamps(&files::pairs(home, config));
        now != *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the certificates again; where one is wrong all stay as they were, and the log tells.
    /// Blocks.
    pub fn read_again(&self, home: &Home, config: &Config) {
        // Stamped first: what changes while it is read is read once more.
        let stamps = files::stamps(&files::pairs(home, config));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
        match files::read(home, config) {
            Ok(none) if none.is_empty() => {
                if !self.server.certificates().is_empty() {
                    let path = config.tls.certificate.display();
                    tracing::error!("{path} is gone; the old certificate stays in use");
                }
            }
            Ok(certificates) => {
                self.server.replace(certificates);
                self.tell();
            }
            Err(failure) => tracing::error!("{failure}; the old certificate stays in use"),
        }
    }

    /// Writes to the log which certificates are in use, and which of them clients will refuse.
    pub fn tell(&self) {
        let now = Clock::unix();
        for one in self.server.certificates().iter() {
            let names = one.names().join(", ");
            match validity(one, now) {
                Ok(()) => tracing::info!("certificate for {names}"),
                Err(said) => tracing::warn!("certificate for {names} {said}"),
            }
        }
    }
}

/// Whether a certificate holds now; what to say where it does not.
pub(crate) fn validity(one: &Certificate, now: mta_core::Unix) -> Result<(), String> {
    if now < one.not_before() {
        let from = mta_core::date::qmail(one.not_before());
        return Err(format!("does not hold before {from}"));
    }
    if now > one.not_after() {
        let until = mta_core::date::qmail(one.not_after());
        return Err(format!("has expired on {until}"));
    }
    Ok(())
}

/// Whom to trust, where any route wants hosts to prove their name: the configured file, else the
/// system's own store.
fn authorities(home: &Home, config: &Config) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let tls = &config.tls;
    if tls.outgoing != Level::Verify && !tls.routes.ask_for(Level::Verify) {
        return Ok(Vec::new());
    }
    if tls.authorities != Path::new("") {
        let path = home.root().join(&tls.authorities);
        let pem = files::contents(&path)?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        return match found {
            Ok(found) if !found.is_empty() => Ok(found),
            Ok(_) => Err(Failure::permanent(format!(
                "{}: expected certificates in PEM, found none",
                path.display()
            ))),
            Err(error) => Err(Failure::permanent(format!("{}: {error}", path.display()))),
        };
    }
    let loaded = rustls_native_certs::load_native_certs();
    if loaded.certs.is_empty() {
        let why = loaded.errors.first().map_or_else(
            || "found none; install ca-certificates".to_owned(),
            ToString::to_string,
        );
        return Err(Failure::permanent(format!(
            "tls: expected the system's trusted authorities, because a route says verify: {why}"
        )));
    }
    Ok(loaded.certs)
}
