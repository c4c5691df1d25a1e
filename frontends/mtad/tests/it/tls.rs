//! TLS of the running server: STARTTLS, STLS and TLS first, its certificates, and what is refused (RFC 3207, RFC 2595, RFC 8314).

use crate::kit::{Home, Line, Running, until};
use driver::tls::{BlockingTls, ClientTls, Oldest, Trust};
use mtad::tls::selfsigned;
use nix::sys::signal::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const PEM: &str = "control/servercert.pem";

/// A client under TLS.
pub(crate) struct Secure(BufReader<BlockingTls<TcpStream>>);

impl Secure {
    /// Does the handshake with a server that has to show the certificate in `pem`.
    pub(crate) fn on(stream: TcpStream, host: &str, pem: &str) -> std::io::Result<Self> {
        let authorities = CertificateDer::pem_slice_iter(pem.as_bytes());
        let authorities = authorities.collect::<Result<Vec<_>, _>>().unwrap();
        let client = ClientTls::new(authorities, Oldest::Tls12, LIMIT).unwrap();
        let ip = stream.peer_addr().unwrap().ip();
        let handshake = client.handshake(host, ip, Trust::Name);
        let tls = BlockingTls::begin(&handshake, stream)?;
        Ok(Self(BufReader::new(tls)))
    }

    pub(crate) fn connect(to: SocketAddr, host: &str, pem: &str) -> std::io::Result<Self> {
        Self::on(TcpStream::connect(to).unwrap(), host, pem)
    }

    /// Sends, and gives the last line of the reply.
    pub(crate) fn say(&mut self, command: &str) -> String {
        self.send(command);
        self.reply()
    }

    pub(crate) fn send(&mut self, command: &str) {
        let line = format!("{command}\r\n");
        self.0.get_mut().write_all(line.as_bytes()).unwrap();
    }

    pub(crate) fn reply(&mut self) -> String {
        loop {
            let line = self.line();
            if line.as_bytes().get(3) != Some(&b'-') || line.starts_with('-') {
                return line;
            }
        }
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What tells this connection from all others.
    pub(crate) fn exporter(&self) -> Option<Vec<u8>> {
        self.0
            .get_ref()
            .facts()
            .exporter()
            .map(|data| data.to_vec())
    }

    fn message(&mut self, to: &str, text: &str) -> String {
        self.say("EHLO client.example");
        self.say("MAIL FROM:<joe@client.example>");
        self.say(&format!("RCPT TO:<{to}>"));
        self.say("DATA");
        self.say(&format!("{text}\r\n."))
    }
}

/// A connection in the clear whose last line was the answer to STARTTLS or STLS.
pub(crate) fn begun(to: SocketAddr, commands: &[&str]) -> TcpStream {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut said = Vec::new();
    let mut read_until = |stream: &mut TcpStream, lines: usize| {
        let mut byte = [0];
        // Byte by byte, so that nothing of the handshake is swallowed.
        while said.iter().filter(|&&b| b == b'\n').count() < lines {
            stream.read_exact(&mut byte).unwrap();
            said.extend_from_slice(&byte);
        }
        String::from_utf8_lossy(&said).into_owned()
    };
    read_until(&mut stream, 1);
    let mut lines = 1;
    for command in commands {
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .unwrap();
        lines += 1;
        read_until(&mut stream, lines);
    }
    stream
}

pub(crate) fn certificate(home: &Home) -> String {
    fs::read_to_string(home.path().join(PEM)).unwrap()
}

#[test]
fn a_new_home_has_a_certificate_and_offers_tls() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let mode = fs::metadata(home.path().join(PEM))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let pem = certificate(&home);
    let mut running = Running::start(&home);
    running.logged("certificate for mx.example.org");

    let stream = begun(running.smtp(), &["NOOP", "STARTTLS"]);
    let mut smtp = Secure::on(stream, "mx.example.org", &pem).unwrap();
    let reply = smtp.message("joe@example.org", "Subject: secret\r\n\r\nx");
    assert!(reply.starts_with("250"), "{reply}");
    assert!(smtp.say("STARTTLS").starts_with("503"));
    assert!(smtp.say("QUIT").starts_with("221"));
    until("the message", || {
        (!home.mail("joe").is_empty()).then_some(())
    });
    let text = home.mail("joe").concat();
    assert!(text.contains(" with ESMTPS (TLSv1.3 TLS_"), "{text}");
    assert!(running.logged("smtp 1: TLSv1.3 ").contains("TLS_"));

