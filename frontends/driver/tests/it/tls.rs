//! TLS on links: STARTTLS and TLS first, who is shown what, and what breaks a handshake (RFC 3207, RFC 8446).

use driver::tls::{
    BlockingTls, Certificate, CertificateError, ClientTls, Oldest, ServerTls, Trust,
};
use driver::{Clock, Closed, Link};
use mta_proto::smtp::client::{self, Client};
use mta_proto::smtp::server::{Config, Event, Server, StartTls, Verdict};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LIMIT: Duration = Duration::from_secs(30);

/// An authority and what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "authority");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for names, with the authority's behind it, and its key.
    fn sign(&self, names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names).unwrap();
        let signed = params.signed_by(&key, &self.0).unwrap();
        (signed.pem(), key.serialize_pem())
    }

    fn certificate(&self, names: &[&str]) -> Certificate {
        let (chain, key) = self.sign(names);
        Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap()
    }

    fn client(&self) -> ClientTls {
        ClientTls::new(vec![self.0.der().clone()], Oldest::Tls12, LIMIT).unwrap()
    }
}

fn server_tls(certificates: Vec<Certificate>) -> ServerTls {
    ServerTls::new(certificates, Oldest::Tls12, LIMIT).unwrap()
}

fn smtp(stream: DuplexStream, tls: &ServerTls, clock: Clock) -> Link<Server, DuplexStream> {
    let mut config = Config::new("mx.example.org");
    config.starttls = StartTls::Offered;
    let server = Server::new(Arc::new(config), clock.now());
    Link::new(server, stream, clock).with_tls(tls.handshake())
}

/// Accepts everything; tells how the conversation ended and what was told of it.
async fn accept_all(mut link: Link<Server, DuplexStream>) -> (Vec<String>, Closed, Option<String>) {
    let mut told = Vec::new();
    loop {
        match link.next().await {
            Ok(Event::Connected(ticket)) => link.machine().answer(ticket, Verdict::Accept),
            Ok(Event::Hello { ticket, .. }) => {
                told.push("hello".to_owned());
                link.machine().answer(ticket, Verdict::Accept);
            }
            Ok(Event::TlsStarted) => told.push("tls".to_owned()),
            Ok(other) => panic!("{other:?}"),
            Err(closed) => return (told, closed, link.tls().map(ToString::to_string)),
        }
    }
}

fn opportunist(
    stream: DuplexStream,
    handshake: driver::tls::Handshake,
) -> Link<Client, DuplexStream> {
    let config = client::Config {
        tls: client::Tls::WhenOffered,
        ..client::Config::default()
    };
    let clock = Clock::start();
    let client = Client::new(Arc::new(config), "192.0.2.1", clock.now());
    Link::new(client, stream, clock).with_tls(handshake)
}

#[tokio::test]
async fn both_sides_turn_to_tls_and_greet_anew() {
    let authority = Authority::new();
    let tls = server_tls(vec![authority.certificate(&["mx.example.org"])]);
    for (name, host, trust, comes) in [
        ("anyone", "other.example.org", Trust::Anyone, true),
        ("by name", "mx.example.org", Trust::Name, true),
        ("by another name", "other.example.org", Trust::Name, false),
    ] {
        let (theirs, ours) = duplex(4096);
        let server = tokio::spawn(accept_all(smtp(ours, &tls, Clock::start())));
        let mut link = opportunist(theirs, authority.client().handshake(host, HERE, trust));
        let ready = link.next().await;
        if comes {
            assert!(
                matches!(ready, Ok(client::Event::Ready { .. })),
                "{name}: {ready:?}"
            );
            assert!(
                link.tls().unwrap().to_string().starts_with("TLSv1.3 TLS_"),
                "{name}"
            );
            link.machine().quit();
            while link.next().await.is_ok() {}
        } else {
            assert!(
                matches!(ready, Err(Closed::Handshake(_))),
                "{name}: {ready:?}"
            );
        }
        let (told, closed, facts) = server.await.unwrap();
        if comes {
            assert_eq!(told, ["hello", "tls", "hello"], "{name}");
            assert!(matches!(closed, Closed::Ended), "{name}: {closed:?}");
            assert!(facts.is_some(), "{name}");
        } else {
            assert_eq!(told, ["hello"], "{name}");
            assert!(matches!(closed, Closed::Handshake(_)), "{name}: {closed:?}");
        }
    }
}

