//! Judges certificates, their keys' files, and services on ports that are for others (RFC 8314 §3, RFC 5280 §4.1.2.5).

use super::Judge;
use crate::Failure;
use crate::config::Config;
use crate::tls::{files, validity};
use driver::Clock;
use driver::tls::Certificate;
use mta_core::Unix;
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How long before a certificate's end there is a warning, in seconds.
const SOON: u64 = 14 * 86_400;
/// Everybody else's permissions, and the group's to write.
const TOO_OPEN: u32 = 0o027;

impl Judge<'_> {
    /// `me` is the name that clients are expected to ask for.
    pub(super) fn tls(&mut self, config: &Config, me: &str) -> Result<(), Failure> {
        self.ports(config)?;
        let pairs = files::pairs(self.home, config);
        let certificates = match files::read(self.home, config) {
            Ok(certificates) => certificates,
            Err(failure) => return self.error(&failure.to_string()),
        };
        if certificates.is_empty() {
            let path = config.tls.certificate.display();
            if let Some(service) = config.tls_service() {
                return self.error(&format!("{path}: expected a certificate for {service}"));
            }
            let said = "no such file, so STARTTLS and STLS are not offered";
            writeln!(self.out, "{path}: note: {said}")?;
            return Ok(());
        }
        for (pair, certificate) in pairs.iter().zip(&certificates) {
            self.certificate(&pair.certificate, certificate)?;
        }
        for key in pairs.iter().map(|pair| &pair.key).collect::<BTreeSet<_>>() {
            self.key_file(key)?;
        }
        if !certificates.iter().any(|one| one.is_for(me)) {
            let names = certificates.iter().flat_map(Certificate::names);
            let names: Vec<&str> = names.map(String::as_str).collect();
            let path = config.tls.certificate.display();
            let names = names.join(", ");
            writeln!(
                self.out,
                "{path}: warning: expected a certificate for {me}, found {names}"
            )?;
        }
        Ok(())
    }

    fn certificate(&mut self, path: &Path, certificate: &Certificate) -> Result<(), Failure> {
        let now = Clock::unix();
        let path = path.display();
        if let Err(said) = validity(certificate, now) {
            return self.error(&format!("{path}: the certificate {said}"));
        }
        if Unix(now.0 + SOON) > certificate.not_after() {
            let until = mta_core::date::qmail(certificate.not_after());
            self.warn(&format!("{path}: warning: the certificate ends on {until}"))?;
        }
        if certificate.is_self_signed() {
            self.warn(&format!(
                "{path}: note: the certificate vouches for itself; mail programs will warn of it"
            ))?;
        }
        Ok(())
    }

    /// A key that others read, or the group writes, is no secret.
    fn key_file(&mut self, path: &Path) -> Result<(), Failure> {
        let Ok(stat) = fs::metadata(path) else {
            return Ok(());
        };
        let mode = stat.permissions().mode() & 0o777;
        if mode & TOO_OPEN == 0 {
            return Ok(());
        }
        self.error(&format!(
            "{}: expected mode 0600 or 0640, because the key stands in it, found {mode:04o}",
            path.display()
        ))
    }

    /// Clients know by the port whether TLS comes first, and wait for ever where they are wrong.
    fn ports(&mut self, config: &Config) -> Result<(), Failure> {
        let rows: [(&str, &[SocketAddr], &[u16], &str); 4] = [
            ("smtp", &config.smtp, &[465], "smtps"),
            ("pop3", &config.pop3, &[995], "pop3s"),
            ("smtps", &config.smtps, &[25, 587], "smtp"),
            ("pop3s", &config.pop3s, &[110], "pop3"),
        ];
        for (service, listeners, wrong, right) in rows {
            for listener in listeners.iter().filter(|it| wrong.contains(&it.port())) {
                let port = listener.port();
                let file = self.home.config();
                self.error(&format!(
                    "{}: {service} {listener}: port {port} is for {right}; list it there",
                    file.display()
                ))?;
            }
        }
        Ok(())
    }

    /// Writes what is no error, with its path as it stands in the home.
    fn warn(&mut self, said: &str) -> Result<(), Failure> {
        let root = format!("{}/", self.home.root().display());
        writeln!(self.out, "{}", said.strip_prefix(&root).unwrap_or(said))?;
        Ok(())
    }
}
