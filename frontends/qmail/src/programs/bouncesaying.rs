//! bouncesaying: bounces a message with a text, always or where a program says yes (bouncesaying(1)).

use crate::child::{Said, ask};
use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;
use std::os::unix::ffi::OsStrExt;

const USAGE: &str = "bouncesaying: usage: bouncesaying error [ program [ arg ... ] ]";

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let Some((text, program)) = io.arguments.split_first() else {
        return Err(Failure::permanent(USAGE));
    };
    if !program.is_empty() && ask("bouncesaying", io, program)? == Said::No {
        return Ok(Exit::OK);
    }
    Err(Failure::permanent(text.as_bytes()))
}
