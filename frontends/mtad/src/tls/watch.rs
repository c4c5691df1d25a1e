//! Looks now and then whether the certificates' files have changed, as when they were renewed.

use crate::engine::News;
use crate::server::Server;
use crate::signals;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// Looks for as long as the runtime lives.
pub(crate) fn start(server: &Arc<Server>, tell: &UnboundedSender<News>) {
    let pause = Duration::from_secs(server.config.tls.watch);
    let (server, tell) = (Arc::clone(server), tell.clone());
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(pause).await;
            look(&server, &tell).await;
        }
    });
}

async fn look(server: &Arc<Server>, tell: &UnboundedSender<News>) {
    let (home, config) = (server.home.clone(), server.config.clone());
    let tls = server.snapshot().tls.clone();
    let before = tls.starttls();
    let read = tls.clone();
    let looked = server.pools.queue.run(move || {
        if read.is_stale(&home, &config) {
            read.read_again(&home, &config);
        }
    });
    // With the first certificate sessions begin to offer TLS, and that stands in the snapshot.
    if looked.await.is_ok() && tls.starttls() != before {
        signals::reload(server, tell).await;
    }
}
