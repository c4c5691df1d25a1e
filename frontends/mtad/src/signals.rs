//! Signals: TERM and INT stop, HUP reads the control files again, ALRM retries everything (qmail-send(8), spec §5.6).

use crate::Failure;
use crate::engine::News;
use crate::server::{self, Server};
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;

/// Obeys signals until one says to stop.
///
/// # Errors
/// Fails where the system lets no signal be caught.
pub async fn until_stopped(
    server: &Arc<Server>,
    tell: &UnboundedSender<News>,
) -> Result<(), Failure> {
    let [mut term, mut int] = [
        catch(SignalKind::terminate())?,
        catch(SignalKind::interrupt())?,
    ];
    let [mut hup, mut alarm] = [catch(SignalKind::hangup())?, catch(SignalKind::alarm())?];
    loop {
        tokio::select! {
            _ = term.recv() => return Ok(()),
            _ = int.recv() => return Ok(()),
            _ = hup.recv() => reload(server, tell).await,
            _ = alarm.recv() => {
                // The engine lives as long as this task.
                let _ = tell.send(News::RetryAll);
            }
        }
    }
}

fn catch(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::temporary(format!("unable to catch signals: {error}")))
}

/// Puts the control files as they are now in force; where they cannot be read the old ones stay.
pub async fn reload(server: &Arc<Server>, tell: &UnboundedSender<News>) {
    let (home, config) = (server.home.clone(), server.config.clone());
    let loaded = server
        .pools
        .queue
        .run(move || server::load(&home, &config))
        .await;
    match loaded {
        Ok(Ok((snapshot, findings))) => {
            server::tell(&findings);
            server.replace_snapshot(snapshot);
            let _ = tell.send(News::Reloaded);
            tracing::info!("control files read again");
        }
        Ok(Err(failure)) => tracing::error!("unable to reread controls: {failure}"),
        Err(error) => tracing::error!("unable to reread controls: {error}"),
    }
}
