//! What vchkpw is told of the connection: the service by its port, and both addresses (spec §3.3).

use crate::io::Io;
use mta_auth::vpopmail::Service;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;

/// The connection that somebody logs in on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    port: Option<u16>,
    kind: Service,
    /// Who connected; `None` where that is no address.
    pub(super) client: Option<IpAddr>,
    /// The same as text that is fit for a log.
    pub(super) client_text: String,
    /// The address that was connected to.
    pub(super) local: Option<IpAddr>,
}

impl Connection {
    /// Reads `TCPLOCALPORT`, `TCPREMOTEIP` or `REMOTE_HOST`, `TCPLOCALIP`. A port of no known
    /// service is for mail that is sent where the first argument says `true`, the program that
    /// SMTP AUTH becomes; for IMAP where it says `imap`; else for POP.
    pub(super) fn of(io: &Io<'_>) -> Self {
        let text = |name: &str| {
            let value = io.variable(name)?;
            Some(value.to_string_lossy().into_owned())
        };
        let port: Option<u16> = text("TCPLOCALPORT").and_then(|port| port.parse().ok());
        let client = text("TCPREMOTEIP").or_else(|| text("REMOTE_HOST"));
        let client = client.unwrap_or_default();
        let client = client.strip_prefix("::ffff:").unwrap_or(&client);
        let odd = |c: char| !c.is_ascii_alphanumeric() && !".:-".contains(c);
        let address: Option<IpAddr> = client.parse().ok();
        let first = io.arguments.first().map(|word| word.as_bytes());
        let says = |word: &[u8]| {
            first.is_some_and(|first| first.windows(word.len()).any(|part| part == word))
        };
        let kind = match port {
            Some(25 | 465 | 587) => Service::Smtp,
            Some(110 | 995) => Service::Pop,
            Some(143 | 993) => Service::Imap,
            _ if says(b"true") => Service::Smtp,
            _ if says(b"imap") => Service::Imap,
            _ => Service::Pop,
        };
        let webmail = kind != Service::Smtp && client == "127.0.0.1";
        Self {
            port,
            kind: if webmail { Service::Webmail } else { kind },
            client: address,
            client_text: client.replace(odd, "_"),
            local: text("TCPLOCALIP").and_then(|ip| ip.parse().ok()),
        }
    }

    /// What is logged in to.
    pub(super) const fn service(&self) -> Service {
        self.kind
    }

    /// How the log calls it.
    pub(super) fn tag(&self) -> String {
        let name = match (self.kind, self.port) {
            (Service::Webmail, _) => "webmail",
            (_, Some(25)) => "smtp",
            (_, Some(110)) => "pop3",
            (_, Some(143)) => "imap",
            (_, Some(465)) => "smtps",
            (_, Some(587)) => "submission",
            (_, Some(993)) => "imaps",
            (_, Some(995)) => "pop3s",
            (_, Some(port)) => return format!("vchkpw-{port}"),
            (Service::Smtp, None) => "smtp",
            (Service::Imap, None) => "imap",
            (_, None) => "pop3",
        };
        format!("vchkpw-{name}")
    }
}
