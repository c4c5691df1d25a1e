//! tcpserver under TLS: by itself, by other names, with openssl and curl, and what goes wrong (spec §9.5).

use crate::kit::{original, program};
use crate::tcpserver::{PATIENCE, QUIET, Server, ours, rules};
use driver::tls::{BlockingTls, ClientTls, Oldest, Trust};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An authority and what it signs for `localhost`.
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

    /// Certificate and key.
    fn sign(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let signed = params.signed_by(&key, &self.0).unwrap();
        (signed.pem(), key.serialize_pem())
    }

    /// Writes key, blank line, certificate and authority: one file, the key first as in the memo.
    fn pem(&self, dir: &Path) -> String {
        let (certificate, key) = self.sign();
        let path = dir.join("cert.pem");
        let text = format!("{key}\n{certificate}{}", self.0.pem());
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Shakes hands as a client that trusts nobody else.
    fn connect(&self, server: &Server) -> std::io::Result<BlockingTls<TcpStream>> {
        let client = ClientTls::new(vec![self.0.der().clone()], Oldest::Tls12, PATIENCE).unwrap();
        let handshake = client.handshake("localhost", HERE, Trust::Name);
        BlockingTls::begin(&handshake, server.connect("127.0.0.1"))
    }
}

fn named(name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ucspi"));
    command.arg0(name);
    command
}

fn start(pem: &str, more: &[&str], program: &[&str]) -> Server {
    let options = [&QUIET[..], &["-s", "-n", pem], more].concat();
    Server::start(named("tcpserver-ssl"), &options, "127.0.0.1", program)
}

fn hear(mut tls: BlockingTls<TcpStream>) -> String {
    let mut heard = String::new();
    tls.read_to_string(&mut heard).unwrap();
    heard
}

#[test]
fn a_program_talks_through_tls_and_knows_of_it() {
    let (authority, dir) = (Authority::new(), TempDir::new().unwrap());
    let pem = authority.pem(dir.path());
    let show = "echo $PROTO $TCPREMOTEIP $SSL_PROTOCOL $SSL_TLS_SNI; cat; echo end";
    let mut server = start(&pem, &["-B", "banner\r\n"], &["sh", "-c", show]);
    let mut tls = authority.connect(&server).unwrap();
    // Two at once, each with a process of its own.
    let reader = std::thread::spawn({
        let other = authority.connect(&server).unwrap();
        move || {
            let mut other = other;
            other.say_end().unwrap();
            hear(other)
        }
    });
    tls.write_all(b"hello\n").unwrap();
    tls.say_end().unwrap();
    let expected = "TCP 127.0.0.1 TLSv1.3 localhost\n";
    assert_eq!(hear(tls), format!("banner\r\n{expected}hello\nend\n"));
    assert_eq!(reader.join().unwrap(), format!("banner\r\n{expected}end\n"));
    server.until("tcpserver: end ");
    assert!(server.said.ends_with(" status 0\n"), "{}", server.said);
}

#[test]
fn much_passes_in_both_directions_unchanged() {
    let (authority, dir) = (Authority::new(), TempDir::new().unwrap());
    let pem = authority.pem(dir.path());
    let server = start(&pem, &[], &["cat"]);
    let mut tls = authority.connect(&server).unwrap();
    for round in 0..200_u8 {
        let sent = vec![round; 10_000];
        tls.write_all(&sent).unwrap();
        let mut back = vec![0; sent.len()];
        tls.read_exact(&mut back).unwrap();
        assert!(back == sent, "round {round}");
    }
    tls.say_end().unwrap();
    assert_eq!(hear(tls), "");
}

