//! vpopmail's programs, each an applet of one binary that is called by its name (vadddomain(8), vchkpw(8)).
//!
//! ```text
//! main ─► applet::select ─► run(applet, Io) ─► one file per program ─► mta-auth
//! ```
//!
//! What is done to domains and accounts is [`mta_auth::vpopmail`]; a program here reads arguments,
//! calls it and says in the original's words how it went. `docs/vpopmail-map.md` tells which
//! program is there and where ours differ.

mod address;
mod code;
mod failure;
mod io;
mod onchange;
mod options;
mod programs;
mod reload;
mod secret;
mod start;
mod syslog;

pub use io::{Ask, Environment, Homes, Io};
pub use programs::NAMES;
pub use start::main;

use applet::Exit;
use failure::{Failure, Stream};
use std::io::Write;

/// Runs the program called `applet` and returns how it ends.
///
/// ```
/// use vpopmail::Io;
/// let mut said = Vec::new();
/// let exit = vpopmail::run("vdeluser", Io {
///     output: Box::new(&mut said),
///     ..Io::nothing()
/// });
/// assert_eq!(exit.code(), 255);
/// assert!(said.starts_with(b"vdeluser: usage: [options] email_address\n"));
/// ```
#[must_use]
pub fn run(applet: &str, mut io: Io<'_>) -> Exit {
    let ended = match programs::find(applet) {
        Some(program) => program(&mut io),
        None => Err(Failure::complaint(255, "vpopmail: there is no such applet")),
    };
    let ended = ended.and_then(|exit| match io.output.flush() {
        Ok(()) => Ok(exit),
        Err(error) => Err(failure::unwritten(&error)),
    });
    ended.unwrap_or_else(|failure| report(&mut io, &failure))
}

fn report(io: &mut Io<'_>, failure: &Failure) -> Exit {
    let stream = match failure.stream {
        Stream::Output => &mut io.output,
        Stream::Errors => &mut io.errors,
    };
    // Nobody is left to be told that nobody could be told.
    let _ = stream
        .write_all(failure.text.as_bytes())
        .and_then(|()| stream.flush());
    failure.exit
}
