//! mailsubj: sends standard input under a subject to the recipients named (mailsubj(1), spec §6.8).

use crate::child;
use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

const USAGE: &str = "mailsubj: usage: mailsubj subject recipient ...";

/// Unlike the original, which would send the message to nobody, it wants a recipient; and nothing
/// in an argument begins a header line of its own.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut words = io.arguments.iter().map(|word| one_line(word.as_bytes()));
    let subject = words.next().ok_or_else(|| Failure::permanent(USAGE))?;
    let recipients: Vec<_> = words.collect();
    if recipients.is_empty() {
        return Err(Failure::permanent(USAGE));
    }
    let mut header = [b"Subject: ", subject.as_slice(), b"\nTo: "].concat();
    header.extend(recipients.join(&b",\n  "[..]));
    header.extend_from_slice(b"\n\n");
    let inject = child::of_home(io, "qmail-inject");
    child::feed(
        "mailsubj",
        inject,
        |_| Exit::TEMPORARY,
        |program| {
            if program.write_all(&header).is_err() {
                return Ok(());
            }
            child::copy(
                "mailsubj",
                "unable to read message",
                &mut *io.input,
                program,
            )
        },
    )
}

fn one_line(text: &[u8]) -> Vec<u8> {
    let kept = |&byte: &u8| {
        if matches!(byte, b'\n' | b'\r') {
            b' '
        } else {
            byte
        }
    };
    text.iter().map(kept).collect()
}