#[tokio::test]
async fn tls_may_come_first_and_the_end_is_told() {
    let authority = Authority::new();
    let tls = server_tls(vec![authority.certificate(&["mx.example.org"])]);
    let (theirs, ours) = duplex(4096);
    let server = tokio::spawn(async move {
        let mut link = smtp(ours, &tls, Clock::start());
        link.start_tls().await.unwrap();
        assert!(link.machine().is_tls());
        assert_eq!(link.tls().unwrap().server_name(), Some("mx.example.org"));
        accept_all(link).await
    });
    let mut peer = connect(&authority, theirs, "mx.example.org").await;
    peer.write_all(b"EHLO c\r\nQUIT\r\n").await.unwrap();
    let mut said = String::new();
    // Without close_notify this fails.
    peer.read_to_string(&mut said).await.unwrap();
    assert!(
        said.starts_with("220 mx.example.org ESMTP\r\n250-"),
        "{said}"
    );
    assert!(!said.contains("STARTTLS"), "{said}");
    drop(peer);
    assert_eq!(server.await.unwrap().0, ["hello"]);
}

/// A client of another make than ours.
async fn connect(
    authority: &Authority,
    stream: DuplexStream,
    name: &'static str,
) -> tokio_rustls::client::TlsStream<DuplexStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = rustls::pki_types::ServerName::try_from(name).unwrap();
    connector.connect(name, stream).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_nobody_goes_on_with_is_given_up() {
    let authority = Authority::new();
    let tls = server_tls(vec![authority.certificate(&["mx.example.org"])]);
    for (name, begun) in [("silent", &b""[..]), ("half a record", b"\x16\x03\x01\x02")] {
        let clock = Clock::start();
        let (mut theirs, ours) = duplex(4096);
        theirs.write_all(begun).await.unwrap();
        let mut link = smtp(ours, &tls, clock);
        let ended = link.start_tls().await;
        assert!(
            matches!(ended, Err(Closed::Handshake(_))),
            "{name}: {ended:?}"
        );
        let waited = clock.now().since_start();
        assert!(waited >= LIMIT && waited < LIMIT * 2, "{name}: {waited:?}");
    }
}

#[tokio::test]
async fn bytes_in_the_clear_behind_the_reply_break_the_handshake() {
    let authority = Authority::new();
    let tls = server_tls(vec![authority.certificate(&["mx.example.org"])]);
    let (mut theirs, ours) = duplex(4096);
    let server = tokio::spawn(accept_all(smtp(ours, &tls, Clock::start())));
    let mut said = [0; 1024];
    theirs.write_all(b"STARTTLS\r\n").await.unwrap();
    let mut all = Vec::new();
    while !all.windows(10).any(|part| part == b"start TLS\r") {
        let n = theirs.read(&mut said).await.unwrap();
        all.extend_from_slice(&said[..n]);
    }
    theirs
        .write_all(b"MAIL FROM:<evil@example.org>\r\n")
        .await
        .unwrap();
    let (told, closed, _) = server.await.unwrap();
    assert!(told.is_empty());
    assert!(matches!(closed, Closed::Handshake(_)), "{closed:?}");
}

#[tokio::test]
async fn a_client_is_shown_the_certificate_of_the_host_it_asks_for() {
    let authority = Authority::new();
    let tls = server_tls(vec![
        authority.certificate(&["mx.example.org"]),
        authority.certificate(&["*.example.net"]),
    ]);
    let newer = vec![authority.certificate(&["new.example.org"])];
    let rows = [
        ("first", "mx.example.org", true),
        ("second by its star", "pop.example.net", true),
        ("neither", "new.example.org", false),
    ];
    for (name, host, comes) in rows {
        assert_eq!(reaches(&tls, &authority, host).await, comes, "{name}");
    }
    tls.replace(newer);
    assert!(reaches(&tls, &authority, "new.example.org").await);
    assert!(!reaches(&tls, &authority, "mx.example.org").await);
}

async fn reaches(tls: &ServerTls, authority: &Authority, host: &str) -> bool {
    let (theirs, ours) = duplex(4096);
    let server = tokio::spawn(accept_all(smtp(ours, tls, Clock::start())));
    let mut link = opportunist(
        theirs,
        authority.client().handshake(host, HERE, Trust::Name),
    );
    let ready = link.next().await.is_ok();
    drop(link);
    drop(server.await);
    ready
}

#[tokio::test]
async fn without_a_certificate_there_is_no_handshake() {
    let authority = Authority::new();
    assert!(!reaches(&server_tls(Vec::new()), &authority, "mx.example.org").await);
}

