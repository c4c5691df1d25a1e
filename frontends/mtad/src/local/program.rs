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

/// One line to run.
pub(super) struct Program<'a> {
    /// What stands behind the bar.
    pub(super) command: &'a [u8],
    /// The directory it runs in.
    pub(super) home: &'a Path,
    pub(super) environment: &'a [Variable],
    /// Is rewound first.
    pub(super) message: &'a File,
    pub(super) limit: Duration,
}

impl Program<'_> {
    /// Runs it; what it says is appended to `said`, as far as a report can hold it.
    ///
    /// On success it is told whether further lines are left out.
    pub(super) fn run(&self, said: &mut Vec<u8>) -> Result<ProgramEnd, Report> {
        if nix::unistd::geteuid().is_root() {
            let text = "Not allowed to perform deliveries as root.\n";
            return Err(Report::deferral(text));
        }
        // One byte more tells the report's cut that there was more.
        let most = (REPORT_MAX + 1).saturating_sub(said.len());
        let ran = self.start(most).map_err(|error| {
            let text = format!("Unable to run /bin/sh: {error}. (#4.3.0)\n");
            Report::deferral(text)
        })?;
        said.extend_from_slice(&ran.output);
        let Some(status) = ran.status else {
            let seconds = self.limit.as_secs();
            let text = format!("Program was killed after {seconds} seconds. (#4.3.0)\n");
            return Err(Report::deferral(text));
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

    fn start(&self, most: usize) -> io::Result<Captured> {
        let mut message = self.message.try_clone()?;
        message.seek(SeekFrom::Start(0))?;
        let (output, writer) = io::pipe()?;
        let mut command = Command::new("/bin/sh");
        // The mask is qmail-local's; this process has another one for its own files.
        let line = [b"umask 077\n", self.command].concat();
        command
            .arg("-c")
            .arg(OsStr::from_bytes(&line))
            .current_dir(self.home)
            .stdin(message)
            .stdout(writer.try_clone()?)
            .stderr(writer);
        for (name, value) in self.environment {
            match value {
                Some(value) => command.env(name, OsStr::from_bytes(value)),
                None => command.env_remove(name),
            };
        }
        capture(command, output, self.limit, most)
    }
}
