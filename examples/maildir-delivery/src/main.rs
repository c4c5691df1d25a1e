//! Delivers one message into a Maildir: streamed, synced, and only then reported (maildir(5), qmail-local(8)).
//!
//! Run it with `cargo run -p maildir-delivery -- /tmp/Maildir 'Subject: hello'`, or leave the
//! message out and pipe it in: `cargo run -p maildir-delivery -- /tmp/Maildir < message`. It makes
//! the Maildir where there is none, and prints the path of the message, which ends in its size.

use mta_core::Unix;
use mta_store::files::{Files, RealFiles};
use mta_store::maildir::{Delivered, Maildir, Source, UniqueName, from_fn};
use std::cell::RefCell;
use std::error::Error;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

#[cfg(test)]
mod tests;

/// What a final delivery puts before a message (RFC 5321 §4.4); `<>` because we invent no sender.
const PREFIX: [&[u8]; 1] = [b"Return-Path: <>\n"];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let usage = "usage: maildir-delivery MAILDIR [MESSAGE]";
    let path = PathBuf::from(arguments.next().ok_or(usage)?);
    let message = arguments.next().map(|text| format!("{}\n", text.display()));

    // The library reads no clock: what makes the name unique comes from here. A server would
    // count its deliveries; this program makes only one.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let name = UniqueName {
        time: Unix(now.as_secs()),
        pid: std::process::id(),
        counter: 0,
        host: "localhost",
    };
    let maildir = Maildir::new(Arc::new(RealFiles::new()), path);
    let delivered = match message {
        Some(text) => deliver(&maildir, name, text.as_bytes())?,
        None => deliver(&maildir, name, &sequential(io::stdin().lock()))?,
    };
    let path = maildir.path().join("new").join(delivered.name);
    writeln!(io::stdout(), "{}", path.display())?;
    Ok(())
}

/// Makes the Maildir if need be and delivers. When it returns `Ok`, the message is on stable
/// storage; until then the sender keeps it.
fn deliver<F: Files>(
    maildir: &Maildir<F>,
    name: UniqueName<'_>,
    message: &(impl Source + ?Sized),
) -> Result<Delivered, Box<dyn Error>> {
    maildir.create(None)?;
    Ok(maildir.deliver(name, &PREFIX, message)?)
}

/// Reads what cannot be rewound. A delivery asks for each byte once and in order, so the position
/// needs no attention.
fn sequential(input: impl Read) -> impl Source {
    let input = RefCell::new(input);
    from_fn(move |buf: &mut [u8], _| {
        loop {
            match input.borrow_mut().read(buf) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    })
}
