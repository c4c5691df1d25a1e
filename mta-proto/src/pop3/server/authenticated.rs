//! A session of somebody whom another program let in: it begins in the transaction state (RFC 1939 §5, qmail-pop3d(8)).

use super::{Config, Listing, Maildrop, Phase, Server};
use mta_core::Mono;
use std::sync::Arc;

impl Server {
    /// Begins a session after a login that was settled elsewhere, with this maildrop. The greeting
    /// is the answer that the client waits for since it sent its password.
    ///
    /// ```
    /// use mta_core::Mono;
    /// use mta_proto::Machine;
    /// use mta_proto::pop3::{Config, Listing, Server};
    ///
    /// let mut server = Server::authenticated(Config::default().into(), Mono::ZERO, Listing::new(10));
    /// server.wire_mut().push(b"STAT\r\n");
    /// let _ = server.poll(Mono::ZERO);
    /// assert_eq!(server.wire().output(), b"+OK POP3 ready\r\n+OK 0 0\r\n");
    /// ```
    #[must_use]
    pub fn authenticated(config: Arc<Config>, now: Mono, listing: Listing) -> Self {
        let mut server = Self::start(config, now, None);
        server.phase = Phase::Transaction(Box::new(Maildrop { listing, last: 0 }));
        server
    }
}
