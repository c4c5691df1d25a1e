//! Listeners: ports are bound before privileges are dropped, connections are counted and refused beyond their limits.

use crate::Failure;
use crate::proxied::{self, Proxies};
use crate::rules::{self, Admission, Shut};
use crate::server::Server;
use crate::stop::{Phase, Stop};
use mta_core::abuse::{Place, Rule};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// How long accepting pauses when the system has no descriptors or memory left.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a refused client may take for the refusal.
const REFUSAL: Duration = Duration::from_secs(2);

/// A bound port.
#[derive(Debug)]
pub struct Bound {
    /// Where it is; with the port that the system chose for port 0.
    pub address: SocketAddr,
    socket: std::net::TcpListener,
}

/// Binds addresses.
///
/// # Errors
/// Names the address that cannot be bound.
pub fn bind(service: &str, addresses: &[SocketAddr]) -> Result<Vec<Bound>, Failure> {
    let one = |&wanted: &SocketAddr| {
        let bound = std::net::TcpListener::bind(wanted).and_then(Bound::inherited);
        bound.map_err(|error| {
            Failure::temporary(format!(
                "unable to listen for {service} on {wanted}: {error}"
            ))
        })
    };
    addresses.iter().map(one).collect()
}

impl Bound {
    /// Takes a socket that somebody else has bound.
    ///
    /// # Errors
    /// Fails where it has no address or cannot be made not to block.
    pub fn inherited(socket: std::net::TcpListener) -> std::io::Result<Self> {
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Self { address, socket })
    }

    /// Hands the socket to the runtime.
    ///
    /// # Errors
    /// Fails outside a runtime, or where the system does not watch the socket.
    pub fn listen(self) -> std::io::Result<TcpListener> {
        TcpListener::from_std(self.socket)
    }
}

/// Descriptors that sessions leave to queue, deliveries, DNS and log, at most.
const RESERVED: usize = 512;
/// Descriptors of a session: its connection and the file it writes or reads.
const PER_SESSION: usize = 2;

/// Cuts the wanted numbers of SMTP and POP3 sessions in proportion to what `files` open files allow.
#[must_use]
pub fn room_for_sessions(files: usize, (smtp, pop3): (usize, usize)) -> (usize, usize) {
    let room = files.saturating_sub(RESERVED.min(files / 2)) / PER_SESSION;
    let wanted = smtp.saturating_add(pop3);
    if wanted <= room {
        return (smtp, pop3);
    }
    // In 128 bits nothing overflows, and the result is smaller than what went in.
    let share = |part: usize| {
        let share = (part as u128 * room as u128) / wanted.max(1) as u128;
        usize::try_from(share).unwrap_or(part).clamp(1, part.max(1))
    };
    (share(smtp), share(pop3))
}

/// Counts the sessions of one service, and those of each client address and of each network.
#[derive(Debug)]
pub struct Gate {
    rule: &'static str,
    limit: usize,
    per_client: usize,
    per_network: usize,
    inside: Mutex<Inside>,
    empty: Notify,
    numbers: AtomicU64,
}

#[derive(Debug, Default)]
struct Inside {
    total: usize,
    /// Only places with sessions stand here, so `limit` bounds it.
    places: HashMap<Place, usize>,
}

impl Inside {
    fn leave(&mut self, place: Place) {
        if let Some(own) = self.places.get_mut(&place) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                self.places.remove(&place);
            }
        }
    }
}

/// A refusal at the door: the limit's name in mtad.toml, and the words for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The setting.
    pub rule: String,
    /// The reason.
    pub reason: &'static str,
}

impl Refused {
    fn by(rule: &str, reason: &'static str) -> Self {
        let rule = rule.to_owned();
        Self { rule, reason }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (rule {})", self.reason, self.rule)
    }
}

impl From<Rule> for Refused {
    fn from(rule: Rule) -> Self {
        Self::by(&rule.to_string(), rule.reason())
    }
}

/// One session's place; dropping it gives the place back.
#[derive(Debug)]
pub struct Pass {
    gate: Arc<Gate>,
    /// `None` as long as it is not known who comes through a proxy.
    client: Option<IpAddr>,
    number: u64,
    entry: Entry,
    /// What the client connected to, where a proxy told.
    local: Option<SocketAddr>,
    /// What is set for the client.
    rule: Admission,
}

