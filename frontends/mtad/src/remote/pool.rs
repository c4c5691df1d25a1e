//! Connections that were used and may serve again (RFC 5321 §3.3: any number of transactions a session).

use super::{Connection, Line};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// Idle connections. Each lies in a task of its own that listens: a server that hangs up or says
/// 421 is noticed at once.
#[derive(Debug)]
pub struct Idle {
    kept: Duration,
    room: Arc<Semaphore>,
    lines: Mutex<HashMap<Line, Vec<Handle>>>,
}

/// The way to call a connection back from its task.
#[derive(Debug)]
struct Handle {
    recall: oneshot::Sender<oneshot::Sender<Connection>>,
}

impl Idle {
    /// Keeps at most `most` connections, each for `kept` at most.
    #[must_use]
    pub fn new(most: usize, kept: Duration) -> Self {
        Self {
            kept,
            room: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            lines: Mutex::default(),
        }
    }

    /// Takes a connection that is still alive.
    pub(super) async fn take(&self, to: &Line) -> Option<Connection> {
        loop {
            let handle = {
                let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
                let line = lines.get_mut(to)?;
                let handle = line.pop();
                if line.is_empty() {
                    lines.remove(to);
                }
                handle?
            };
            let (back, returned) = oneshot::channel();
            // Its task may have ended since, and the connection with it.
            if handle.recall.send(back).is_ok()
                && let Ok(link) = returned.await
            {
                return Some(link);
            }
        }
    }

    /// Keeps a connection, or says goodbye where there is no room.
    pub(super) fn keep(&self, to: Line, mut link: Connection) {
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            tokio::spawn(goodbye(link));
            return;
        };
        let (recall, mut recalled) = oneshot::channel();
        {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            // Handles of connections that ended by themselves would pile up otherwise.
            lines.retain(|_, line| {
                line.retain(|handle| !handle.recall.is_closed());
                !line.is_empty()
            });
            lines.entry(to).or_default().push(Handle { recall });
        }
        let kept = self.kept;
        tokio::spawn(async move {
            let _permit = permit;
            tokio::select! {
                biased;
                back = &mut recalled => {
                    if let Ok(back) = back {
                        let _ = back.send(link);
                    }
                }
                // Whatever an idle server says or does, it ends the connection.
                _ = link.next() => {}
                () = tokio::time::sleep(kept) => {
                    drop(recalled);
                    goodbye(link).await;
                }
            }
        });
    }
}

async fn goodbye(mut link: Connection) {
    link.machine().quit();
    while link.next().await.is_ok() {}
}
