//! From a process to an [`Io`]: which applet, which homes, which streams (vpopmail(8)).

use crate::{Environment, Homes, Io, NAMES, run, secret, syslog};
use applet::{Exit, Selection, select};
use mta_core::Unix;
use nix::unistd::{getegid, geteuid, getgid, getuid};
use std::ffi::{OsStr, OsString};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where the original is built for.
const VPOPMAIL: &str = "/home/vpopmail";
const QMAIL: &str = "/var/qmail";

/// Runs the program that the command line names, with the process's environment and streams.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    match select("vpopmail", NAMES, arguments) {
        Ok(Selection::Run { applet, arguments }) => start(applet, arguments),
        Ok(Selection::Install { directory }) => install(&directory),
        Err(usage) => complain(&usage.to_string()),
    }
}

/// `MTA_HOME` is both homes, `VPOPMAIL_HOME` and `QMAIL_HOME` part them again; a process with more
/// rights than its caller believes none of them.
fn homes(environment: &Environment) -> Homes {
    let trusted = getuid() == geteuid() && getgid() == getegid();
    let said = |name: &str| {
        let value = environment.get(OsStr::new(name)).filter(|_| trusted);
        value.filter(|value| !value.is_empty()).cloned()
    };
    let home = |name: &str, default: &str| {
        let variable = said(name).or_else(|| said(applet::VARIABLE));
        let home = applet::home(None, variable, Path::new(default));
        std::path::absolute(&home).unwrap_or(home)
    };
    Homes {
        vpopmail: home("VPOPMAIL_HOME", VPOPMAIL),
        qmail: home("QMAIL_HOME", QMAIL),
    }
}

fn start(applet: &str, arguments: Vec<OsString>) -> Exit {
    let environment: Environment = std::env::vars_os().collect();
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    run(
        applet,
        Io {
            arguments,
            homes: homes(&environment),
            environment,
            input: Box::new(std::io::stdin()),
            output: Box::new(BufWriter::new(std::io::stdout())),
            errors: Box::new(std::io::stderr()),
            secret: Box::new(secret::from_terminal),
            log: Box::new(syslog::send),
            now: Unix(since.map(|d| d.as_secs()).unwrap_or(0)),
        },
    )
}

fn install(directory: &Path) -> Exit {
    let installed = std::env::current_exe()
        .map_err(|error| format!("vpopmail: unable to find the program itself: {error}"))
        .and_then(|program: PathBuf| {
            applet::install(&program, NAMES, directory)
                .map_err(|error| format!("vpopmail: {error}"))
        });
    match installed {
        Ok(()) => Exit::OK,
        Err(text) => complain(&text),
    }
}

fn complain(text: &str) -> Exit {
    let _ = writeln!(std::io::stderr(), "{text}");
    Exit::PERMANENT
}
