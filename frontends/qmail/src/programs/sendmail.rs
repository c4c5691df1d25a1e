//! sendmail, mailq, newaliases: the calls of a sendmail, answered by qmail's programs (sendmail(8), spec §11.4).

use crate::child;
use crate::failure::Failure;
use crate::io::{Environment, Io};
use crate::options::Options;
use applet::Exit;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;

const USAGE: &str =
    "sendmail: usage: sendmail [ -t ] [ -fsender ] [ -Fname ] [ -bp ] [ -bs ] [ arg ... ]";
const NO_ALIASES: &str = "sendmail: fatal: please use fastforward/newaliases instead";

/// What a session on standard input is told of itself, as tcp-environ(5) has it.
const LOCAL_SESSION: [(&str, &str); 8] = [
    ("RELAYCLIENT", ""),
    ("DATABYTES", "0"),
    ("PROTO", "TCP"),
    ("TCPLOCALIP", "127.0.0.1"),
    ("TCPLOCALHOST", "localhost"),
    ("TCPREMOTEIP", "127.0.0.1"),
    ("TCPREMOTEHOST", "localhost"),
    ("TCPREMOTEINFO", "sendmail-bs"),
];

/// What is asked for.
enum Call {
    /// Send the message on standard input.
    Inject {
        /// `-t`: to those in its header too.
        header: &'static str,
        sender: Option<OsString>,
        name: Option<OsString>,
        recipients: Vec<OsString>,
    },
    /// `-bp`.
    ListQueue,
    /// `-bs`.
    Smtp,
    /// `-bi`.
    Aliases,
}

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    match Call::parse("sendmail", &io.arguments)? {
        Call::ListQueue => list_queue(io),
        Call::Aliases => Err(Failure::permanent(NO_ALIASES)),
        Call::Smtp => {
            if io.variable("PROTO").is_none() {
                let set = LOCAL_SESSION.map(|(name, value)| (name.into(), value.into()));
                io.environment.extend(set);
            }
            turn_into(io, "qmail-smtpd", &[])
        }
        Call::Inject {
            header,
            sender,
            name,
            recipients,
        } => {
            let mut words = vec![OsString::from(header)];
            if let Some(sender) = sender {
                identify(&mut io.environment, sender.as_bytes());
                words.extend([OsString::from("-f"), sender]);
            }
            if let Some(name) = name {
                io.environment.insert("MAILNAME".into(), name);
            }
            words.push("--".into());
            words.extend(recipients);
            turn_into(io, "qmail-inject", &words)
        }
    }
}

pub(super) fn mailq(io: &mut Io<'_>) -> Result<Exit, Failure> {
    match Call::parse("mailq", &io.arguments)? {
        Call::Smtp => run(io),
        _ => list_queue(io),
    }
}

pub(super) fn newaliases(io: &mut Io<'_>) -> Result<Exit, Failure> {
    match Call::parse("newaliases", &io.arguments)? {
        Call::Smtp | Call::ListQueue => run(io),
        _ => Err(Failure::permanent(NO_ALIASES)),
    }
}

impl Call {
    /// Options that choose what qmail does anyway, or what it knows no such thing as, are taken
    /// and mean nothing: -i, -m, -v, -x, -B, -e, -o, -p, -E, -J.
    fn parse(called: &str, arguments: &[OsString]) -> Result<Self, Failure> {
        let options = Options::parse(called, arguments, "vimte:f:p:o:B:F:E*J*xb:")
            .map_err(|text| Failure::permanent(format!("{text}\n{USAGE}")))?;
        let (mut header, mut sender, mut name) = ("-a", None, None);
        for (letter, argument) in options.given {
            let mode = argument.as_ref().and_then(|mode| mode.as_bytes().first());
            match (letter, mode) {
                (b't', _) => header = "-H",
                (b'f', _) => sender = argument,
                (b'F', _) => name = argument,
                (b'b', Some(b'm')) => {}
                (b'b', Some(b'p')) => return Ok(Self::ListQueue),
                (b'b', Some(b's')) => return Ok(Self::Smtp),
                (b'b', Some(b'i')) => return Ok(Self::Aliases),
                (b'b', _) => return Err(Failure::permanent(USAGE)),
                _ => {}
            }
        }
        Ok(Self::Inject {
            header,
            sender,
            name,
            recipients: options.rest,
        })
    }
}

/// Makes a generated From equal the sender. Unlike the original, which would write `""@host` for
/// the null sender, that one leaves the caller's own name there.
fn identify(environment: &mut Environment, sender: &[u8]) {
    let bare = sender.strip_prefix(b"<").and_then(|s| s.strip_suffix(b">"));
    let sender = bare.unwrap_or(sender);
    for name in ["QMAILNAME", "MAILNAME", "NAME", "QMAILHOST", "MAILHOST"] {
        environment.remove(OsStr::new(name));
    }
    if sender.is_empty() {
        return;
    }
    let at = sender.iter().rposition(|&byte| byte == b'@');
    let (user, host) = sender.split_at(at.unwrap_or(sender.len()));
    let mut set = |name: &str, value: &[u8]| {
        environment.insert(name.into(), OsString::from_vec(value.to_vec()));
    };
    set("QMAILUSER", user);
    if let Some(host) = host.strip_prefix(b"@") {
        set("QMAILHOST", host);
    }
}

fn list_queue(io: &Io<'_>) -> Result<Exit, Failure> {
    turn_into(io, "qmail-qread", &[])
}

/// Becomes another program of the home, which may be the original one.
fn turn_into(io: &Io<'_>, program: &str, arguments: &[OsString]) -> Result<Exit, Failure> {
    if !io.home.is_dir() {
        let text = "sendmail: fatal: unable to switch to qmail home directory";
        return Err(Failure::temporary(text));
    }
    // It returns only where it fails.
    let _ = child::of_home(io, program).args(arguments).exec();
    Err(Failure::temporary(format!(
        "sendmail: fatal: unable to run {program}"
    )))
}
