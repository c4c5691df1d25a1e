//! TLS handshakes: a client that counts them, and a server that is rustls and nothing else (RFC 8446).
//!
//! `handshakes load HOST:PORT CLIENTS COUNT` prints one JSON line.
//! `handshakes serve PORT PEM THREADS` says `220` after each handshake, until it is ended.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measuring tool run by hand: it stops with what went wrong"
)]

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, ServerConnection,
    SignatureScheme, Stream,
};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Trusts everybody: the client is not what is measured.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Every handshake is a whole one: nothing is resumed.
fn client() -> Arc<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

fn shake(config: &Arc<ClientConfig>, to: SocketAddr) {
    let name = ServerName::try_from("bench.example").unwrap();
    let mut tls = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut greeting = [0; 512];
    let n = Stream::new(&mut tls, &mut stream)
        .read(&mut greeting)
        .unwrap();
    assert!(greeting[..n].starts_with(b"220"), "expected a greeting");
}

fn load(to: SocketAddr, clients: usize, count: usize) {
    let (config, next) = (client(), AtomicUsize::new(0));
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    shake(&config, to);
                }
            });
        }
    });
    let seconds = begin.elapsed().as_secs_f64();
    println!("{{\"rate\": {:.1}}}", count as f64 / seconds);
}

fn serve(port: u16, pem: &str, threads: usize) {
    let pem = std::fs::read(pem).unwrap();
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_slice(&pem).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (config, listener) = (
        Arc::new(config),
        TcpListener::bind(("127.0.0.1", port)).unwrap(),
    );
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for mut stream in listener.incoming().flatten() {
                    let _ = stream.set_nodelay(true);
                    let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                    // Whoever hangs up is no concern of the others.
                    let _ = Stream::new(&mut tls, &mut stream).write_all(b"220 bench ESMTP\r\n");
                }
            });
        }
    });
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["load", to, clients, count] => load(
            to.parse().expect("HOST:PORT"),
            clients.parse().expect("CLIENTS"),
            count.parse().expect("COUNT"),
        ),
        ["serve", port, pem, threads] => serve(
            port.parse().expect("PORT"),
            pem,
            threads.parse().expect("THREADS"),
        ),
        _ => panic!("usage: handshakes load HOST:PORT CLIENTS COUNT | serve PORT PEM THREADS"),
    }
}
