//! From a process to an [`Io`]: which applet, which home, which descriptors (qmail(7)).

use crate::descriptor::open;
use crate::{Environment, Io, NAMES, install, run};
use applet::{Exit, Selection, select};
use mta_core::Unix;
use nix::unistd::{getegid, geteuid, getgid, getuid};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where the installation lies, unless somebody who may says otherwise. Another home than
/// `/var/qmail` is built in by the variable MTA_BUILD_HOME.
pub(crate) const DEFAULT_HOME: &str = match option_env!("MTA_BUILD_HOME") {
    Some(home) => home,
    None => "/var/qmail",
};

const _: () = assert!(
    matches!(DEFAULT_HOME.as_bytes(), [b'/', ..]),
    "MTA_BUILD_HOME: expected an absolute path"
);

/// Runs qmail-queue in the home that was built in. Arguments and environment are not looked at: its
/// caller has fewer rights, and chose them.
#[must_use]
pub fn queue() -> Exit {
    let io = Io {
        home: PathBuf::from(DEFAULT_HOME),
        now: now(),
        ..Io::nothing()
    };
    run("qmail-queue", io)
}

/// Runs the program that the command line names, with the process's environment and descriptors.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let option = match take_home(&mut arguments) {
        Ok(option) => option,
        Err(text) => return complain(&text),
    };
    if let Some(home) = take_installation(&arguments) {
        return match install::as_root(&home, Path::new(DEFAULT_HOME)) {
            Ok(()) => Exit::OK,
            Err(text) => complain(&format!("qmail: {text}")),
        };
    }
    match select("qmail", NAMES, arguments) {
        Ok(Selection::Run { applet, arguments }) => start(applet, arguments, option),
        Ok(Selection::Install { directory }) => install(&directory),
        Err(usage) => complain(&format!(
            "{usage}\nbefore APPLET, --home DIRECTORY says where the installation lies;\n\
             --install HOME --as-root makes one"
        )),
    }
}

/// Takes `--home DIRECTORY` or `--home=DIRECTORY` out, where it stands right behind our own name.
/// A program that is called by its own name has no such option: its arguments may be anything.
fn take_home(arguments: &mut Vec<OsString>) -> Result<Option<PathBuf>, String> {
    let by_its_name = is_called_by_its_name(arguments);
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

fn is_called_by_its_name(arguments: &[OsString]) -> bool {
    let called = arguments.first().map(PathBuf::from).unwrap_or_default();
    called
        .file_name()
        .is_some_and(|name| NAMES.iter().any(|n| name == *n))
}

/// The directory of `--install DIRECTORY --as-root`.
fn take_installation(arguments: &[OsString]) -> Option<PathBuf> {
    let words = arguments.get(1..)?;
    if is_called_by_its_name(arguments) {
        return None;
    }
    match words {
        [install, home, as_root] | [as_root, install, home]
            if install == "--install" && as_root == "--as-root" =>
        {
            Some(PathBuf::from(home))
        }
        _ => None,
    }
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
            now: now(),
        },
    )
}

fn now() -> Unix {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Unix(since.map(|since| since.as_secs()).unwrap_or(0))
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
