//! Asks a running server to do something, or tells that none runs (see [`crate::requests`]).

use crate::Failure;
use crate::home::Home;
use crate::requests::Request;
use mta_store::files::RealFiles;
use mta_store::queue::{Drainer, Queue, QueueError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an answer of the server is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked for.
const PAUSE: Duration = Duration::from_millis(10);

type Lock = Drainer<mta_store::files::RealLock>;

/// Who drains the queue.
pub(super) enum Drains {
    /// A server, which has the order now.
    Server,
    /// Nobody; as long as this is held nobody else begins to.
    Nobody(Lock),
}

/// Opens the queue of a home.
pub(super) fn queue(home: &Home) -> Result<Queue<RealFiles>, Failure> {
    Queue::open(Arc::new(RealFiles::new()), home.queue()).map_err(failure)
}

/// Gives the order to the server, where one runs, and waits until it has obeyed.
pub(super) fn ask(
    home: &Home,
    queue: &Queue<RealFiles>,
    request: Request,
) -> Result<Drains, Failure> {
    ask_saying(home, queue, request, b"")
}

/// Gives an order that says something.
pub(super) fn ask_saying(
    home: &Home,
    queue: &Queue<RealFiles>,
    request: Request,
    said: &[u8],
) -> Result<Drains, Failure> {
    match queue.lock_drainer() {
        Ok(lock) => return Ok(Drains::Nobody(lock)),
        Err(QueueError::Busy) => {}
        Err(error) => return Err(failure(error)),
    }
    put(home, request, said)?;
    queue.pull_trigger();
    wait(home, request)?;
    Ok(Drains::Server)
}

/// Puts an order where the server finds it.
pub(super) fn put(home: &Home, request: Request, said: &[u8]) -> Result<(), Failure> {
    let directory = home.requests();
    let done = match said {
        b"" => request.put(&directory),
        said => request.put_saying(&directory, said),
    };
    let file = directory.join(request.file_name());
    done.map_err(|error| Failure::file("write", &file, &error))
}

/// Waits until the server has obeyed.
pub(super) fn wait(home: &Home, request: Request) -> Result<(), Failure> {
    let directory = home.requests();
    let file = directory.join(request.file_name());
    let obeyed = until(|| {
        let waits = request.waits(&directory);
        waits
            .map(|waits| !waits)
            .map_err(|error| Failure::file("look for", &file, &error))
    })?;
    if obeyed {
        Ok(())
    } else {
        Err(Failure::temporary(format!(
            "whoever drains the queue did not take the request {} within {} seconds",
            file.display(),
            PATIENCE.as_secs()
        )))
    }
}

/// Waits until something holds; false where it never did.
pub(super) fn until(mut holds: impl FnMut() -> Result<bool, Failure>) -> Result<bool, Failure> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if holds()? {
            return Ok(true);
        }
        std::thread::sleep(PAUSE);
    }
    Ok(false)
}

/// Lets a running server see changed control files; without one they are read at its start.
pub(super) fn reload(home: &Home) -> Result<(), Failure> {
    ask(home, &queue(home)?, Request::Reload).map(drop)
}

/// What the queue said, as a failure of a command.
pub(super) fn failure(error: QueueError) -> Failure {
    if error.is_temporary() {
        Failure::temporary(error.to_string())
    } else {
        Failure::permanent(error.to_string())
    }
}
