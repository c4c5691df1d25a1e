//! Both ends of a connection, and the environment that tells a program of them (tcp-environ(5), spec §9.1).

use crate::Io;
use std::ffi::{OsStr, OsString};
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What is known of both ends; addresses are canonical.
pub(crate) struct Ends {
    pub(crate) local: SocketAddr,
    pub(crate) local_host: Option<OsString>,
    pub(crate) peer: SocketAddr,
    pub(crate) peer_host: Option<String>,
    pub(crate) info: Option<Vec<u8>>,
}

/// What the names of the variables begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    Tcp,
    /// As sslserver has them.
    Ssl,
}

impl Ends {
    /// Sets the variables of tcp-environ(5); what is not known must not be inherited either.
    pub(crate) fn export(&self, io: &mut Io<'_>, prefix: Prefix) {
        let prefix = match prefix {
            Prefix::Tcp => "TCP",
            Prefix::Ssl => "SSL",
        };
        let text = |text: String| Some(OsString::from(text));
        let variables = [
            ("LOCALIP", text(self.local.ip().to_string())),
            ("LOCALPORT", text(self.local.port().to_string())),
            ("LOCALHOST", self.local_host.clone()),
            ("REMOTEIP", text(self.peer.ip().to_string())),
            ("REMOTEPORT", text(self.peer.port().to_string())),
            ("REMOTEHOST", self.peer_host.clone().map(OsString::from)),
            ("REMOTEINFO", self.info.clone().map(OsString::from_vec)),
        ];
        io.environment.insert("PROTO".into(), prefix.into());
        for (name, value) in variables {
            let name = OsString::from(format!("{prefix}{name}"));
            match value {
                Some(value) => io.environment.insert(name, value),
                None => io.environment.remove(&name),
            };
        }
    }
}

/// A program that gets this environment; its PATH is the one that is searched.
pub(crate) fn program_command(io: &Io<'_>, program: &OsStr, arguments: &[OsString]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&io.environment);
    command
}

/// Becomes a program with this environment. Returns only where it fails.
pub(crate) fn run_program(io: &Io<'_>, program: &OsStr, arguments: &[OsString]) -> io::Error {
    program_command(io, program, arguments).exec()
}
