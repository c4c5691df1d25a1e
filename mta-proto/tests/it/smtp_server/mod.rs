//! The SMTP server session, judged from outside (RFC 5321).

mod auth;
mod hostile;
mod look_ahead;
mod model;
mod parameters;
mod smuggling;
mod start_tls;
mod timeouts;
mod transcripts;

use mta_proto::smtp::server::Config;
use std::sync::Arc;

/// Default settings, changed by `change`.
fn config(change: impl FnOnce(&mut Config)) -> Arc<Config> {
    let mut config = Config::new("mx.example.org");
    change(&mut config);
    Arc::new(config)
}
