//! qmail-qstat: counts the messages in the queue (qmail-qstat(8)).

use crate::failure::{Failure, unwritten};
use crate::io::Io;
use crate::log_spool;
use applet::Exit;
use std::io::Write;
use std::path::Path;

const TOOL: &str = "qmail-qstat";

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let queue = io.home.join("queue");
    let mut messages = 0;
    for entry in directory(&queue.join("mess"))? {
        if entry.is_dir {
            messages += files(&queue.join("mess").join(entry.name))?;
        }
    }
    let waiting = files(&queue.join("todo"))?;
    let text = format!(
        "messages in queue: {messages}\nmessages in queue but not yet preprocessed: {waiting}\n"
    );
    let written = io.output.write_all(text.as_bytes());
    written.map_err(|error| unwritten(TOOL, &error))?;
    log_spool::warn(io, TOOL);
    Ok(Exit::OK)
}

struct Entry {
    name: std::ffi::OsString,
    is_dir: bool,
    is_file: bool,
}

fn files(path: &Path) -> Result<usize, Failure> {
    Ok(directory(path)?
        .iter()
        .filter(|entry| entry.is_file)
        .count())
}

fn directory(path: &Path) -> Result<Vec<Entry>, Failure> {
    let read = || -> std::io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            entries.push(Entry {
                name: entry.file_name(),
                is_dir: kind.is_dir(),
                is_file: kind.is_file(),
            });
        }
        Ok(entries)
    };
    read().map_err(|error| {
        Failure::system(TOOL, &format!("unable to read {}", path.display()), &error)
    })
}
