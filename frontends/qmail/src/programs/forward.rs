//! forward: sends a message on to other addresses (forward(1)).

use crate::child::copy;
use crate::failure::Failure;
use crate::injection::{Injection, NotBegun};
use crate::io::Io;
use applet::Exit;
use mta_core::qq::Refusal;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let sender = required("forward", io, "NEWSENDER")?;
    let mut input = std::mem::replace(&mut io.input, Box::new(std::io::empty()));
    let recipients = std::mem::take(&mut io.arguments);
    let qp = send_on("forward", io, &sender, &recipients, &mut *input)?;
    Err(Failure::new(Exit::OK, format!("forward: qp {qp}")))
}

/// The value of a variable that qmail-local sets.
pub(super) fn required(tool: &str, io: &Io<'_>, name: &str) -> Result<Vec<u8>, Failure> {
    io.variable(name)
        .ok_or_else(|| Failure::permanent(format!("{tool}: fatal: {name} not set")))
}

/// Injects the message with DTLINE before it, and returns its number.
pub(super) fn send_on(
    tool: &str,
    io: &Io<'_>,
    sender: &[u8],
    recipients: &[OsString],
    message: &mut dyn Read,
) -> Result<u32, Failure> {
    let dtline = required(tool, io, "DTLINE")?;
    let mut injection = Injection::begin(io).map_err(|error| not_begun(tool, error))?;
    let _ = injection.write_all(&dtline);
    if let Err(failure) = copy(tool, "unable to read message", message, &mut injection) {
        injection.abandon();
        return Err(failure);
    }
    let mut recipients = recipients.iter().map(|to| to.as_bytes());
    injection
        .finish(sender, &mut recipients)
        .map_err(|refusal| refused(tool, &refusal))
}

fn not_begun(tool: &str, error: NotBegun) -> Failure {
    match error {
        NotBegun::Fork(error) => Failure::system(tool, "unable to fork", &error),
        NotBegun::Refused(refusal) => refused(tool, &refusal),
    }
}

pub(super) fn refused(tool: &str, refusal: &Refusal) -> Failure {
    let text = [tool.as_bytes(), b": fatal: ", &*refusal.text].concat();
    if refusal.permanent {
        Failure::permanent(text)
    } else {
        Failure::temporary(text)
    }
}