#[test]
fn the_programs_exit_code_is_logged_and_nothing_of_the_key_is_left_to_it() {
    let (authority, dir) = (Authority::new(), TempDir::new().unwrap());
    let pem = authority.pem(dir.path());
    let mut server = start(&pem, &[], &["sh", "-c", "ls -l /proc/self/fd; exit 3"]);
    let heard = hear(authority.connect(&server).unwrap());
    assert!(
        !heard.contains("socket:") && !heard.contains("certificate"),
        "{heard}"
    );
    server.until("tcpserver: end ");
    assert!(server.said.ends_with(" status 768\n"), "{}", server.said);
}

#[test]
fn who_is_denied_gets_no_handshake() {
    let (authority, dir) = (Authority::new(), TempDir::new().unwrap());
    let pem = authority.pem(dir.path());
    let cdb = rules(dir.path(), "127.:deny\n");
    let mut server = start(&pem, &["-x", &cdb], &["echo", "in"]);
    assert!(authority.connect(&server).is_err());
    server.until("tcpserver: deny ");
    server.until("tcpserver: end ");
    assert!(server.said.ends_with(" status 25600\n"), "{}", server.said);
}

#[test]
fn whoever_speaks_no_tls_or_nothing_is_dropped() {
    let (authority, dir) = (Authority::new(), TempDir::new().unwrap());
    let pem = authority.pem(dir.path());
    let mut server = start(&pem, &["-T", "1"], &["echo", "in"]);
    let mut plain = server.connect("127.0.0.1");
    plain.write_all(b"EHLO client\r\n").unwrap();
    let mut heard = Vec::new();
    let _ = plain.read_to_end(&mut heard);
    assert!(!heard.windows(2).any(|two| two == b"in"));
    server.until("tcpserver: warning: dropping connection, TLS handshake failed: ");
    let silent = server.connect("127.0.0.1");
    server.until("tcpserver: warning: dropping connection, TLS handshake timed out");
    drop(silent);
}

#[test]
fn a_silent_connection_ends() {
    let (authority, dir) = (Authority::new(), TempDir::new().unwrap());
    let pem = authority.pem(dir.path());
    let mut server = start(&pem, &["-w", "1"], &["cat"]);
    let mut tls = authority.connect(&server).unwrap();
    tls.stream()
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let _ = tls.read(&mut [0; 10]);
    server.until("tcpserver: timeout reached without input");
    server.until("tcpserver: end ");
}

#[test]
fn a_new_certificate_is_read_at_sighup_and_a_bad_one_is_not() {
    let (old, new, dir) = (Authority::new(), Authority::new(), TempDir::new().unwrap());
    let pem = old.pem(dir.path());
    let mut server = start(&pem, &[], &["echo", "in"]);
    assert_eq!(hear(old.connect(&server).unwrap()), "in\n");
    std::fs::write(&pem, "junk").unwrap();
    kill(Pid::from_raw(server.id()), Signal::SIGHUP).unwrap();
    server.until("tcpserver: warning: certificate unchanged, unable to load certificate ");
    assert_eq!(hear(old.connect(&server).unwrap()), "in\n");
    new.pem(dir.path());
    kill(Pid::from_raw(server.id()), Signal::SIGHUP).unwrap();
    // The signal is handled before the connection that comes after it.
    assert_eq!(hear(new.connect(&server).unwrap()), "in\n");
    assert!(old.connect(&server).is_err());
}

#[test]
fn root_alone_need_be_able_to_read_the_key() {
    if !nix::unistd::getuid().is_root() {
        return crate::kit::skip("root_alone_need_be_able_to_read_the_key: needs root");
    }
    let (authority, dir) = (Authority::new(), TempDir::new().unwrap());
    let pem = authority.pem(dir.path());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&pem, mode).unwrap();
    let server = start(&pem, &["-u", "12345", "-g", "23456"], &["id", "-u"]);
    assert_eq!(hear(authority.connect(&server).unwrap()), "12345\n");
}

