//! except: turns a program's answer round (except(1)).

use crate::child::{Said, ask};
use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;

const USAGE: &str = "except: usage: except program [ arg ... ]";

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    if io.arguments.is_empty() {
        return Err(Failure::permanent(USAGE));
    }
    Ok(match ask("except", io, &io.arguments)? {
        Said::Yes => Exit::PERMANENT,
        Said::No => Exit::OK,
    })
}
