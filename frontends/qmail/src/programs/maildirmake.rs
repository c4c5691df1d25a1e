//! maildirmake: makes a new Maildir (maildirmake(1)).

use crate::failure::Failure;
use crate::io::Io;
use crate::words::why;
use applet::Exit;
use mta_store::files::{Files, RealFiles};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const USAGE: &str = "maildirmake: usage: maildirmake name";

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let Some(name) = io.arguments.first() else {
        return Err(Failure::permanent(USAGE));
    };
    let (files, top) = (RealFiles::new(), PathBuf::from(name));
    make(&files, &top)?;
    for part in ["tmp", "new", "cur"] {
        make(&files, &top.join(part))?;
    }
    let above = match top.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    for path in [&top, above] {
        let synced = files.sync_dir(path);
        synced.map_err(|error| failed("sync", path, &error))?;
    }
    Ok(Exit::OK)
}

fn make(files: &RealFiles, path: &Path) -> Result<(), Failure> {
    let made = files.mkdir(path, 0o700);
    made.map_err(|error| failed("mkdir", path, &error))
}

fn failed(doing: &str, path: &Path, error: &std::io::Error) -> Failure {
    let mut text = format!("maildirmake: fatal: unable to {doing} ").into_bytes();
    text.extend_from_slice(path.as_os_str().as_bytes());
    text.extend_from_slice(format!(": {}", why(error)).as_bytes());
    Failure::temporary(text)
}
