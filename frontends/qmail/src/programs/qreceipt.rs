//! qreceipt: answers a message that asked for a delivery notice (qreceipt(1), spec §6.8).

use crate::failure::Failure;
use crate::injection::{Injection, NotBegun};
use crate::io::Io;
use applet::Exit;
use mta_core::Address;
use mta_core::inject::{InjectError, ReceiptRequest};
use mta_core::qq::Refusal;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let usage = || Failure::permanent("qreceipt: usage: qreceipt deliveryaddress");
    let request = io.arguments.first().ok_or_else(usage)?;
    let request = ReceiptRequest::new(request.as_bytes());
    let sender = Address::new(io.variable("SENDER").ok_or_else(usage)?).map_err(|_| usage())?;
    if let Some(notice) = read(request, &mut *io.input, &sender)? {
        send(io, &notice, &sender)?;
    }
    Ok(Exit::OK)
}

fn read(
    mut request: ReceiptRequest,
    input: &mut dyn Read,
    sender: &Address,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let piece = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return Err(Failure::temporary("qreceipt: fatal: read error")),
        };
        if request.feed(piece).map_err(|error| unfit(&error))? {
            break;
        }
    }
    request.notice(sender).map_err(|error| unfit(&error))
}

fn send(io: &Io<'_>, notice: &[u8], to: &Address) -> Result<(), Failure> {
    let mut queued = Injection::begin(io).map_err(|error| match error {
        NotBegun::Fork(_) => Failure::temporary("qreceipt: fatal: unable to fork"),
        NotBegun::Refused(refusal) => refused(&refusal),
    })?;
    // It never fails: the exit code says.
    let _ = queued.write_all(notice);
    queued
        .finish(b"", &mut std::iter::once(to.as_bytes()))
        .map(drop)
        .map_err(|refusal| refused(&refusal))
}

fn refused(refusal: &Refusal) -> Failure {
    if refusal.permanent {
        Failure::permanent("qreceipt: fatal: permanent qmail-queue error")
    } else {
        Failure::temporary("qreceipt: fatal: temporary qmail-queue error")
    }
}

fn unfit(error: &InjectError) -> Failure {
    let text = error.to_string();
    let text = text.replace("this line:\n", "this: ");
    Failure::permanent(format!("qreceipt: fatal: {text}"))
}