    let mut plain = Line::connect(running.pop3());
    plain.reply();
    plain.say("CAPA");
    assert!(plain.body().contains(&"STLS".to_owned()));
    let stream = begun(running.pop3(), &["USER mallory", "STLS"]);
    let mut pop3 = Secure::on(stream, "mx.example.org", &pem).unwrap();
    assert_eq!(pop3.say("PASS joe secret"), "-ERR USER first");
    assert!(pop3.say("USER joe@example.org").starts_with("+OK"));
    assert!(pop3.say("PASS joe secret").starts_with("+OK 1 messages"));
    assert!(pop3.say("QUIT").starts_with("+OK"));
}

#[test]
fn tls_comes_first_where_the_port_is_for_that() {
    let home = Home::new();
    let pem = certificate(&home);
    let ports = ["--smtps", "127.0.0.1:0", "--pop3s", "127.0.0.1:0"];
    let mut running = Running::start_with(&home, &ports);
    let (smtps, pop3s) = (running.listening("smtps"), running.listening("pop3s"));
    let mut smtp = Secure::connect(smtps, "mx.example.org", &pem).unwrap();
    assert!(smtp.reply().starts_with("220 "));
    let reply = smtp.message("joe@example.org", "Subject: secret\r\n\r\nx");
    assert!(reply.starts_with("250"), "{reply}");
    until("the message", || {
        (!home.mail("joe").is_empty()).then_some(())
    });
    assert!(home.mail("joe").concat().contains(" with ESMTPS (TLSv1.3 "));
    let mut pop3 = Secure::connect(pop3s, "mx.example.org", &pem).unwrap();
    assert!(pop3.reply().starts_with("+OK"));
    pop3.say("USER joe@example.org");
    assert!(pop3.say("PASS joe secret").starts_with("+OK 1 messages"));

    let mut clear = TcpStream::connect(smtps).unwrap();
    clear.set_read_timeout(Some(LIMIT)).unwrap();
    clear.write_all(b"EHLO client\r\n").unwrap();
    let mut said = Vec::new();
    let _ = clear.read_to_end(&mut said);
    assert!(!said.starts_with(b"220"), "no word in the clear");
    running.logged("TLS handshake failed");
}

#[test]
fn what_stands_behind_starttls_is_never_obeyed() {
    let home = Home::new();
    let mut running = Running::start(&home);
    let mut smtp = Line::smtp(running.smtp());
    smtp.send(b"STARTTLS\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<joe@example.org>\r\n");
    let said = smtp.rest();
    assert_eq!(said, "554 5.5.1 bytes came behind STARTTLS; closing\r\n");
    let (mut pop3, _) = Line::greeted(running.pop3());
    pop3.send(b"STLS\r\nUSER joe@example.org\r\nPASS joe secret\r\n");
    assert_eq!(pop3.rest(), "-ERR bytes came behind STLS; closing\r\n");
    let mut late = begun(running.smtp(), &["STARTTLS"]);
    late.write_all(b"MAIL FROM:<evil@example.com>\r\n").unwrap();
    let mut said = Vec::new();
    let _ = late.read_to_end(&mut said);
    assert!(!said.starts_with(b"250"), "{}", said.escape_ascii());
    running.logged("TLS handshake failed");
    assert!(running.alive());
}

#[test]
fn a_handshake_that_nobody_goes_on_with_ends() {
    let home = Home::new();
    home.config("[timeouts]\ntls_handshake = 1\n");
    let mut running = Running::start_with(&home, &["--smtps", "127.0.0.1:0"]);
    let halves = [
        TcpStream::connect(running.listening("smtps")).unwrap(),
        begun(running.smtp(), &["STARTTLS"]),
        begun(running.pop3(), &["STLS"]),
    ];
    for mut half in halves {
        half.set_read_timeout(Some(LIMIT)).unwrap();
        half.write_all(b"\x16\x03\x01\x02").unwrap();
        let mut said = Vec::new();
        let ended = half.read_to_end(&mut said);
        assert!(!ended.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock));
    }
    running.logged("timed out");
}

