//! qmail-newmrh: makes control/morercpthosts.cdb of control/morercpthosts (qmail-newmrh(8)).

use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;
use mta_core::control::rules;
use mta_store::atomic::{self, Attributes, MAX_EDITED};
use mta_store::cdb_writer::{self, CdbError};
use mta_store::files::{Files, RealFiles};
use std::io::{Error, ErrorKind};

const TOOL: &str = "qmail-newmrh";

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let files = RealFiles::new();
    if !io.home.is_dir() {
        let what = format!("unable to chdir to {}", io.home.display());
        let error = io
            .home
            .metadata()
            .err()
            .unwrap_or_else(|| Error::from_raw_os_error(20));
        return Err(Failure::system(TOOL, &what, &error));
    }
    let control = io.home.join("control");
    let source = control.join("morercpthosts");
    let unreadable =
        |error: Error| Failure::system(TOOL, "unable to read control/morercpthosts", &error);
    if !files.exists(&source).map_err(unreadable)? {
        return Err(unreadable(Error::from_raw_os_error(2)));
    }
    let _held = atomic::lock(&files, &source).map_err(unreadable)?;
    let text = files.read(&source, MAX_EDITED).map_err(unreadable)?;
    let records = rules::lines(&text).map(|(_, line)| (line.to_ascii_lowercase(), b""));
    let target = control.join("morercpthosts.cdb");
    cdb_writer::publish(&files, &target, records, Attributes::mode(0o644)).map_err(|error| {
        let error = match error {
            CdbError::Io(error) => error,
            other => Error::new(ErrorKind::InvalidInput, other),
        };
        Failure::system(TOOL, "unable to write to control/morercpthosts.tmp", &error)
    })?;
    Ok(Exit::OK)
}
