//! From a process to an [`Io`]: which applet, which home, which descriptors (qmail(7)).

use crate::descriptor::open;
use crate::{Environment, Io, NAMES, run};
use applet::{Exit, Selection, select};
use mta_core::Unix;
use nix::unistd::{getegid, geteuid, getgid, getuid};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub(crate) const DEFAULT_HOME: &str = "/var/qmail";

/// Runs the program that the command line names, with the process's environment and descriptors.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let option = match take_home(&mut arguments) {
        Ok(option) => option,
        Err(text) => return complain(&text),
    };
    match select("qmail", NAMES, arguments) {
        Ok(Selection::Run { applet, arguments }) => start(applet, arguments, option),
        Ok(Selection::Install { directory }) => install(&directory),
        Err(usage) => complain(&format!(
            "{usage}\nbefore APPLET, --home DIRECTORY says where the installation lies"
        )),
    }
}

/// Takes `--home DIRECTORY` or `--home=DIRECTORY` out, where it stands right behind our own name.
/// A program that is called by its own name has no such option: its arguments may be anything.
fn take_home(arguments: &mut Vec<OsString>) -> Result<Option<PathBuf>, String> {
    let called = arguments.first().map(PathBuf::from).unwrap_or_default();
    let by_its_name = called
        .file_name()
        .is_some_and(|name| NAMES.iter().any(|n| name == *n));
    let Some(first) = arguments.get(1).filter(|_| !by_its_name) else {
        return Ok(None);
    };
    if first == "--home" {
        let Some(home) = arguments.get(2).map(PathBuf::from) else {
            return Err("qmail: --home: expected a directory".to_owned());
        };
        arguments.drain(1..3);
        return Ok(Some(home));
    }
    let home = first
        .to_str()
        .and_then(|text| text.strip_prefix("--home="))
        .map(PathBuf::from);
    if home.is_some() {
        arguments.remove(1);
    }
    Ok(home)
}

fn start(applet: &str, arguments: Vec<OsString>, option: Option<PathBuf>) -> Exit {
    let mut environment: Environment = std::env::vars_os().collect();
    let trusted = getuid() == geteuid() && getgid() == getegid();
    let variable = environment
        .get(std::ffi::OsStr::new(applet::VARIABLE))
        .cloned();
    let option = option.filter(|_| trusted);
    if let Some(home) = &option {
        // The programs of ours that this one starts look there too.
        let home = std::path::absolute(home).unwrap_or_else(|_| home.clone());
        environment.insert(applet::VARIABLE.into(), home.into());
    }
    let home = applet::home(
        option,
        variable.filter(|_| trusted),
        Path::new(DEFAULT_HOME),
    );
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    run(
        applet,
        Io {
            arguments,
            environment,
            home: std::path::absolute(&home).unwrap_or(home),
            input: input(),
            output: descriptor(1).map_or_else(
                || Box::new(std::io::sink()) as _,
                |f| Box::new(BufWriter::new(f)) as _,
            ),
            errors: descriptor(2)
                .map_or_else(|| Box::new(std::io::sink()) as _, |f| Box::new(f) as _),
            now: Unix(since.map(|d| d.as_secs()).unwrap_or(0)),
        },
    )
}

/// What was closed cannot be read, and is not taken for an empty message.
fn input<'a>() -> Box<dyn Read + 'a> {
    match open(0) {
        Ok(file) => Box::new(file),
        Err(_) => Box::new(Closed),
    }
}

struct Closed;

impl Read for Closed {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(nix::errno::Errno::EBADF.into())
    }
}

fn descriptor(number: i32) -> Option<File> {
    sys::adopt(number).ok().map(File::from)
}

fn install(directory: &Path) -> Exit {
    let installed = std::env::current_exe()
        .map_err(|error| format!("qmail: unable to find the program itself: {error}"))
        .and_then(|program| {
            applet::install(&program, NAMES, directory).map_err(|error| format!("qmail: {error}"))
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
