//! Where messages are kept: opening the queue or the log of a home, and taking over what other programs hand in (docs/spool-log.md).

use crate::Failure;
use crate::log;
use crate::server::{Server, Snapshot};
use driver::{Clock, LogWriter};
use mta_core::ports::spool::MessageId;
use mta_core::queue::{PerChannel, Recovered};
use mta_core::rewrite::Routing;
use mta_store::door;
use mta_store::files::RealFiles;
use mta_store::log::Log;
use mta_store::queue::{Origin, Queue, QueueError, Standing};
use mta_store::store::{Route, Store};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// A spool that was opened, and what stands in it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) store: Store<RealFiles>,
    pub(crate) standing: Vec<Recovered>,
    pub(crate) held: Vec<MessageId>,
    /// Writes the log, where it is one.
    pub(crate) writer: Option<LogWriter<RealFiles>>,
}

/// Where the log of a queue lies.
pub(crate) fn log_dir(queue: &Queue<RealFiles>) -> PathBuf {
    queue.layout().dir().join("log")
}

/// Opens the log of the queue where it has one, else the queue itself, and takes stock.
pub(crate) fn open(
    queue: &Queue<RealFiles>,
    snapshot: &Arc<RwLock<Arc<Snapshot>>>,
) -> Result<Opened, Failure> {
    let unread =
        |error: QueueError| Failure::temporary(format!("unable to read the queue: {error}"));
    let standing = recover(queue).map_err(unread)?;
    let dir = log_dir(queue);
    if !Log::is_at(&RealFiles::new(), &dir).map_err(unread)? {
        return Ok(Opened {
            held: queue.held().map_err(unread)?,
            store: Store::queue(queue.clone(), route(snapshot)),
            standing: standing.into_iter().map(known).collect(),
            writer: None,
        });
    }
    let (log, found) = Log::open(Arc::new(RealFiles::new()), dir).map_err(unread)?;
    for said in found.damaged.iter().chain(&found.failed) {
        tracing::warn!("{said}");
    }
    for path in &found.removed {
        tracing::info!("removed what a crash left: {}", path.display());
    }
    door::settle(queue, &log, &found.doors).map_err(unread)?;
    let writer = LogWriter::start(log.clone(), once(|said| tracing::warn!("{said}")))
        .map_err(|error| Failure::temporary(format!("unable to start a thread: {error}")))?;
    Ok(Opened {
        store: Store::log(log, route(snapshot)),
        standing: found.standing.into_iter().map(known).collect(),
        held: found.held,
        writer: Some(writer),
    })
}

/// Opens the store of a queue to look at it, whoever writes it.
pub(crate) fn look(queue: &Queue<RealFiles>) -> Result<Store<RealFiles>, QueueError> {
    choose(queue, |dir| {
        Log::look_at(Arc::new(RealFiles::new()), dir).map(|(log, _)| log)
    })
}

/// Opens the store of a queue to change it; whoever calls drains the queue.
pub(crate) fn own(queue: &Queue<RealFiles>) -> Result<Store<RealFiles>, QueueError> {
    choose(queue, |dir| {
        Log::open(Arc::new(RealFiles::new()), dir).map(|(log, _)| log)
    })
}

fn choose(
    queue: &Queue<RealFiles>,
    open: impl FnOnce(PathBuf) -> Result<Log<RealFiles>, QueueError>,
) -> Result<Store<RealFiles>, QueueError> {
    // Nothing is routed by those who look or change.
    let nowhere: Route = Arc::new(|to| Routing::default().route(to));
    let dir = log_dir(queue);
    Ok(if Log::is_at(&RealFiles::new(), &dir)? {
        Store::log(open(dir)?, nowhere)
    } else {
        Store::queue(queue.clone(), nowhere)
    })
}

/// Tells of a trouble when it begins, not each time it is met.
fn once(mut tell: impl FnMut(&str)) -> impl FnMut(&QueueError) {
    let mut last = String::new();
    move |error| {
        let said = format!("unable to free room in the log: {error}");
        if said != last {
            tell(&said);
            last = said;
        }
    }
}

/// Sorts recipients by the control files of the moment.
fn route(snapshot: &Arc<RwLock<Arc<Snapshot>>>) -> Route {
    let snapshot = Arc::clone(snapshot);
    Arc::new(move |to| {
        let now = Arc::clone(&snapshot.read().unwrap_or_else(PoisonError::into_inner));
        now.controls.routing.route(to)
    })
}

/// Takes stock of the queue, and says what was broken.
fn recover(queue: &Queue<RealFiles>) -> Result<Vec<Standing>, QueueError> {
    let found = queue.recover()?;
    for one in &found.quarantined {
        log::put_aside(one);
    }
    for path in &found.mended {
        tracing::warn!("mended what was damaged: {}", path.display());
    }
    for path in &found.removed {
        tracing::info!("removed what a crash left: {}", path.display());
    }
    for said in &found.failed {
        tracing::warn!("{said}");
    }
    Ok(found.standing)
}

fn known(one: Standing) -> Recovered {
    Recovered {
        id: one.id,
        birth: one.birth,
        sender: one.sender,
        next: PerChannel::new(one.local, one.remote),
        bounced: one.bounce,
    }
}

/// Looks for messages that other programs have queued, and says by which numbers they are to be
/// delivered. Blocks.
pub(crate) fn arrivals(server: &Server, origin: Origin) -> Result<Vec<MessageId>, QueueError> {
    let queue = &server.queue;
    let todo = queue.todo()?;
    let Some(log) = server.store.as_log() else {
        return Ok(todo);
    };
    let mut taken = Vec::new();
    for id in queue.preprocessed()?.into_iter().chain(todo) {
        let snapshot = server.snapshot();
        let context = (Clock::unix(), origin);
        match door::take_in(queue, log, id, context, &snapshot.controls.routing) {
            Ok(id) => taken.push(id),
            Err(QueueError::Gone(_)) => {}
            Err(error) if error.is_broken() => put_aside(queue, id, &error),
            Err(error) => tracing::warn!("unable to take message {id} over: {error}"),
        }
    }
    Ok(taken)
}

fn put_aside(queue: &Queue<RealFiles>, id: MessageId, error: &QueueError) {
    match queue.quarantine(id, &error.to_string()) {
        Ok(aside) => log::put_aside(&aside),
        Err(other) => tracing::warn!("{error}; unable to put it aside: {other}"),
    }
}
