//! preline: feeds a program the message with the lines of its envelope before it (preline(1)).

use crate::child::{command, copy, feed};
use crate::failure::Failure;
use crate::io::Io;
use crate::options::Options;
use crate::words::is_temporary;
use applet::Exit;
use std::io::Write;

const TOOL: &str = "preline";
const USAGE: &str = "preline: usage: preline cmd [ arg ... ]";

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let names = ["UFLINE", "RPLINE", "DTLINE"];
    let lines = names.map(|name| io.variable(name));
    let [Some(uf), Some(rp), Some(dt)] = lines else {
        return Err(Failure::permanent(USAGE));
    };
    let options = Options::parse(TOOL, &io.arguments, "frdFRD")
        .map_err(|text| Failure::permanent(format!("{text}\n{USAGE}")))?;
    let mut wanted = [true; 3];
    for (letter, _) in &options.given {
        let place = b"frd"
            .iter()
            .position(|known| letter.eq_ignore_ascii_case(known));
        if let Some(slot) = place.and_then(|at| wanted.get_mut(at)) {
            *slot = letter.is_ascii_uppercase();
        }
    }
    let Some(command) = command(io, &options.rest) else {
        return Err(Failure::permanent(USAGE));
    };
    let not_run = |error: &std::io::Error| match is_temporary(error) {
        true => Exit::TEMPORARY,
        false => Exit::PERMANENT,
    };
    let head: Vec<u8> = [uf, rp, dt]
        .into_iter()
        .zip(wanted)
        .filter_map(|(line, wanted)| wanted.then_some(line))
        .flatten()
        .collect();
    feed(TOOL, command, not_run, |to| match to.write_all(&head) {
        Ok(()) => copy(TOOL, "unable to copy input", &mut *io.input, to),
        Err(_) => Ok(()),
    })
}
