//! Watches the queue for what other processes put there: lock/trigger, todo/, requests, leftovers (qmail-send(8), INTERNALS).

use crate::Failure;
use crate::engine::News;
use crate::orders;
use crate::requests::{self, Request};
use crate::server::Server;
use crate::{serve, signals, spools};
use driver::Clock;
use mta_core::ports::spool::MessageId;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::sync::mpsc::UnboundedSender;

/// How often the leftovers of writers that died are looked for, as qmail-send does.
const REAP: Duration = Duration::from_secs(76_431);
/// How long the trigger is left alone after a scan, so that a flood of pulls costs little.
const BREATH: Duration = Duration::from_millis(20);

/// Starts watching; begins with a look at everything.
///
/// # Errors
/// Fails where the trigger cannot be opened.
pub fn start(server: &Arc<Server>, tell: &UnboundedSender<News>) -> Result<(), Failure> {
    let path = server.queue.layout().trigger();
    // Open for writing too, so that the last writer's close does not look like an end.
    let trigger = pipe::OpenOptions::new()
        .read_write(true)
        .open_receiver(&path)
        .map_err(|error| Failure::file("open", &path, &error))?;
    tokio::spawn(look(Arc::clone(server), tell.clone(), trigger));
    tokio::spawn(reap(Arc::clone(server)));
    Ok(())
}

async fn look(server: Arc<Server>, tell: UnboundedSender<News>, trigger: pipe::Receiver) {
    let pause = Duration::from_secs(server.config.timeouts.todo);
    loop {
        scan(&server, &tell).await;
        tokio::time::sleep(BREATH).await;
        // Whoever pulls from here on is seen in the next round.
        let _ = tokio::time::timeout(pause, trigger.readable()).await;
        drain(&trigger);
    }
}

fn drain(trigger: &pipe::Receiver) {
    let mut pulls = [0; 512];
    while trigger.try_read(&mut pulls).is_ok_and(|n| n > 0) {}
}

async fn scan(server: &Arc<Server>, tell: &UnboundedSender<News>) {
    let (looked, directory) = (Arc::clone(server), server.home.requests());
    let found = server
        .pools
        .queue
        .run(move || {
            let found = spools::arrivals(&looked, serve::origin());
            (found, requests::list(&directory))
        })
        .await;
    let Ok((todo, asked)) = found else {
        return;
    };
    match todo {
        Ok(ids) => {
            for id in ids {
                let _ = tell.send(News::Found(id));
            }
        }
        Err(error) => tracing::warn!("unable to look for new messages: {error}"),
    }
    match asked {
        Ok(asked) => obey(server, tell, asked).await,
        Err(error) => tracing::warn!("unable to look for requests: {error}"),
    }
}

async fn obey(server: &Arc<Server>, tell: &UnboundedSender<News>, asked: Vec<Request>) {
    for request in asked {
        match request {
            Request::Reload => signals::reload(server, tell).await,
            Request::Hold(id) | Request::Release(id) | Request::Reroute(id) => {
                if keep(server, request, id).await {
                    let _ = tell.send(News::Asked(request));
                }
            }
            other => drop(tell.send(News::Asked(other))),
        }
        let directory = server.home.requests();
        let done = server
            .pools
            .queue
            .run(move || request.done(&directory))
            .await;
        if let Ok(Err(error)) = done {
            tracing::warn!(
                "unable to remove the request {}: {error}",
                request.file_name()
            );
        }
    }
}

/// Keeps an order beside its message, so that it outlives this process; false where that failed.
async fn keep(server: &Arc<Server>, request: Request, id: MessageId) -> bool {
    let (store, directory) = (server.store.clone(), server.home.requests());
    let work = move || orders::keep(&store, request, id, &directory);
    let name = request.file_name();
    match server.pools.queue.run(work).await {
        Ok(Ok(())) => {
            tracing::info!("msg {id}: {name} is in force");
            true
        }
        Ok(Err(error)) => {
            tracing::warn!("unable to obey the request {name}: {error}");
            false
        }
        Err(_) => false,
    }
}

async fn reap(server: Arc<Server>) {
    loop {
        let queue = server.queue.clone();
        let reaped = server
            .pools
            .queue
            .run(move || queue.reap(Clock::unix()))
            .await;
        match reaped {
            Ok(Ok(reaped)) => {
                for path in reaped.removed {
                    tracing::info!("removed what a dead writer left: {}", path.display());
                }
                for said in reaped.failed {
                    tracing::warn!("{said}");
                }
            }
            Ok(Err(error)) => tracing::warn!("unable to look for leftovers: {error}"),
            Err(_) => return,
        }
        tokio::time::sleep(REAP).await;
    }
}