#[test]
fn without_a_certificate_nothing_is_served() {
    let dir = TempDir::new().unwrap();
    let (certificate, key) = Authority::new().sign();
    let (_, other) = Authority::new().sign();
    let missing = "unable to load certificate FILE: file does not exist\n";
    let rows = [
        ("missing", None, missing),
        (
            "empty",
            Some(String::new()),
            "unable to load certificate FILE: expected a private key in PEM",
        ),
        (
            "no key",
            Some(certificate.clone()),
            "unable to load certificate FILE: expected a private key in PEM",
        ),
        (
            "no certificate",
            Some(key),
            "unable to load certificate FILE: expected a certificate in PEM",
        ),
        (
            "not its key",
            Some(other + &certificate),
            "unable to load certificate FILE: expected the certificate of the private key",
        ),
    ];
    for (name, text, said) in rows {
        let path = dir.path().join("cert.pem");
        let _ = std::fs::remove_file(&path);
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let path = path.to_str().unwrap();
        let did = program(
            ours().args(["-s", "-n", path, "127.0.0.1", "0", "echo"]),
            b"",
        );
        let said = said.replace("FILE", path);
        assert_eq!(did.code, 111, "{name}");
        assert!(
            did.errors.starts_with(&format!("tcpserver: fatal: {said}")),
            "{name}: {}",
            did.errors
        );
    }
}

#[test]
fn sslserver_takes_its_files_from_the_environment_and_tells_of_ends_in_its_own_names() {
    let (authority, dir) = (Authority::new(), TempDir::new().unwrap());
    let (certificate, key) = authority.sign();
    for (name, text) in [("cert", &certificate), ("key", &key)] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let show = "echo $PROTO $SSLREMOTEIP ${TCPREMOTEIP-none} ${SSL_PROTOCOL-none}";
    for (options, expected) in [
        (&[][..], "SSL 127.0.0.1 none none\n"),
        (&["-e", "-s"], "SSL 127.0.0.1 127.0.0.1 TLSv1.3\n"),
    ] {
        let mut command = named("sslserver");
        command
            .env("CERTFILE", dir.path().join("cert"))
            .env("KEYFILE", dir.path().join("key"));
        let options = [&QUIET[..], options].concat();
        let mut server = Server::start(command, &options, "127.0.0.1", &["sh", "-c", show]);
        assert_eq!(hear(authority.connect(&server).unwrap()), expected);
        server.until("sslserver: end ");
    }
}

#[test]
fn openssl_and_curl_are_served() {
    let test = "openssl_and_curl_are_served";
    let (authority, dir) = (Authority::new(), TempDir::new().unwrap());
    let pem = authority.pem(dir.path());
    let trusted = dir.path().join("ca.pem");
    std::fs::write(&trusted, authority.0.pem()).unwrap();
    let trusted = trusted.to_str().unwrap();
    let answer = "read line; printf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello %s\\n' \"$SSL_PROTOCOL\"";
    let server = start(&pem, &[], &["sh", "-c", answer]);
    let port = server.port;
    if let Some(openssl) = original("openssl", test) {
        let address = format!("127.0.0.1:{port}");
        for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
            let mut client = Command::new(&openssl);
            client.args(["s_client", "-quiet", "-verify_return_error", version]);
            client.args([
                "-connect",
                &address,
                "-CAfile",
                trusted,
                "-servername",
                "localhost",
            ]);
            let did = program(&mut client, b"GET / HTTP/1.0\r\n\r\n");
            assert!(
                did.output.ends_with(&format!("hello {name}\n")),
                "{}{}",
                did.output,
                did.errors
            );
        }
        let mut client = Command::new(&openssl);
        client.args(["s_client", "-quiet", "-tls1_1", "-connect", &address]);
        assert_eq!(program(&mut client, b"x\n").output, "");
    }
    if let Some(curl) = original("curl", test) {
        let url = format!("https://localhost:{port}/");
        let mut client = Command::new(curl);
        client.args(["-sS", "--cacert", trusted, "--noproxy", "*", "-4", &url]);
        assert_eq!(program(&mut client, b"").output, "hello TLSv1.3\n");
    }
}
