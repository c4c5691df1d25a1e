//! Remote delivery: route, connect, converse; the next host where one does not serve (qmail-remote(8), RFC 5321 §5, RFC 3207).

mod body;
mod line;
mod pool;
mod unreachable;

pub use pool::Idle;

use crate::orders;
use crate::server::Server;
use delivery::remote::Way;
use driver::{Clock, Closed, Link};
use line::Line;
use mta_core::mx::Target;
use mta_core::ports::Resolver;
use mta_core::ports::spool::MessageId;
use mta_core::queue::Delivery;
use mta_core::report::Report;
use mta_core::tls_level::Level;
use mta_proto::smtp::client::{self, Client, Event, NO_CONNECTION, Transaction};
use mta_proto::{Chunk, Ticket};
use mta_store::queue::Params;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

type Connection = Link<Client, TcpStream>;

/// Everything that remote deliveries share.
pub struct Remote {
    server: Arc<Server>,
    resolver: Arc<dyn Resolver>,
    idle: Idle,
    unreachable: unreachable::Unreachable,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}

/// What came of one host.
enum Outcome {
    Reports(Vec<Report>),
    /// Nothing is decided; this is what to tell if no other host serves.
    NextHost(Report),
    /// The connection had been used before and is dead; a new one may serve.
    Stale,
    /// The handshake failed, for this reason; nothing was handed over.
    NoTls(String),
}

/// What is to be handed over.
struct Letter {
    id: MessageId,
    transaction: Transaction,
    body: body::Body,
}

impl Remote {
    /// Delivers through this resolver.
    pub fn new(server: Arc<Server>, resolver: Arc<dyn Resolver>) -> Self {
        let limits = &server.config.limits;
        let kept = Duration::from_secs(server.config.timeouts.remote_idle);
        Self {
            idle: Idle::new(limits.remote_idle, kept),
            server,
            resolver,
            unreachable: unreachable::Unreachable::default(),
        }
    }

    /// Forgets which hosts could not be reached.
    pub fn forget(&self) {
        self.unreachable.forget();
    }

    /// Delivers and returns one report for each recipient, in their order.
    pub async fn deliver(&self, delivery: Delivery) -> Vec<Report> {
        let recipients = delivery.recipients.len();
        match self.attempt(delivery).await {
            Ok(reports) => reports,
            Err(report) => vec![report; recipients],
        }
    }

    async fn attempt(&self, delivery: Delivery) -> Result<Vec<Report>, Report> {
        let Some(host) = delivery.host() else {
            let text = "Sorry, address must include host name. (#5.1.3)\n";
            return Err(Report::failure(text));
        };
        let tls = &self.server.config.tls;
        let level = tls.routes.find(host).unwrap_or(tls.outgoing);
        let (body, params) = self.open(delivery.id).await?;
        let targets = match params.rerouted(host) {
            Some(relays) => self.rerouted(host, relays).await?,
            None => self.targets(host).await?,
        };
        let transaction = Transaction {
            from: delivery.sender,
            recipients: delivery.recipients,
            params: params.mail,
            // Line ends grow on the wire; about so many lines is usual for mail.
            size: Some(body.len().saturating_add(body.len() / 40)),
        };
        let letter = Letter {
            id: delivery.id,
            transaction,
            body,
        };
        let mut last = None;
        for target in &targets {
            match self.try_line(&Line::new(target, level), &letter).await {
                Ok(reports) => return Ok(reports),
                Err(None) => {}
                Err(said) => last = said,
            }
        }
        Err(last.unwrap_or_else(|| Report::deferral(NO_CONNECTION)))
    }

    /// Tries one address: over an idle connection, else over a new one; where TLS fails and the
    /// clear will do, over another in the clear.
    async fn try_line(&self, line: &Line, letter: &Letter) -> Result<Vec<Report>, Option<Report>> {
        while let Some(link) = self.idle.take(line).await {
            match self.converse(link, line, letter).await {
                Outcome::Reports(reports) => return Ok(reports),
                Outcome::NextHost(report) => return Err(Some(report)),
                Outcome::Stale | Outcome::NoTls(_) => {}
            }
        }
        if self.unreachable.is_known(line.address.ip(), Clock::unix()) {
            return Err(None);
        }
        let link = self.connect(line, line.wanted()).await.ok_or(None)?;
        let mut outcome = self.converse(link, line, letter).await;
        if let (Outcome::NoTls(why), Level::May) = (&outcome, line.level) {
            let (id, ip) = (letter.id, line.address.ip());
            tracing::info!("msg {id}: {ip}: TLS failed, going on in the clear: {why}");
            let link = self.connect(line, client::Tls::Never).await.ok_or(None)?;
            outcome = self.converse(link, line, letter).await;
        }
        match outcome {
            Outcome::Reports(reports) => Ok(reports),
            Outcome::NextHost(report) => Err(Some(report)),
            Outcome::Stale => Err(None),
            Outcome::NoTls(why) => {
                let ip = line.address.ip();
                let text = format!("Connected to {ip} but TLS failed: {why}. (#4.7.5)\n");
                Err(Some(Report::deferral(text)))
            }
        }
    }

