//! The programs of ucspi-tcp as one library and one multi-call binary (tcpserver(1), tcprules(1)).
//!
//! ```text
//!   rules ──tcprules──► cdb ──tcprulescheck──► what would happen
//!                        └───tcpserver────► a program for every connection
//! ```
//!
//! The language of rules and the decision are [`mta_core::tcprules`]; here are the files around
//! them. `docs/ucspi-map.md` tells which program of the original corresponds to what, and where
//! ours differ.

mod ends;
mod failure;
mod getopt;
mod hosts;
mod io;
mod names;
mod net;
mod rblsmtpd;
mod recordio;
mod tcp_env;
mod tcpclient;
mod tcprules;
mod tcprulescheck;
mod tcpserver;

pub use io::Io;

use applet::{Exit, Selection};
use failure::say;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use tcpserver::Called;

/// The names under which the binary is a program of its own.
pub const APPLETS: [&str; 9] = [
    "tcprules",
    "tcprulescheck",
    "tcpserver",
    "tcpserver-ssl",
    "sslserver",
    "tcpclient",
    "rblsmtpd",
    "recordio",
    "tcp-env",
];

/// Names under which the binary starts itself.
const INTERNAL: [&str; 2] = [tcpserver::CONNECTION, recordio::RECORDER];

/// Runs one of [`APPLETS`]; any other name is refused.
///
/// All but the first two take the process over: tcpserver works with descriptors and signals and
/// ends by SIGTERM, the others become a program.
///
/// ```
/// use ucspi::{Io, run};
/// let (mut output, mut errors) = (Vec::new(), Vec::new());
/// let mut io = Io {
///     arguments: vec![],
///     environment: Default::default(),
///     input: &mut std::io::empty(),
///     output: &mut output,
///     errors: &mut errors,
/// };
/// assert_eq!(run("tcprules", &mut io).code(), 100);
/// assert_eq!(errors, b"tcprules: usage: tcprules [--cidr] rules.cdb rules.tmp\n");
/// ```
pub fn run(applet: &str, io: &mut Io<'_>) -> Exit {
    let result = match applet {
        "tcprules" => tcprules::run(io),
        "tcprulescheck" => tcprulescheck::run(io),
        "tcpserver" => tcpserver::run(io, Called::Tcpserver),
        "tcpserver-ssl" => tcpserver::run(io, Called::TcpserverSsl),
        "sslserver" => tcpserver::run(io, Called::Sslserver),
        "tcpclient" => tcpclient::run(io),
        "rblsmtpd" => rblsmtpd::run(io),
        "recordio" => recordio::run(io),
        "tcp-env" => tcp_env::run(io),
        recordio::RECORDER => recordio::run_recorder(io),
        tcpserver::CONNECTION => tcpserver::run_connection(io),
        _ => Err(failure::Failure::usage("there is no such program")),
    };
    match result {
        Ok(exit) => exit,
        Err(failure) => {
            say(io, applet, &failure);
            failure.exit()
        }
    }
}

/// Runs the program: which applet is told by the name it was called, or by its first argument.
#[must_use]
pub fn main() -> Exit {
    let called: Vec<OsString> = std::env::args_os().collect();
    let (mut input, mut output) = (std::io::stdin(), std::io::stdout());
    let mut io = Io {
        arguments: Vec::new(),
        environment: std::env::vars_os().collect(),
        input: &mut input,
        output: &mut output,
        errors: &mut std::io::stderr(),
    };
    if let [name, arguments @ ..] = &called[..]
        && let Some(internal) = INTERNAL.iter().find(|internal| name == *internal)
    {
        io.arguments = arguments.to_vec();
        return run(internal, &mut io);
    }
    match applet::select("ucspi", &APPLETS, called) {
        Ok(Selection::Run { applet, arguments }) => {
            io.arguments = arguments;
            run(applet, &mut io)
        }
        Ok(Selection::Install { directory }) => install(&mut io, &directory),
        Err(usage) => {
            io.complain(usage.to_string().as_bytes());
            Exit::PERMANENT
        }
    }
}

fn install(io: &mut Io<'_>, directory: &Path) -> Exit {
    let installed = std::env::current_exe()
        .map_err(|error| error.to_string())
        .and_then(|program| {
            applet::install(&program, &APPLETS, directory).map_err(|error| error.to_string())
        });
    match installed {
        Ok(()) => Exit::OK,
        Err(why) => {
            io.complain(format!("ucspi: fatal: {why}").as_bytes());
            Exit::TEMPORARY
        }
    }
}

/// The running binary, even where its path is replaced or no longer to be reached.
fn own_program() -> std::io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok("/proc/self/exe".into());
    }
    std::env::current_exe()
}
