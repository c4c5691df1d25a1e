//! The command line of tcpserver (tcpserver(1), spec §9.1).

use crate::Io;
use crate::failure::Failure;
use crate::getopt::{Opt, Options};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

const USAGE: &str = "tcpserver [ -1UXpPhHrRoOdDqQv ] [ -c limit ] [ -x rules.cdb ] [ -B banner ] \
    [ -g gid ] [ -u uid ] [ -b backlog ] [ -l localname ] [ -t timeout ] host port program";
const USAGE_TLS: &str = "tcpserver-ssl [ -1UXpPhHrRoOdDqQvsS ] [ -c limit ] [ -x rules.cdb ] \
    [ -B banner ] [ -g gid ] [ -u uid ] [ -b backlog ] [ -l localname ] [ -t timeout ] \
    [ -n cert.pem ] [ -T handshake ] [ -w idle ] host port program";
const USAGE_SSL: &str = "sslserver [ -1UXpPhHrRoOdDqQvsSeE ] [ -c limit ] [ -x rules.cdb ] \
    [ -B banner ] [ -g gid ] [ -u uid ] [ -b backlog ] [ -l localname ] [ -t timeout ] \
    [ -T handshake ] [ -w idle ] host port program";

/// Whose command line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// tcpserver of ucspi-tcp, with the options of tcpserver-ssl.
    Tcpserver,
    /// tcpserver of ucspi-tcp-ssl.
    TcpserverSsl,
    /// sslserver of ucspi-ssl: always TLS, and the environment names files and ends.
    Sslserver,
}

impl Called {
    pub(crate) fn from_name(name: &OsStr) -> Option<Self> {
        let all = [Self::Tcpserver, Self::TcpserverSsl, Self::Sslserver];
        all.into_iter().find(|called| name == called.name())
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tcpserver => "tcpserver",
            Self::TcpserverSsl => "tcpserver-ssl",
            Self::Sslserver => "sslserver",
        }
    }

    /// What stands before a line of the log.
    pub(super) const fn log_name(self) -> &'static str {
        match self {
            Self::Tcpserver | Self::TcpserverSsl => "tcpserver",
            Self::Sslserver => "sslserver",
        }
    }

    pub(super) const fn usage(self) -> &'static str {
        match self {
            Self::Tcpserver => USAGE,
            Self::TcpserverSsl => USAGE_TLS,
            Self::Sslserver => USAGE_SSL,
        }
    }

    /// The letters without and those with a value.
    const fn letters(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Tcpserver | Self::TcpserverSsl => (b"1UXpPhHrRoOdDqQvsS", b"cxBgubltnTw"),
            Self::Sslserver => (b"1UXpPhHrRoOdDqQvsSeE", b"cxBgubltTw"),
        }
    }
}

/// What is said about TLS.
#[derive(Debug)]
pub(super) struct TlsSettings {
    pub(super) on: bool,
    /// Where the certificate stands with its chain, and its key too unless it has a file of its own.
    pub(super) certificate: PathBuf,
    pub(super) key: Option<PathBuf>,
    /// How long a handshake may take, and how long nothing may come or go.
    pub(super) handshake: Duration,
    pub(super) idle: Duration,
    /// Whether sslserver's programs get the variables of tcpserver, and those about TLS.
    pub(super) export_tcp: bool,
    pub(super) export_tls: bool,
}

impl TlsSettings {
    fn new(io: &Io<'_>, called: Called) -> Self {
        let ssl = called == Called::Sslserver;
        let file = |name: &str| io.variable(name).filter(|_| ssl).map(PathBuf::from);
        Self {
            on: ssl,
            certificate: file("CERTFILE").unwrap_or_else(|| "./cert.pem".into()),
            key: file("KEYFILE"),
            handshake: Duration::from_secs(26),
            idle: Duration::from_secs(3600),
            export_tcp: !ssl,
            export_tls: !ssl,
        }
    }
}

/// How much is told on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verbosity {
    Silent,
    Errors,
    All,
}

/// What a command line asks for.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) called: Called,
    pub(super) tls: TlsSettings,
    pub(super) verbosity: Verbosity,
    pub(super) limit: usize,
    pub(super) rules: Option<PathBuf>,
    /// Whether all may connect where the rules do not exist.
    pub(super) without_rules: bool,
    pub(super) banner: OsString,
    pub(super) ids: Ids,
    pub(super) backlog: i32,
    pub(super) local_name: Option<OsString>,
    pub(super) look_up_name: bool,
    /// Whether a name counts only if it leads back to the address.
    pub(super) paranoid: bool,
    pub(super) ask_ident: bool,
    pub(super) ident_timeout: Duration,
    pub(super) keep_ip_options: bool,
    pub(super) no_delay: bool,
    pub(super) print_port: bool,
    pub(super) host: OsString,
    pub(super) port: OsString,
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
}