    async fn connect(&self, line: &Line, wanted: client::Tls) -> Option<Connection> {
        let address = line.address;
        let snapshot = self.server.snapshot();
        let limit = snapshot.controls.timeoutconnect;
        let connected = tokio::time::timeout(limit, TcpStream::connect(address)).await;
        let timed_out = match &connected {
            Err(_) => true,
            Ok(Err(error)) => error.kind() == std::io::ErrorKind::TimedOut,
            Ok(Ok(_)) => false,
        };
        self.unreachable
            .note(address.ip(), timed_out, Clock::unix());
        let stream = connected.ok()?.ok()?;
        let _ = stream.set_nodelay(true);
        let clock = self.server.clock();
        let config = client::Config {
            tls: wanted,
            ..(*snapshot.client).clone()
        };
        let client = Client::new(Arc::new(config), address.ip().to_string(), clock.now());
        let tls = &snapshot.tls.client;
        let handshake = tls.handshake(&line.host, address.ip(), line.trust());
        Some(Link::new(client, stream, clock).with_tls(handshake))
    }

    /// Hands one message over and keeps the connection where it can serve again.
    async fn converse(&self, mut link: Connection, line: &Line, letter: &Letter) -> Outcome {
        let mut waiting = Some(letter.transaction.clone());
        if link.machine().is_ready() {
            begin(&mut link, &mut waiting);
        }
        let mut at = 0;
        loop {
            match link.next().await {
                Ok(Event::Ready { .. }) => begin(&mut link, &mut waiting),
                Ok(Event::Need(ticket)) => {
                    at = self.feed(&mut link, ticket, &letter.body, at).await;
                }
                Ok(Event::Finished(reports)) => {
                    if let Some(facts) = link.tls() {
                        let (id, ip) = (letter.id, line.address.ip());
                        tracing::info!("msg {id}: {ip}: {facts}, {line}");
                    }
                    if link.machine().is_ready() {
                        self.idle.keep(line.clone(), link);
                    }
                    return Outcome::Reports(reports);
                }
                Ok(Event::Unusable {
                    report,
                    try_next_mx,
                }) if try_next_mx => {
                    return Outcome::NextHost(report);
                }
                Ok(Event::Unusable { .. }) => return Outcome::Stale,
                Ok(_) => {}
                Err(Closed::Handshake(error)) => {
                    let printable = |c: char| if c.is_control() { '?' } else { c };
                    return Outcome::NoTls(error.to_string().chars().map(printable).collect());
                }
                Err(closed) => {
                    let ip = line.address.ip();
                    tracing::warn!("connection to {ip} ended without a word: {closed}");
                    let text = format!("Connected to {ip} but connection died. (#4.4.2)\n");
                    return Outcome::NextHost(Report::deferral(text));
                }
            }
        }
    }

    /// Answers one question for more of the body and returns how far it is sent now.
    async fn feed(
        &self,
        link: &mut Connection,
        ticket: Ticket<Chunk>,
        body: &body::Body,
        at: u64,
    ) -> u64 {
        let reading = body.piece(&self.server.pools.queue, at);
        // Where the connection breaks meanwhile the machine says what that means.
        let chunk = link.while_waiting(reading).await.unwrap_or(Chunk::Failed);
        let next = match &chunk {
            Chunk::Bytes(bytes) => at + bytes.len() as u64,
            _ => at,
        };
        link.machine().chunk(ticket, chunk);
        next
    }

    async fn open(&self, id: MessageId) -> Result<(body::Body, Params), Report> {
        let queue = self.server.store.clone();
        let work = move || {
            let params = queue.params(id)?;
            Ok::<_, mta_store::queue::QueueError>((queue.open_message(id)?, params))
        };
        let opened = self.server.pools.queue.run(work).await;
        match opened {
            Ok(Ok((message, params))) => Ok((body::Body::new(message), params)),
            Ok(Err(error)) => {
                tracing::warn!("unable to open message {id}: {error}");
                Err(Report::deferral("Unable to read message. (#4.3.0)\n"))
            }
            Err(_) => Err(Report::deferral(
                "System resources temporarily unavailable. (#4.3.0)\n",
            )),
        }
    }

    /// Finds where an administrator wants mail to go: by each relay in turn, without looking at
    /// smtproutes.
    async fn rerouted(&self, host: &[u8], relays: &[Vec<u8>]) -> Result<Vec<Target>, Report> {
        let mut targets = Vec::new();
        let mut last = Report::deferral("No host to send to is named. (#4.4.4)\n");
        for relay in relays {
            let Some(routes) = orders::relay(relay) else {
                continue;
            };
            let way = Way {
                routes: &routes,
                own: &self.server.own(),
                port: self.server.config.testing.remote_port,
            };
            match way.targets(host, &*self.resolver).await {
                Ok(found) => targets.extend(found),
                // The order is to be mended; mail must not bounce for it.
                Err(report) => last = Report::deferral(report.text),
            }
        }
        if targets.is_empty() {
            Err(last)
        } else {
            Ok(targets)
        }
    }

    async fn targets(&self, host: &[u8]) -> Result<Vec<Target>, Report> {
        let snapshot = self.server.snapshot();
        let way = Way {
            routes: &snapshot.controls.smtproutes,
            own: &self.server.own(),
            port: self.server.config.testing.remote_port,
        };
        way.targets(host, &*self.resolver).await
    }
}

fn begin(link: &mut Connection, waiting: &mut Option<Transaction>) {
    if let Some(transaction) = waiting.take() {
        // A machine that is not ready hands it back and says by itself why.
        *waiting = link.machine().begin(transaction).err();
    }
}
