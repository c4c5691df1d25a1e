//! qmail-newu: makes users/cdb of users/assign (qmail-newu(8)).

use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;
use mta_core::assign::Assign;
use mta_store::atomic::{self, Attributes, MAX_EDITED};
use mta_store::cdb_writer;
use mta_store::files::{Access, Files, Kind, OpenFile, RealFiles};

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let fatal = |text: &str| Failure::temporary(format!("qmail-newu: fatal: {text}"));
    let files = RealFiles::new();
    if !io.home.is_dir() {
        return Err(fatal("unable to chdir"));
    }
    let users = io.home.join("users");
    let source = users.join("assign");
    let file = files
        .open(&source, Access::Read)
        .map_err(|_| fatal("unable to open users/assign"))?;
    // Whoever edits users/assign makes users/cdb under the same lock.
    let _held = atomic::lock(&files, &source).map_err(|_| fatal("unable to lock users/assign"))?;
    let unreadable = |_| fatal("unable to read users/assign");
    if file.stat().map_err(unreadable)?.kind != Kind::File {
        return Err(fatal("unable to read users/assign"));
    }
    let text = files.read(&source, MAX_EDITED).map_err(unreadable)?;
    let assign = Assign::parse(&text).map_err(|_| fatal("bad format in users/assign"))?;
    let attributes = Attributes::mode(0o644);
    cdb_writer::publish(
        &files,
        &users.join("cdb"),
        assign.to_cdb_records(),
        attributes,
    )
    .map_err(|_| fatal("unable to write users/cdb.tmp"))?;
    Ok(Exit::OK)
}
