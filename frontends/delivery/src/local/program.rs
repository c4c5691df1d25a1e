//! Runs what a program line names: by /bin/sh, in the home, with the message as its input (qmail-command(8), spec §6.6).
//!
//! The command is the .qmail file's own text. Nothing of a message or an envelope is ever put into
//! it; such bytes reach the program through its environment and its input alone.

use super::capture::{Captured, capture};
use mta_core::dotqmail::{ProgramEnd, REPORT_MAX, Variable};
use mta_core::report::Report;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What becomes of that which a program says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there are these two ways to listen"
)]
pub enum Output {
    /// It is kept for the report. A program that runs longer than this is killed with its children.
    Kept(Duration),
    /// It goes to our own standard output and error, and nothing limits a program's time.
    Ours,
}

/// One line to run.
pub(crate) struct Program<'a> {
    /// What stands behind the bar.
    pub(crate) command: &'a [u8],
    /// The directory it runs in.
    pub(crate) home: &'a Path,
    pub(crate) environment: &'a [Variable],
    /// Is rewound first.
    pub(crate) message: &'a File,
    pub(crate) output: Output,
}

impl Program<'_> {
    /// Runs it; what it says is appended to `said`, as far as a report can hold it.
    ///
    /// On success it is told whether further lines are left out.
    pub(crate) fn run(&self, said: &mut Vec<u8>) -> Result<ProgramEnd, Report> {
        if nix::unistd::geteuid().is_root() {
            let text = "Not allowed to perform deliveries as root.\n";
            return Err(Report::deferral(text));
        }
        let not_run = |error: io::Error| {
            let text = format!("Unable to run /bin/sh: {error}. (#4.3.0)\n");
            Report::deferral(text)
        };
        let mut command = self.shell().map_err(not_run)?;
        let status = match self.output {
            Output::Ours => command.status().map_err(not_run)?,
            Output::Kept(limit) => {
                // One byte more tells the report's cut that there was more.
                let most = (REPORT_MAX + 1).saturating_sub(said.len());
                let ran = listen(command, limit, most).map_err(not_run)?;
                said.extend_from_slice(&ran.output);
                ran.status.ok_or_else(|| {
                    let seconds = limit.as_secs();
                    let text = format!("Program was killed after {seconds} seconds. (#4.3.0)\n");
                    Report::deferral(text)
                })?
            }
        };
        if status.signal().is_some() {
            return Err(Report::deferral("Aack, child crashed. (#4.3.0)\n"));
        }
        match ProgramEnd::from_code(status.code().unwrap_or(-1)) {
            ProgramEnd::Failed => Err(Report::failure("")),
            ProgramEnd::Deferred => Err(Report::deferral("")),
            end => Ok(end),
        }
    }

    fn shell(&self) -> io::Result<Command> {
        let mut message = self.message.try_clone()?;
        message.seek(SeekFrom::Start(0))?;
        let mut command = Command::new("/bin/sh");
        // The mask is qmail-local's; a server has another one for its own files.
        let line = [b"umask 077\n", self.command].concat();
        command
            .arg("-c")
            .arg(OsStr::from_bytes(&line))
            .current_dir(self.home)
            .stdin(message);
        for (name, value) in self.environment {
            match value {
                Some(value) => command.env(name, OsStr::from_bytes(value)),
                None => command.env_remove(name),
            };
        }
        Ok(command)
    }
}

fn listen(mut command: Command, limit: Duration, most: usize) -> io::Result<Captured> {
    let (output, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    capture(command, output, limit, most)
}
