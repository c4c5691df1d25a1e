//! The program that a dot-qmail line's tool runs, and how it ended (qmail-command(8)).

use crate::failure::Failure;
use crate::io::Io;
use crate::words::is_temporary;
use applet::Exit;
use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitStatus};

/// Prepares the program of a command line, looked up in PATH, with our environment.
pub(crate) fn command(io: &Io<'_>, line: &[OsString]) -> Option<Command> {
    let (program, arguments) = line.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&io.environment);
    Some(command)
}

/// Prepares a program of the home's bin, with our environment.
pub(crate) fn of_home(io: &Io<'_>, name: &str) -> Command {
    let mut command = Command::new(io.home.join("bin").join(name));
    command.env_clear().envs(&io.environment);
    command
}

/// What the exit code of a program that was asked a question says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// 0.
    Yes,
    /// Anything but 0 and 111.
    No,
}

/// Runs a program on our standard input and returns its answer.
///
/// # Errors
/// Fails, always temporarily, where it crashed, said 111, or could not be run now. A program that
/// does not exist says no.
pub(crate) fn ask(tool: &str, io: &Io<'_>, line: &[OsString]) -> Result<Said, Failure> {
    let Some(mut command) = command(io, line) else {
        return Ok(Said::No);
    };
    match command.status() {
        Ok(status) => answer(tool, status),
        Err(error) if is_temporary(&error) => Err(temporary(tool)),
        Err(_) => Ok(Said::No),
    }
}

fn answer(tool: &str, status: ExitStatus) -> Result<Said, Failure> {
    match status.code() {
        Some(0) => Ok(Said::Yes),
        Some(111) => Err(temporary(tool)),
        Some(_) => Ok(Said::No),
        None => Err(crashed(tool)),
    }
}

fn temporary(tool: &str) -> Failure {
    Failure::temporary(format!("{tool}: fatal: temporary child error"))
}

fn crashed(tool: &str) -> Failure {
    Failure::temporary(format!("{tool}: fatal: child crashed"))
}

/// Feeds a program and returns its exit code. A program that does not read to the end is not to
/// blame: what counts is how it ends.
///
/// # Errors
/// Fails where it crashed, could not be run (`not_run` says with which code), or where our own
/// input cannot be read.
pub(crate) fn feed(
    tool: &str,
    mut command: Command,
    not_run: impl FnOnce(&io::Error) -> Exit,
    write: impl FnOnce(&mut std::process::ChildStdin) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let spawned = command.stdin(std::process::Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| {
        let program = command.get_program().to_string_lossy().into_owned();
        let text = Failure::system(tool, &format!("unable to run {program}"), &error).text;
        Failure::new(not_run(&error), text)
    })?;
    if let Some(mut input) = child.stdin.take() {
        write(&mut input)?;
    }
    let status = child
        .wait()
        .map_err(|error| Failure::system(tool, "wait failed", &error))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map(Exit::other).ok_or_else(|| crashed(tool))
}

/// Copies to a program that may stop reading; only our own input can fail.
pub(crate) fn copy(
    tool: &str,
    what: &str,
    from: &mut dyn io::Read,
    to: &mut impl io::Write,
) -> Result<(), Failure> {
    let mut buffer = vec![0; 64 * 1024];
    let mut listening = true;
    loop {
        let piece = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::system(tool, what, &error)),
        };
        listening = listening && to.write_all(piece).is_ok();
        if !listening {
            return Ok(());
        }
    }
}
