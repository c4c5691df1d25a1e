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

impl Ends {
    /// Sets the variables of tcp-environ(5); what is not known must not be inherited either.
    pub(crate) fn export(&self, io: &mut Io<'_>) {
        let text = |text: String| Some(OsString::from(text));
        let variables = [
            ("PROTO", text("TCP".to_owned())),
            ("TCPLOCALIP", text(self.local.ip().to_string())),
            ("TCPLOCALPORT", text(self.local.port().to_string())),
            ("TCPLOCALHOST", self.local_host.clone()),
            ("TCPREMOTEIP", text(self.peer.ip().to_string())),
            ("TCPREMOTEPORT", text(self.peer.port().to_string())),
            ("TCPREMOTEHOST", self.peer_host.clone().map(OsString::from)),
            ("TCPREMOTEINFO", self.info.clone().map(OsString::from_vec)),
        ];
        for (name, value) in variables {
            match value {
                Some(value) => io.environment.insert(name.into(), value),
                None => io.environment.remove(OsStr::new(name)),
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
