//! Signals: TERM and INT stop, HUP reads control files and certificates again, ALRM retries everything (qmail-send(8), spec §5.6).

use crate::Failure;
use crate::engine::News;
use crate::server::{self, Server};
use crate::supervisor::{self, State};
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;

/// The signals that are obeyed. Once this is made none of them kills the process, and none is lost.
#[derive(Debug)]
pub struct Signals {
    stop: [Signal; 2],
    hup: Signal,
    alarm: Signal,
}

impl Signals {
    /// Begins to catch; needs a runtime.
    ///
    /// # Errors
    /// Fails where the system lets no signal be caught.
    pub fn catch() -> Result<Self, Failure> {
        Ok(Self {
            stop: [
                catch(SignalKind::terminate())?,
                catch(SignalKind::interrupt())?,
            ],
            hup: catch(SignalKind::hangup())?,
            alarm: catch(SignalKind::alarm())?,
        })
    }

    /// Obeys signals until one says to stop.
    pub async fn until_stopped(mut self, server: &Arc<Server>, tell: &UnboundedSender<News>) {
        let [term, int] = &mut self.stop;
        loop {
            tokio::select! {
                _ = term.recv() => return,
                _ = int.recv() => return,
                _ = self.hup.recv() => reload(server, tell).await,
                _ = self.alarm.recv() => {
                    // The engine lives as long as this task.
                    let _ = tell.send(News::RetryAll);
                }
            }
        }
    }
}

fn catch(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::temporary(format!("unable to catch signals: {error}")))
}

/// Puts control files and certificates as they are now in force; where they cannot be read the old
/// ones stay.
pub async fn reload(server: &Arc<Server>, tell: &UnboundedSender<News>) {
    supervisor::tell(State::Reloading);
    let (home, config) = (server.home.clone(), server.config.clone());
    let tls = server.snapshot().tls.clone();
    let loaded = server
        .pools
        .queue
        .run(move || {
            tls.read_again(&home, &config);
            server::load(&home, &config, tls)
        })
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
    supervisor::tell(State::Ready);
}
