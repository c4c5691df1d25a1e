//! Runs applets in-process and programs beside each other; names what could not be tested.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use ucspi::{Io, run};

/// What an applet did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Did {
    pub(crate) code: u8,
    pub(crate) output: String,
    pub(crate) errors: String,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs an applet in this process.
pub(crate) fn applet(
    name: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
    mut input: &[u8],
) -> Did {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let environment = environment
        .iter()
        .map(|&(k, v)| (OsString::from(k), OsString::from(v)));
    let mut io = Io {
        arguments: arguments.iter().map(OsString::from).collect(),
        environment: environment.collect(),
        input: &mut input,
        output: &mut output,
        errors: &mut errors,
    };
    let exit = run(name, &mut io);
    Did {
        code: exit.code(),
        output: text(&output),
        errors: text(&errors),
    }
}

/// Runs a program to its end.
pub(crate) fn program(command: &mut Command, input: &[u8]) -> Did {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read all of it is free to do so.
    let _ = child.stdin.take().unwrap().write_all(input);
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    Did {
        code: status
            .code()
            .map_or(255, |code| u8::try_from(code).unwrap()),
        output: text(&stdout),
        errors: text(&stderr),
    }
}

/// Finds the original, or tells that the test is skipped; the test command repeats it at its end.
pub(crate) fn original(name: &str, test: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path
        .split(':')
        .map(|dir| PathBuf::from(dir).join(name))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        skip(&format!(
            "{test}: {name} (Debian's ucspi-tcp) is not installed"
        ));
    }
    found
}

/// Tells what could not be tested here.
pub(crate) fn skip(line: &str) {
    if let Some(list) = std::env::var_os("MTA_TEST_SKIPS")
        && let Ok(mut list) = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(list)
    {
        let _ = writeln!(list, "{line}");
    }
}