impl Gate {
    /// Lets `limit` sessions in, a setting of this name, `per_client` of them from one address and
    /// `per_network` from one network.
    #[must_use]
    pub fn new(
        (rule, limit): (&'static str, usize),
        per_client: usize,
        per_network: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            rule,
            limit,
            per_client,
            per_network,
            inside: Mutex::default(),
            empty: Notify::new(),
            numbers: AtomicU64::new(1),
        })
    }

    /// Gives a place, or says which limit is reached.
    ///
    /// # Errors
    /// Fails where there is none.
    pub fn enter(self: &Arc<Self>, client: IpAddr) -> Result<Pass, Refused> {
        let mut pass = self.reserve()?;
        pass.admit(client)?;
        Ok(pass)
    }

    /// Gives a place to a client that is not known yet; it counts for nobody until
    /// [`Pass::admit`].
    ///
    /// # Errors
    /// Fails where there is none.
    pub fn reserve(self: &Arc<Self>) -> Result<Pass, Refused> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.total >= self.limit {
            return Err(Refused::by(self.rule, "too many connections"));
        }
        inside.total += 1;
        Ok(Pass {
            gate: Arc::clone(self),
            client: None,
            number: self.numbers.fetch_add(1, Ordering::Relaxed),
            entry: Entry::default(),
            local: None,
            rule: Admission::default(),
        })
    }

    fn leave(&self, client: IpAddr) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.leave(Place::address(client));
        inside.leave(Place::network(client));
    }

    /// Waits until nobody is inside.
    pub async fn emptied(&self) {
        loop {
            let empty = self.empty.notified();
            if self
                .inside
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .total
                == 0
            {
                return;
            }
            empty.await;
        }
    }
}

impl Pass {
    /// Counts the session as one of `client`, once.
    ///
    /// # Errors
    /// Fails where that client or its network has too many.
    pub fn admit(&mut self, client: IpAddr) -> Result<(), Refused> {
        let mut inside = self
            .gate
            .inside
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (address, network) = (Place::address(client), Place::network(client));
        let has = |place| inside.places.get(&place).copied().unwrap_or_default();
        if has(address) >= self.gate.per_client {
            let reason = "too many connections from your address";
            return Err(Refused::by("sessions_per_client", reason));
        }
        if has(network) >= self.gate.per_network {
            let reason = "too many connections from your network";
            return Err(Refused::by("sessions_per_network", reason));
        }
        for place in [address, network] {
            *inside.places.entry(place).or_default() += 1;
        }
        self.client = Some(client);
        Ok(())
    }

    /// Counts the session as one of another client instead.
    ///
    /// # Errors
    /// Fails where that client or its network has too many; then it counts for nobody.
    pub fn transfer(&mut self, client: IpAddr) -> Result<(), Refused> {
        if let Some(before) = self.client.take() {
            self.gate.leave(before);
        }
        self.admit(client)
    }

    /// The address of ours that the client connected to.
    #[must_use]
    pub fn local(&self, stream: &TcpStream) -> Option<SocketAddr> {
        self.local.or_else(|| stream.local_addr().ok())
    }

    /// What a rule says of the client.
    #[must_use]
    pub const fn rule(&self) -> &Admission {
        &self.rule
    }

    /// The session's number in the log.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// How the session begins.
    #[must_use]
    pub const fn entry(&self) -> Entry {
        self.entry
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(client) = self.client {
            self.gate.leave(client);
        }
        let mut inside = self
            .gate
            .inside
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        inside.total = inside.total.saturating_sub(1);
        if inside.total == 0 {
            self.gate.empty.notify_waiters();
        }
    }
}

/// How a connection begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are these two ways")]
pub enum Entry {
    /// In the clear.
    #[default]
    Clear,
    /// With a TLS handshake (RFC 8314 §3).
    Tls,
}

/// What a listener needs to know of its service.
#[derive(Clone, Debug)]
pub struct Service {
    /// `smtp`, `smtps`, `pop3`, `pop3s`, `qmtp` or `qmqp`.
    pub name: &'static str,
    /// How a connection begins.
    pub entry: Entry,
    /// What a client reads before and behind the reason who finds no place; `None` where the
    /// protocol has no word for it.
    pub refusal: Option<(&'static str, &'static str)>,
    /// The places.
    pub gate: Arc<Gate>,
    /// Who knows how often clients may come.
    pub server: Arc<Server>,
    /// Who hands on the connections of others.
    pub proxies: Proxies,
    /// When to end.
    pub stop: Stop,
}

/// Accepts until the server stops; every connection becomes a task of its own.
pub async fn accept<F, T>(listener: TcpListener, mut service: Service, session: F)
where
    F: Fn(TcpStream, SocketAddr, Pass) -> T + Clone + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = service.stop.reached(Phase::Finish) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                let name = service.name;
                tracing::warn!("{name}: unable to accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Replies are written whole, so waiting for more bytes gains nothing.
        let _ = stream.set_nodelay(true);
        if service.proxies.list(peer.ip()) {
            match service.gate.reserve() {
                Ok(pass) => {
                    let (service, session) = (service.clone(), session.clone());
                    tokio::spawn(handed_on(stream, peer, pass, service, session));
                }
                Err(refused) => refuse(stream, peer, &service, &refused),
            }
            continue;
        }
        let counted = service.server.count_connection(peer.ip());
        let entered = counted.map_err(Refused::from);
        match entered.and_then(|()| service.gate.enter(peer.ip())) {
            Ok(mut pass) => {
                pass.entry = service.entry;
                let (service, session) = (service.clone(), session.clone());
                tokio::spawn(ruled(stream, peer, pass, service, session));
            }
            Err(refused) => refuse(stream, peer, &service, &refused),
        }
    }
}

