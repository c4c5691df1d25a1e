//! The log in which `mtad` keeps messages, which qmail's programs neither show nor drain (docs/spool-log.md).

use crate::io::Io;
use mta_store::files::RealFiles;
use mta_store::log::Log;
use mta_store::queue::QueueError;
use std::sync::Arc;

/// Counts the messages that stand in the log of the home's queue; none where it has no log.
///
/// # Errors
/// Fails where there is a log that cannot be read.
pub(crate) fn messages(io: &Io<'_>) -> Result<usize, QueueError> {
    let dir = io.home.join("queue/log");
    if !Log::is_at(&RealFiles::new(), &dir)? {
        return Ok(0);
    }
    let (log, _) = Log::look_at(Arc::new(RealFiles::new()), dir)?;
    Ok(log.len())
}

/// Says on standard error what a program that reads the queue does not show.
pub(crate) fn warn(io: &mut Io<'_>, program: &str) {
    let dir = io.home.join("queue/log").display().to_string();
    let line = match messages(io) {
        Ok(0) => return,
        Ok(count) => format!(
            "{program}: warning: not shown: {count} in {dir}, where mtad keeps messages; mtad queue list shows them\n"
        ),
        Err(error) => {
            format!("{program}: warning: not shown: what is in {dir}: {error}\n")
        }
    };
    // Nobody hears it where the descriptor is closed, and the list is right all the same.
    let _ = io.errors.write_all(line.as_bytes());
}
