//! `tcp-env`: tells a program that inetd starts what tcpserver would tell it (tcp-env(1), spec §9.4).

use crate::Io;
use crate::ends::{Ends, Prefix, run_program};
use crate::failure::{Failure, reason};
use crate::getopt::{Opt, Options};
use crate::names::{Names, NoAnswer};
use applet::Exit;
use std::ffi::{OsStr, OsString};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const USAGE: Failure = Failure::usage("tcp-env [ -rR ] [ -t timeout ] program [ arg ... ]");

/// What stands for a name where the name servers do not answer.
const SOFT: &str = "softdnserror";

pub(crate) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let arguments = std::mem::take(&mut io.arguments);
    let (mut ask_ident, mut timeout) = (true, 30_u32);
    let mut options = Options::new(&arguments, b"rR", b"t");
    for option in options.by_ref() {
        match option {
            Opt::Given(b'r', _) => ask_ident = true,
            Opt::Given(b'R', _) => ask_ident = false,
            Opt::Given(_, value) => {
                timeout = value.to_str().and_then(|n| n.parse().ok()).ok_or(USAGE)?
            }
            Opt::Wrong(_) => return Err(USAGE),
        }
    }
    let [program, arguments @ ..] = options.rest() else {
        return Err(USAGE);
    };
    // Under tcpserver all is there already.
    if io.variable("PROTO") != Some(OsStr::new("TCP")) {
        let timeout = ask_ident.then(|| Duration::from_secs(timeout.into()));
        let ends = find(io, timeout).map_err(|error| failed("look at the connection", &error))?;
        ends.export(io, Prefix::Tcp);
    }
    let error = run_program(io, program, arguments);
    Err(failed(&format!("run {}", program.display()), &error))
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::Temporary(format!("unable to {what}: {}", reason(error)).into_bytes())
}

/// Looks at the connection at descriptor 0; ident is asked for at most so long, if at all.
fn find(io: &Io<'_>, ident: Option<Duration>) -> io::Result<Ends> {
    let stream = TcpStream::from(sys::adopt(0)?);
    let canonical = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
    let (local, peer) = (
        canonical(stream.local_addr()?),
        canonical(stream.peer_addr()?),
    );
    let names = Names::new(io)?;
    let named = |at: SocketAddr| match names.reverse(at.ip()) {
        Ok(name) => name,
        Err(NoAnswer) => Some(SOFT.to_owned()),
    };
    Ok(Ends {
        local,
        local_host: named(local).map(OsString::from),
        peer,
        peer_host: named(peer),
        info: ident.and_then(|timeout| names.ident(peer, local, timeout)),
    })
}