/// Asks a proxy whose connection it hands on, and serves that client.
async fn handed_on<F, T>(
    mut stream: TcpStream,
    proxy: SocketAddr,
    mut pass: Pass,
    mut service: Service,
    session: F,
) where
    F: Fn(TcpStream, SocketAddr, Pass) -> T,
    T: Future<Output = ()>,
{
    let name = service.name;
    let told = tokio::select! {
        told = proxied::client(&mut stream, service.proxies.patience) => told,
        () = service.stop.reached(Phase::Finish) => return,
    };
    let client = match told {
        Ok(Some((from, to))) => {
            pass.local = Some(to);
            tracing::info!("{name}: connection of {from} comes through the proxy {proxy}");
            from
        }
        Ok(None) => proxy,
        Err(why) => {
            tracing::warn!("{name}: connection from the proxy {proxy} refused: {why}");
            return;
        }
    };
    let counted = service.server.count_connection(client.ip());
    match counted
        .map_err(Refused::from)
        .and_then(|()| pass.admit(client.ip()))
    {
        Ok(()) => {
            pass.entry = service.entry;
            ruled(stream, client, pass, service, session).await;
        }
        Err(refused) => refuse(stream, client, &service, &refused),
    }
}

/// Serves a client as its rule says, or not at all.
async fn ruled<F, T>(
    stream: TcpStream,
    client: SocketAddr,
    mut pass: Pass,
    mut service: Service,
    session: F,
) where
    F: Fn(TcpStream, SocketAddr, Pass) -> T,
    T: Future<Output = ()>,
{
    let judged = tokio::select! {
        judged = rules::judge(&service.server, service.name, client.ip()) => judged,
        () = service.stop.reached(Phase::Cut) => return,
    };
    match judged {
        Ok(rule) => {
            pass.rule = rule;
            // A service is large, and sessions are long.
            drop(service);
            session(stream, client, pass).await;
        }
        // As from tcpserver, it hears nothing.
        Err(shut @ Shut::Denied { .. }) => {
            tracing::info!("{}: connection from {client} {shut}", service.name);
        }
        Err(shut @ Shut::Unreadable { .. }) => {
            tracing::warn!("{}: connection from {client} refused: {shut}", service.name);
            tell(stream, &service, rules::UNREADABLE);
        }
    }
}

/// Says why and closes; the clients that wait for it are bounded by what the system accepts at once.
fn refuse(stream: TcpStream, peer: SocketAddr, service: &Service, refused: &Refused) {
    let name = service.name;
    tracing::warn!("{name}: connection from {peer} refused: {refused}");
    tell(stream, service, refused.reason);
}

fn tell(mut stream: TcpStream, service: &Service, reason: &str) {
    let Some((before, after)) = service.refusal else {
        return;
    };
    let text = format!("{before}{reason}{after}\r\n");
    tokio::spawn(async move {
        // Whoever does not take the refusal is gone or hostile.
        let _ = tokio::time::timeout(REFUSAL, stream.write_all(text.as_bytes())).await;
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_leave_descriptors_for_everything_else() {
        let rows = [
            ("plenty", 20_000, (4000, 4000), (4000, 4000)),
            ("just enough", 16_512, (4000, 4000), (4000, 4000)),
            ("too few", 1024, (4000, 4000), (128, 128)),
            ("unequal", 1024, (3000, 1000), (192, 64)),
            ("hardly any", 20, (4000, 4000), (2, 2)),
            ("none", 0, (10, 10), (1, 1)),
            ("no bound wanted", 1024, (usize::MAX, 1), (256, 1)),
        ];
        for (name, files, wanted, room) in rows {
            assert_eq!(room_for_sessions(files, wanted), room, "{name}");
        }
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let gate = Gate::new(("smtp_sessions", 5), 2, 3);
        let enter = |ip: &str| {
            let entered = gate.enter(ip.parse().unwrap());
            entered.map_err(|refused| refused.rule)
        };
        let refused = |ip: &str| enter(ip).unwrap_err();
        let first = enter("192.0.2.1").unwrap();
        let second = enter("::ffff:192.0.2.1").unwrap();
        assert_eq!(refused("192.0.2.1"), "sessions_per_client");
        let third = enter("192.0.2.2").unwrap();
        assert_eq!(refused("192.0.2.3"), "sessions_per_network");
        let customer = ["2001:db8::1", "2001:db8::2"].map(|ip| enter(ip).unwrap());
        assert_eq!(refused("198.51.100.1"), "smtp_sessions");
        drop(first);
        assert_eq!(refused("2001:db8::3"), "sessions_per_client");
        assert!(enter("192.0.2.1").is_ok());
        drop((second, third, customer));
        assert!(gate.inside.lock().unwrap().places.is_empty());
    }
}
