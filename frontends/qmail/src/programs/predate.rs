//! predate: puts the local date before a message and feeds it to a program (predate(1), spec §6.8).

use crate::child;
use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;
use mta_core::date::{Stamp, Zone};
use std::io::Write;
use std::process::Command;

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let Some(command) = child::command(io, &io.arguments) else {
        return Err(Failure::permanent("predate: usage: predate child"));
    };
    feed("predate", io, command)
}

/// Feeds `Date:` and standard input to a program, and returns its exit code.
pub(super) fn feed(tool: &str, io: &mut Io<'_>, command: Command) -> Result<Exit, Failure> {
    let line = line(tool, io)?;
    child::feed(
        tool,
        command,
        |_| Exit::TEMPORARY,
        |program| {
            if program.write_all(line.as_bytes()).is_err() {
                return Ok(());
            }
            child::copy(tool, "unable to read message", &mut *io.input, program)
        },
    )
}

fn line(tool: &str, io: &Io<'_>) -> Result<String, Failure> {
    let seconds = sys::local_offset(io.now.0)
        .map_err(|error| Failure::system(tool, "unable to tell the local time", &error))?;
    let date = Stamp {
        moment: io.now,
        zone: Zone::from_seconds(seconds),
    };
    Ok(format!("Date: {date}\n"))
}
