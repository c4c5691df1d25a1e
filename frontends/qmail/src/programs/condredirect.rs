//! condredirect: sends a message elsewhere where a program says yes (condredirect(1)).

use super::forward::{required, send_on};
use crate::child::{Said, ask};
use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;
use std::fs::File;
use std::io::Seek;

const TOOL: &str = "condredirect";
const USAGE: &str = "condredirect: usage: condredirect newaddress program [ arg ... ]";

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let [address, program @ ..] = io.arguments.as_slice() else {
        return Err(Failure::permanent(USAGE));
    };
    if program.is_empty() {
        return Err(Failure::permanent(USAGE));
    }
    if ask(TOOL, io, program)? == Said::No {
        return Ok(Exit::OK);
    }
    let rewound = sys::adopt(0).map(File::from).and_then(|mut message| {
        message.rewind()?;
        Ok(message)
    });
    let mut message = rewound.map_err(|error| Failure::system(TOOL, "unable to rewind", &error))?;
    let sender = required(TOOL, io, "SENDER")?;
    let to = std::slice::from_ref(address);
    let qp = send_on(TOOL, io, &sender, to, &mut message)?;
    // qmail-local stops reading the .qmail file at this code.
    Err(Failure::new(Exit::STOP, format!("condredirect: qp {qp}")))
}
