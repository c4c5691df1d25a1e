//! What sslyze says of every TLS port (RFC 8996, RFC 9325).

use crate::need;
use mta_tests::{Home, Mtad, run};
use std::process::Command;

/// Only what follows from a certificate that vouches for itself may be wrong.
#[test]
#[ignore = "several seconds for each of four ports"]
fn sslyze_finds_nothing_but_the_certificate() {
    let sslyze = need!("sslyze_finds_nothing_but_the_certificate", "sslyze");
    let home = Home::new();
    let mut mtad = Mtad::start_with(&home, &["--smtps", "127.0.0.1:0", "--pop3s", "127.0.0.1:0"]);
    for (service, starttls) in [
        ("smtp", Some("--starttls=smtp")),
        ("smtps", None),
        ("pop3", Some("--starttls=pop3")),
        ("pop3s", None),
    ] {
        let mut command = Command::new(&sslyze);
        command
            .args(starttls)
            .arg(mtad.listening(service).to_string());
        // It ends with 1 wherever a certificate is not trusted.
        let said = run(&mut command, b"").stdout;
        for sound in [
            "OK - Compression disabled",
            "OK - Not vulnerable to OpenSSL CCS injection",
            "OK - Not vulnerable to Heartbleed",
            "OK - Not vulnerable, RSA cipher suites not supported",
            "Legacy RC4 Algorithm               OK - Not Supported",
            "Forward Secrecy                    OK - Supported",
        ] {
            assert!(said.contains(sound), "{service}: {sound}\n{said}");
        }
        let refused = said
            .matches("the server rejected all cipher suites")
            .count();
        assert_eq!(
            refused, 4,
            "{service}: SSL 2, SSL 3, TLS 1.0 and 1.1\n{said}"
        );
        let known = [
            "certificate_path_validation",
            "maximum_certificate_lifespan",
        ];
        for fault in said.lines().filter(|line| line.starts_with("        * ")) {
            assert!(
                known.iter().any(|name| fault.contains(name)),
                "{service}: {fault}"
            );
        }
    }
}