/// Whom to run as; 0 changes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ids {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Whether $UID and $GID say it.
    pub(super) from_environment: bool,
}

impl Settings {
    fn new(io: &Io<'_>, called: Called) -> Self {
        Self {
            called,
            tls: TlsSettings::new(io, called),
            verbosity: Verbosity::Errors,
            limit: 40,
            rules: None,
            without_rules: false,
            banner: OsString::new(),
            ids: Ids {
                uid: 0,
                gid: 0,
                from_environment: false,
            },
            backlog: 20,
            local_name: None,
            look_up_name: true,
            paranoid: false,
            ask_ident: true,
            ident_timeout: Duration::from_secs(26),
            keep_ip_options: false,
            no_delay: false,
            print_port: false,
            host: OsString::new(),
            port: OsString::new(),
            program: OsString::new(),
            arguments: Vec::new(),
        }
    }

    /// Reads the arguments behind the program's name.
    pub(super) fn parse(
        io: &mut Io<'_>,
        called: Called,
        arguments: &[OsString],
    ) -> Result<Self, Failure> {
        let mut settings = Self::new(io, called);
        let (plain, valued) = called.letters();
        let mut options = Options::new(arguments, plain, valued);
        for option in options.by_ref() {
            let understood = match option {
                Opt::Given(letter, value) => settings.set(letter, value),
                Opt::Wrong(what) => {
                    io.complain(format!("{}: {what}", called.name()).as_bytes());
                    None
                }
            };
            understood.ok_or_else(|| Failure::Usage(called.usage()))?;
        }
        let [host, port, program, arguments @ ..] = options.rest() else {
            return Err(Failure::Usage(called.usage()));
        };
        settings.host.clone_from(host);
        settings.port.clone_from(port);
        settings.program.clone_from(program);
        settings.arguments = arguments.to_vec();
        Ok(settings)
    }

    /// Unlike the original, which takes what is no number for 0 and so for "stay root", none is
    /// guessed.
    fn set(&mut self, letter: u8, value: OsString) -> Option<()> {
        match letter {
            b'q' => self.verbosity = Verbosity::Silent,
            b'Q' => self.verbosity = Verbosity::Errors,
            b'v' => self.verbosity = Verbosity::All,
            b'c' => self.limit = number(&value)?,
            b'x' => self.rules = Some(value.into()),
            b'X' => self.without_rules = true,
            b'B' => self.banner = value,
            b'g' => self.ids.gid = number(&value)?,
            b'u' => self.ids.uid = number(&value)?,
            b'U' => self.ids.from_environment = true,
            b'b' => self.backlog = number(&value)?,
            b'l' => self.local_name = Some(value),
            b'h' => self.look_up_name = true,
            b'H' => self.look_up_name = false,
            b'p' => self.paranoid = true,
            b'P' => self.paranoid = false,
            b'r' => self.ask_ident = true,
            b'R' => self.ask_ident = false,
            b't' => self.ident_timeout = Duration::from_secs(number::<u32>(&value)?.into()),
            b'o' => self.keep_ip_options = true,
            b'O' => self.keep_ip_options = false,
            b'd' => self.no_delay = false,
            b'D' => self.no_delay = true,
            b'1' => self.print_port = true,
            _ => return self.set_tls(letter, value),
        }
        Some(())
    }

    /// The letters s and S are about TLS itself with tcpserver, about variables with sslserver.
    fn set_tls(&mut self, letter: u8, value: OsString) -> Option<()> {
        let ssl = self.called == Called::Sslserver;
        let seconds = |value: &OsStr| Some(Duration::from_secs(number::<u32>(value)?.into()));
        match letter {
            b's' if ssl => self.tls.export_tls = true,
            b'S' if ssl => self.tls.export_tls = false,
            b'e' => self.tls.export_tcp = true,
            b'E' => self.tls.export_tcp = false,
            b's' => self.tls.on = true,
            b'S' => self.tls.on = false,
            b'n' => self.tls.certificate = value.into(),
            b'T' => self.tls.handshake = seconds(&value)?,
            b'w' => self.tls.idle = seconds(&value)?,
            _ => return None,
        }
        Some(())
    }
}

/// Reads a decimal number.
pub(super) fn number<T: std::str::FromStr>(text: &OsStr) -> Option<T> {
    let text = text.to_str()?;
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}
