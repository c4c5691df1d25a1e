//! `mtad queue convert` and `mtad queue fsck`: from one way of keeping messages to the other, and whether what is kept is sound (docs/spool-log.md).

use super::ask;
use crate::cli::Spool;
use crate::home::Home;
use crate::{Failure, serve, spools};
use driver::Clock;
use mta_store::control_dir::ControlDir;
use mta_store::door;
use mta_store::files::RealFiles;
use mta_store::log::Log;
use mta_store::queue::{Queue, QueueError};
use std::io::Write;
use std::sync::Arc;

/// Converts; nobody may drain the queue meanwhile.
pub(super) fn run(home: &Home, to: Spool, out: &mut dyn Write) -> Result<(), Failure> {
    let queue = ask::queue(home)?;
    let _drainer = queue.lock_drainer().map_err(|error| match error {
        QueueError::Busy => {
            Failure::temporary("stop mtad or qmail-send first: it drains the queue")
        }
        other => ask::failure(other),
    })?;
    let moved = match to {
        Spool::Log => to_log(home, &queue)?,
        Spool::Qmail => to_queue(&queue)?,
    };
    let plural = if moved == 1 { "" } else { "s" };
    let name = match to {
        Spool::Log => "queue/log",
        Spool::Qmail => "qmail's layout",
    };
    writeln!(
        out,
        "{moved} message{plural} moved; {name} is in use from now on"
    )?;
    Ok(())
}

fn to_log(home: &Home, queue: &Queue<RealFiles>) -> Result<usize, Failure> {
    let controls = ControlDir::new(&RealFiles::new(), home.control()).load();
    let controls = controls
        .map_err(|error| Failure::temporary(format!("unable to read controls: {error}")))?
        .controls;
    let files = Arc::new(RealFiles::new());
    let dir = spools::log_dir(queue);
    Log::create(&*files, &dir).map_err(ask::failure)?;
    let (log, found) = Log::open(files, &dir).map_err(ask::failure)?;
    door::settle(queue, &log, &found.doors).map_err(ask::failure)?;
    let preprocessed = queue.preprocessed().map_err(ask::failure)?;
    let all = preprocessed
        .into_iter()
        .chain(queue.todo().map_err(ask::failure)?);
    let mut moved = 0;
    for id in all {
        let context = (Clock::unix(), serve::origin());
        match door::take_in(queue, &log, id, context, &controls.routing) {
            Ok(_) => moved += 1,
            Err(QueueError::Gone(_)) => {}
            Err(error) => return Err(ask::failure(error)),
        }
    }
    Ok(moved)
}

fn to_queue(queue: &Queue<RealFiles>) -> Result<usize, Failure> {
    let dir = spools::log_dir(queue);
    if !Log::is_at(&RealFiles::new(), &dir).map_err(ask::failure)? {
        return Ok(0);
    }
    let (log, found) = Log::open(Arc::new(RealFiles::new()), &dir).map_err(ask::failure)?;
    door::settle(queue, &log, &found.doors).map_err(ask::failure)?;
    let ids = log.ids();
    for &id in &ids {
        door::put_back(queue, &log, id, serve::origin()).map_err(ask::failure)?;
    }
    drop(log);
    let kept = dir.with_file_name("log.old");
    std::fs::rename(&dir, &kept).map_err(|error| Failure::file("rename", &dir, &error))?;
    // Nothing in it counts; what was damaged stays for whoever wants to look.
    let damaged = !found.damaged.is_empty() || has_damaged(&kept)?;
    if !damaged {
        std::fs::remove_dir_all(&kept).map_err(|error| Failure::file("remove", &kept, &error))?;
    }
    Ok(ids.len())
}

fn has_damaged(dir: &std::path::Path) -> Result<bool, Failure> {
    let entries = std::fs::read_dir(dir).map_err(|error| Failure::file("read", dir, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| Failure::file("read", dir, &error))?;
        if entry.file_name().to_string_lossy().starts_with("damaged.") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads everything that is kept and compares it with its check sums; changes nothing.
pub(super) fn fsck(home: &Home, out: &mut dyn Write) -> Result<(), Failure> {
    let queue = ask::queue(home)?;
    let dir = spools::log_dir(&queue);
    if !Log::is_at(&RealFiles::new(), &dir).map_err(ask::failure)? {
        return Err(Failure::permanent(format!(
            "{} is not there: a queue in qmail's layout is checked when mtad starts",
            dir.display()
        )));
    }
    let (log, found) = Log::look_at(Arc::new(RealFiles::new()), &dir).map_err(ask::failure)?;
    let mut troubles = 0;
    for said in found.damaged.iter().chain(&found.failed) {
        writeln!(out, "{said}")?;
        troubles += 1;
    }
    for id in log.ids() {
        match log.verify(id) {
            Ok(()) => {}
            Err(error) if error.is_broken() => {
                writeln!(out, "message {id}: {error}")?;
                troubles += 1;
            }
            // It was delivered while we looked.
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(ask::failure(error)),
        }
    }
    writeln!(out, "{} messages, {troubles} troubles", log.len())?;
    if troubles == 0 {
        Ok(())
    } else {
        Err(Failure::permanent(
            "the log is damaged; mtad puts aside what it cannot read",
        ))
    }
}
