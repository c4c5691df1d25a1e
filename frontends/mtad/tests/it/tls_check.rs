//! What `mtad check` says of certificates, keys and ports (RFC 8314 §3).

use crate::kit::Home;
use mtad::tls::selfsigned;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

const PEM: &str = "control/servercert.pem";

/// A key and a certificate for mx.example.org that ends then.
fn until(end: SystemTime) -> String {
    let mut params = rcgen::CertificateParams::new(vec!["mx.example.org".to_owned()]).unwrap();
    params.not_after = end.into();
    let key = rcgen::KeyPair::generate().unwrap();
    key.serialize_pem() + &params.self_signed(&key).unwrap().pem()
}

fn halves(pem: &str) -> (&str, &str) {
    pem.split_at(pem.find("-----BEGIN CERT").unwrap())
}

#[test]
fn certificates_are_judged_by_name_key_and_date() {
    let home = Home::new();
    let good = fs::read_to_string(home.path().join(PEM)).unwrap();
    let other = selfsigned::make("www.example.org").unwrap();
    let ((key, _), (_, chain)) = (halves(&good), halves(&other));
    let days = |n: u64| Duration::from_secs(n * 86_400);
    let short = include_str!("../../../driver/tests/it/short_rsa.pem");
    let mismatch = key.to_owned() + chain;
    let soon = until(SystemTime::now() + days(3));
    let past = until(SystemTime::UNIX_EPOCH + days(18_262));
    let rows: [(&str, &str, bool, &str); 7] = [
        (
            "good",
            &good,
            true,
            "note: the certificate vouches for itself",
        ),
        (
            "another host",
            &other,
            true,
            "warning: expected a certificate for mx.example.org, found www.example.org",
        ),
        (
            "mismatch",
            &mismatch,
            false,
            "expected the certificate of the private key",
        ),
        ("no key", chain, false, "expected a private key in PEM"),
        (
            "ends soon",
            &soon,
            true,
            "warning: the certificate ends on ",
        ),
        (
            "short key",
            short,
            false,
            "expected an RSA key of 2048 bits or more, found 1024",
        ),
        (
            "expired",
            &past,
            false,
            "the certificate has expired on 1 Jan 2020",
        ),
    ];
    for (name, pem, sound, said) in rows {
        home.control("servercert.pem", pem);
        let judged = home.run(&["check", "--no-dns"], "");
        assert_eq!(judged.code == Some(0), sound, "{name}: {}", judged.out);
        let line = judged.out.lines().find(|line| line.contains(said));
        let line = line.unwrap_or_else(|| panic!("{name}: {}", judged.out));
        assert!(
            line.starts_with("control/servercert.pem: "),
            "{name}: {line}"
        );
    }
}

#[test]
fn a_missing_certificate_is_an_error_only_for_services_that_need_one() {
    let home = Home::new();
    fs::remove_file(home.path().join(PEM)).unwrap();
    let out = home.run(&["check", "--no-dns"], "").ok();
    assert!(out.contains("STARTTLS and STLS are not offered"), "{out}");
    home.config("pop3s = [\"127.0.0.1:2995\"]\n");
    let out = home.run(&["check", "--no-dns"], "").out;
    assert!(
        out.contains("control/servercert.pem: expected a certificate for pop3s"),
        "{out}"
    );
}

#[test]
fn a_key_that_others_can_read_is_an_error() {
    let home = Home::new();
    for (mode, sound) in [(0o644, false), (0o640, true), (0o660, false), (0o600, true)] {
        fs::set_permissions(home.path().join(PEM), fs::Permissions::from_mode(mode)).unwrap();
        let judged = home.run(&["check", "--no-dns"], "");
        assert_eq!(judged.code == Some(0), sound, "{mode:o}: {}", judged.out);
        let told = judged.out.contains("expected mode 0600 or 0640");
        assert_eq!(told, !sound, "{mode:o}: {}", judged.out);
    }
}

#[test]
fn services_are_judged_by_their_ports() {
    let home = Home::new();
    for (service, port) in [
        ("smtp", 465),
        ("smtps", 25),
        ("smtps", 587),
        ("pop3", 995),
        ("pop3s", 110),
    ] {
        home.config(&format!("{service} = [\"127.0.0.1:{port}\"]\n"));
        let judged = home.run(&["check", "--no-dns"], "");
        let said = format!("mtad.toml: {service} 127.0.0.1:{port}: port {port} is for ");
        assert!(judged.out.contains(&said), "{}", judged.out);
        assert_eq!(judged.code, Some(100));
    }
}