#[test]
fn without_a_certificate_services_that_need_one_do_not_start() {
    let home = Home::new();
    let good = certificate(&home);
    let other = selfsigned::make("other.example.org").unwrap();
    let (key, chain) = good.split_at(good.find("-----BEGIN CERT").unwrap());
    let other_chain = &other[other.find("-----BEGIN CERT").unwrap()..];
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let rows = [
        ("no file", None, "there is no such file"),
        ("no key", Some(chain.to_owned()), "expected a private key"),
        (
            "no certificate",
            Some(key.to_owned()),
            "expected a certificate in PEM",
        ),
        (
            "mismatch",
            Some(key.to_owned() + other_chain),
            "none that matches it",
        ),
        (
            "encrypted",
            Some(encrypted.to_owned() + chain),
            "without a passphrase",
        ),
    ];
    for (name, text, said) in rows {
        match text {
            Some(text) => home.control("servercert.pem", &text),
            None => fs::remove_file(home.path().join(PEM)).unwrap(),
        }
        for service in ["--smtps", "--pop3s"] {
            let ran = home.run(&["serve", service, "127.0.0.1:0"], "");
            assert_eq!(ran.code, Some(100), "{name}: {}", ran.err);
            assert!(
                ran.err.contains(PEM) && ran.err.contains(said),
                "{name}: {}",
                ran.err
            );
        }
    }
    fs::remove_file(home.path().join(PEM)).unwrap();
    let mut running = Running::start(&home);
    let mut smtp = Line::connect(running.smtp());
    smtp.reply();
    smtp.send(b"EHLO client\r\nSTARTTLS\r\nQUIT\r\n");
    let said = smtp.rest();
    assert!(!said.contains("250-STARTTLS"), "{said}");
    assert!(said.contains("\r\n454 4.7.0 TLS not available"), "{said}");
}

/// Whether the server shows a certificate now.
fn shows(running: &mut Running, pem: &str, host: &str) -> bool {
    let stream = begun(running.smtp(), &["STARTTLS"]);
    Secure::on(stream, host, pem).is_ok()
}

#[test]
fn certificates_change_under_live_sessions_and_broken_ones_do_not_count() {
    let home = Home::new();
    home.config("[tls]\nwatch = 1\n");
    let first = certificate(&home);
    let mut running = Running::start(&home);
    let stream = begun(running.smtp(), &["STARTTLS"]);
    let mut session = Secure::on(stream, "mx.example.org", &first).unwrap();
    let mut waiting = Line::smtp(running.smtp());

    let second = selfsigned::make("mx.example.org").unwrap();
    home.control("servercert.pem", &second);
    until("the new certificate", || {
        shows(&mut running, &second, "mx.example.org").then_some(())
    });
    home.control("servercert.pem", "broken");
    running.signal(Signal::SIGHUP);
    running.logged("the old certificate stays in use");
    running.logged("control files read again");
    assert!(shows(&mut running, &second, "mx.example.org"));
    fs::remove_file(home.path().join(PEM)).unwrap();
    running.logged("is gone; the old certificate stays in use");

    assert!(session.say("NOOP").starts_with("250"));
    assert!(waiting.say("STARTTLS").starts_with("220"));
}

#[test]
fn a_first_certificate_is_offered_without_a_restart() {
    let home = Home::new();
    home.config("[tls]\nwatch = 1\n");
    let pem = certificate(&home);
    fs::remove_file(home.path().join(PEM)).unwrap();
    let mut running = Running::start(&home);
    home.control("servercert.pem", &pem);
    until("the offer", || {
        let mut smtp = Line::connect(running.smtp());
        smtp.reply();
        smtp.send(b"EHLO client\r\nQUIT\r\n");
        smtp.rest().contains("STARTTLS").then_some(())
    });
    assert!(shows(&mut running, &pem, "mx.example.org"));
}

#[test]
fn two_files_and_certificates_by_host_are_served() {
    let home = Home::new();
    let split = |host: &str, name: &str| -> (PathBuf, String) {
        let pem = selfsigned::make(host).unwrap();
        let (key, chain) = pem.split_at(pem.find("-----BEGIN CERT").unwrap());
        home.control(&format!("{name}.key"), key);
        home.control(&format!("{name}.pem"), chain);
        (home.path().join("control").join(name), chain.to_owned())
    };
    let (_, mx) = split("mx.example.org", "mx");
    let (absolute, pop) = split("pop.example.net", "pop");
    home.config(&format!(
        "[tls]\ncertificate = \"control/mx.pem\"\nkey = \"control/mx.key\"\nmin_version = \"1.3\"\n\
         sni = [{{ certificate = \"{0}.pem\", key = \"{0}.key\" }}]\n",
        absolute.display()
    ));
    let mut running = Running::start(&home);
    assert!(shows(&mut running, &mx, "mx.example.org"));
    assert!(shows(&mut running, &pop, "pop.example.net"));
    assert!(!shows(&mut running, &pop, "mx.example.org"));
}

#[test]
fn an_expired_certificate_is_served_and_told() {
    let home = Home::new();
    let mut params = rcgen::CertificateParams::new(vec!["mx.example.org".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 2);
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = key.serialize_pem() + &params.self_signed(&key).unwrap().pem();
    home.control("servercert.pem", &pem);
    let mut running = Running::start(&home);
    running.logged("warning: certificate for mx.example.org has expired on 2 Jan 2020");
    let mut smtp = Line::smtp(running.smtp());
    assert!(smtp.say("STARTTLS").starts_with("220"));
}
