//! The control files that one program reads, and no others: it may not be allowed to read the rest (qmail-control(5)).

use crate::io::Io;
use mta_core::control::{Controls, LoadError, QmqpServers};
use mta_store::control_dir::ControlDir;
use mta_store::files::RealFiles;

/// Reads the named files; every other value is what it is where there is no such file.
///
/// # Errors
/// Fails where one of them cannot be read, or where `me`, which must be among them, says nothing.
pub(crate) fn load(io: &Io<'_>, names: &[&str]) -> Result<Controls, LoadError<std::io::Error>> {
    let files = RealFiles::new();
    let control = ControlDir::new(&files, io.home.join("control"));
    let loaded = Controls::load(|name| {
        if names.contains(&name) {
            control.read(name)
        } else {
            Ok(None)
        }
    })?;
    Ok(loaded.controls)
}

/// Reads qmqpservers, all that a host without a queue has.
///
/// # Errors
/// Fails where the file is there and cannot be read.
pub(crate) fn qmqpservers(io: &Io<'_>) -> std::io::Result<QmqpServers> {
    let files = RealFiles::new();
    let text = ControlDir::new(&files, io.home.join("control")).read("qmqpservers")?;
    Ok(QmqpServers::parse(&text.unwrap_or_default()))
}
