//! qmail-tcpto and qmail-tcpok: show and forget which hosts timed out (qmail-tcpto(8), qmail-tcpok(8)).

use crate::failure::{Failure, unwritten};
use crate::io::Io;
use crate::words::why;
use applet::Exit;
use mta_core::tcpto::{TABLE, Table};
use std::fs::{File, OpenOptions};
use std::io::{Error, Read, Write};

/// Unlike other programs, the original complains on standard output.
pub(super) fn show(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let (text, exit) = match lines(io) {
        Ok(text) => (text, Exit::OK),
        Err((what, error)) => (
            format!("fatal: unable to {what}: {}\n", why(&error)),
            Exit::TEMPORARY,
        ),
    };
    let written = io.output.write_all(text.as_bytes());
    written.map_err(|error| unwritten("qmail-tcpto", &error))?;
    Ok(exit)
}

fn lines(io: &Io<'_>) -> Result<String, (&'static str, Error)> {
    let lock = io.home.join("queue/lock");
    lock.read_dir().map_err(|error| ("chdir", error))?;
    let mut file = open(io).map_err(|error| ("open tcpto", error))?;
    file.lock().map_err(|error| ("lock tcpto", error))?;
    let mut contents = Vec::new();
    let read = Read::by_ref(&mut file)
        .take(TABLE as u64)
        .read_to_end(&mut contents);
    read.map_err(|error| ("read tcpto", error))?;
    let mut text = String::new();
    for entry in Table::parse(&contents).iter().flat_map(Table::entries) {
        let (ip, count, ago) = (entry.ip, entry.count, io.now - entry.last);
        text += &format!("{ip} timed out {ago} seconds ago; # recent timeouts: {count}\n");
    }
    Ok(text)
}

/// Both ways, because that is what locking needs on some systems.
fn open(io: &Io<'_>) -> std::io::Result<File> {
    let path = io.home.join("queue/lock/tcpto");
    OpenOptions::new().read(true).write(true).open(path)
}

pub(super) fn forget(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let home = io.home.display();
    let failed = |what: &str, place: &str, error: &Error| {
        Failure::system(
            "qmail-tcpok",
            &format!("unable to {what} {home}{place}"),
            error,
        )
    };
    let tcpto = "/queue/lock/tcpto";
    if let Err(error) = io.home.read_dir() {
        return Err(failed("chdir to", "", &error));
    }
    if let Err(error) = io.home.join("queue/lock").read_dir() {
        return Err(failed("chdir to", "/queue/lock", &error));
    }
    let mut file = open(io).map_err(|error| failed("write", tcpto, &error))?;
    file.lock().map_err(|error| failed("lock", tcpto, &error))?;
    file.write_all(&[0; TABLE])
        .map_err(|error| failed("clear", tcpto, &error))?;
    Ok(Exit::OK)
}
