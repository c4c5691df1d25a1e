//! `tcpserver`: accepts connections and runs a program for each that the rules allow (tcpserver(1), spec §9.1).
//!
//! ```text
//!   tcpserver (one thread: poll on socket and signals)
//!      └─ per connection: this binary again, as CONNECTION, with the socket as 0 and 1
//!            banner, names, rules, log line, environment ──exec──► the program, same process id
//! ```
//!
//! With TLS that process does not become the program but starts it, and stays between it and the
//! client: `relay`.
//!
//! Starting ourselves anew takes the place of the original's fork: the process that the log names
//! is the one that becomes the program, a slow look-up holds up nobody else, and the rules are
//! read anew each time.

mod connection;
mod listen;
mod log;
mod options;
mod pem;
mod relay;
mod serve;

use crate::Io;
use crate::failure::{Failure, reason};
use applet::Exit;
use nix::unistd::{Gid, dup2_stdin, dup2_stdout, setgid, setgroups};
use options::{Ids, Settings, number};
use pem::Pem;
use std::fs::File;
use sys::privileges::PrivilegeError;

pub(crate) use connection::run as run_connection;
pub(crate) use options::Called;

/// The name under which tcpserver starts this binary for one connection.
pub(crate) const CONNECTION: &str = "tcpserver-connection";

pub(crate) fn run(io: &mut Io<'_>, called: Called) -> Result<Exit, Failure> {
    let arguments = std::mem::take(&mut io.arguments);
    let settings = Settings::parse(io, called, &arguments)?;
    // Before root is given up, which alone may be able to read it.
    let pem = match settings.tls.on {
        true => Some(Pem::load(&settings)?),
        false => None,
    };
    let ids = resolved(io, settings.ids)?;
    let listener = listen::listen(&settings)?;
    become_other(ids)?;
    if settings.print_port {
        let port = listener
            .local_addr()
            .map_err(|error| listen::unable("find the port", &error))?;
        let written = writeln!(io.output, "{}", port.port()).and_then(|()| io.output.flush());
        written.map_err(|error| listen::unable("print the port", &error))?;
    }
    release_streams().map_err(|error| listen::unable("open /dev/null", &error))?;
    serve::serve(io, &settings, &arguments, (&listener, pem))
}

/// Finds out whom `-U` means. Unlike the original, it does not stay root where nobody is named.
fn resolved(io: &Io<'_>, ids: Ids) -> Result<Ids, Failure> {
    if !ids.from_environment {
        return Ok(ids);
    }
    let wrong =
        |name: &str| Failure::Permanent(format!("expected a number in ${name}").into_bytes());
    let read = |name: &str| number(io.variable(name)?);
    Ok(Ids {
        uid: read("UID").ok_or_else(|| wrong("UID"))?,
        gid: match io.variable("GID") {
            Some(_) => read("GID").ok_or_else(|| wrong("GID"))?,
            None => 0,
        },
        ..ids
    })
}

fn become_other(ids: Ids) -> Result<(), Failure> {
    let failed = |what: &str, why: String| {
        Failure::Temporary(format!("unable to set {what}: {why}").into_bytes())
    };
    let refused = |error: nix::Error| reason(&error.into());
    let current = nix::unistd::getgid().as_raw();
    let gid = if ids.gid == 0 { current } else { ids.gid };
    if ids.uid != 0 {
        let dropped = sys::drop_privileges(ids.uid, gid, &[]);
        return dropped.map_err(|error| match error {
            PrivilegeError::Refused { source, .. } => failed("uid", refused(source)),
            other => failed("uid", other.to_string()),
        });
    }
    if ids.gid != 0 && ids.gid != current {
        let gid = Gid::from_raw(ids.gid);
        let set = setgroups(&[gid]).and_then(|()| setgid(gid));
        set.map_err(|error| failed("gid", refused(error)))?;
    }
    Ok(())
}

/// Lets go of standard input and output, so that whoever reads the port sees its end.
fn release_streams() -> std::io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    Ok(())
}