#[test]
fn key_and_chain_may_stand_in_any_order() {
    let authority = Authority::new();
    let (own, key) = authority.sign(&["mx.example.org", "example.org"]);
    let (stranger, _) = authority.sign(&["mx.example.net"]);
    let issuer = authority.0.pem();
    let rows = [
        (
            "key first",
            [&key, &own, &issuer].map(String::as_str).concat(),
        ),
        (
            "key last",
            [&own, &issuer, &key].map(String::as_str).concat(),
        ),
        (
            "issuer first",
            [&issuer, &key, &own].map(String::as_str).concat(),
        ),
        (
            "a stranger between",
            [&stranger, &own, &key].map(String::as_str).concat(),
        ),
        ("words around", format!("Hello\n{own}World\n{key}")),
    ];
    for (name, pem) in rows {
        let one = Certificate::from_pem(pem.as_bytes(), pem.as_bytes()).expect(name);
        assert_eq!(one.names(), ["mx.example.org", "example.org"], "{name}");
        assert!(one.is_for("MX.example.org."), "{name}");
        assert!(!one.is_self_signed(), "{name}");
        assert!(one.not_before() < one.not_after(), "{name}");
    }
}

#[test]
fn what_cannot_be_served_is_told_apart() {
    let authority = Authority::new();
    let (own, key) = authority.sign(&["mx.example.org"]);
    let (_, other_key) = authority.sign(&["mx.example.net"]);
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let rows = [
        ("no key", own.clone(), own.clone(), CertificateError::NoKey),
        (
            "no certificate",
            key.clone(),
            key.clone(),
            CertificateError::NoCertificate,
        ),
        (
            "another's key",
            own.clone(),
            other_key.clone(),
            CertificateError::Mismatch,
        ),
        (
            "two keys",
            own.clone(),
            key.clone() + &other_key,
            CertificateError::SeveralKeys(2),
        ),
        (
            "encrypted",
            own.clone(),
            encrypted.to_owned(),
            CertificateError::EncryptedKey,
        ),
        (
            "short",
            include_str!("short_rsa.pem").to_owned(),
            include_str!("short_rsa.pem").to_owned(),
            CertificateError::ShortKey(1024),
        ),
    ];
    for (name, chain, key, want) in rows {
        let said = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).expect_err(name);
        assert_eq!(said, want, "{name}");
    }
    for broken in [own.replace("MII", "M!I"), own.replacen('M', "A", 1)] {
        let said = Certificate::from_pem(broken.as_bytes(), key.as_bytes()).unwrap_err();
        assert!(matches!(said, CertificateError::Malformed(_)), "{said}");
    }
    let long = vec![b'x'; driver::tls::certificate::PEM_MAX + 1];
    let said = Certificate::from_pem(&long, key.as_bytes()).unwrap_err();
    assert_eq!(said, CertificateError::TooLong(long.len()));
}

#[test]
fn a_blocking_stream_speaks_tls_too() {
    let authority = Authority::new();
    let tls = server_tls(vec![authority.certificate(&["mx.example.org"])]);
    let (theirs, ours) = UnixStream::pair().unwrap();
    let server = std::thread::spawn(move || {
        let mut stream = BlockingTls::begin(&tls.handshake(), ours).unwrap();
        assert_eq!(stream.facts().server_name(), Some("mx.example.org"));
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        stream.write_all(heard.to_uppercase().as_bytes()).unwrap();
        stream.say_end().unwrap();
        (heard, stream.facts())
    });
    let handshake = authority
        .client()
        .handshake("mx.example.org", HERE, Trust::Name);
    let mut stream = BlockingTls::begin(&handshake, theirs).unwrap();
    stream.write_all(&b"hello ".repeat(20_000)).unwrap();
    stream.say_end().unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    let (heard, facts) = server.join().unwrap();
    assert_eq!(said, heard.to_uppercase());
    assert_eq!(heard.len(), 120_000);
    assert_eq!(
        facts.exporter(),
        stream.facts().exporter(),
        "both see one channel"
    );
    assert!(facts.exporter().is_some());
}

#[test]
fn a_blocking_handshake_ends_at_its_limit() {
    let authority = Authority::new();
    let certificate = authority.certificate(&["mx.example.org"]);
    let limit = Duration::from_millis(50);
    let tls = ServerTls::new(vec![certificate], Oldest::Tls13, limit).unwrap();
    let (_theirs, ours) = UnixStream::pair().unwrap();
    assert!(BlockingTls::begin(&tls.handshake(), ours).is_err());
}
