//! qmail's programs, each an applet of one binary that is called by its name (qmail(7)).
//!
//! ```text
//! main ─► applet::select ─► run(applet, Io) ─► one file per program ─► mta-core, mta-store, …
//! ```
//!
//! A program parses its arguments and joins a library to its descriptors; [`Io`] is what it has of
//! the world, so that tests can call [`run`] without a process. The home is `/var/qmail` unless
//! `qmail --home DIR APPLET` or `MTA_HOME` says otherwise; for a process with more rights than its
//! caller neither counts.

mod child;
mod controls;
mod descriptor;
mod failure;
mod injection;
mod install;
mod io;
mod log_spool;
mod net;
mod options;
mod programs;
mod reception;
mod spawner;
mod start;
mod users;
mod words;

pub use io::{Environment, Io};
pub use programs::NAMES;
pub use start::{main, queue};

use applet::Exit;
use failure::Failure;
use std::io::Write;

/// Runs the program called `applet` and returns how it ends; what it complains of goes to
/// [`Io::errors`].
///
/// ```
/// use qmail::Io;
/// let mut complaints = Vec::new();
/// let exit = qmail::run("except", Io {
///     errors: Box::new(&mut complaints),
///     ..Io::nothing()
/// });
/// assert_eq!(exit.code(), 100);
/// assert_eq!(complaints, b"except: usage: except program [ arg ... ]\n");
/// ```
#[must_use]
pub fn run(applet: &str, mut io: Io<'_>) -> Exit {
    let Some(program) = programs::find(applet) else {
        let failure = Failure::permanent(format!("qmail: there is no applet {applet}"));
        return report(&mut io, failure);
    };
    let ended = program(&mut io).and_then(|exit| match io.output.flush() {
        Ok(()) => Ok(exit),
        Err(error) => Err(failure::unwritten(applet, &error)),
    });
    ended.unwrap_or_else(|failure| report(&mut io, failure))
}

fn report(io: &mut Io<'_>, failure: Failure) -> Exit {
    if !failure.text.is_empty() {
        let mut line = failure.text;
        line.push(b'\n');
        // Nobody is left to be told that nobody could be told.
        let _ = io.errors.write_all(&line).and_then(|()| io.errors.flush());
    }
    failure.exit
}
