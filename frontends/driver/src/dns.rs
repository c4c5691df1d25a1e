//! Look-ups over sockets: runs [`mta_proto::dns`] behind the [`Resolver`] port, with one cache for all (RFC 1035, RFC 5452 §9.2).

use crate::Clock;
use async_trait::async_trait;
use mta_core::dns::{Answer, Query};
use mta_core::ports::Resolver;
use mta_proto::dns::{
    Cache, CacheLimits, Lookup, LookupConfig, ServerList, Step, Transmit, Transport,
};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;

/// Look-ups that may be under way at once; each has a few sockets. Further ones wait.
pub const CONCURRENT: usize = 128;
/// The most bytes of a resolv.conf that are read.
const RESOLV_CONF_MAX: u64 = 64 * 1024;
/// The largest datagram that is taken; servers are asked for smaller ones.
const DATAGRAM_MAX: usize = 4096;

/// A resolver on UDP and TCP sockets.
///
/// Every question goes out from a socket of its own, whose port the system chooses at random, to
/// one server, from which alone it hears.
///
/// ```no_run
/// # async fn mx() -> std::io::Result<()> {
/// use driver::{Clock, DnsDriver};
/// use mta_core::dns::{Kind, Query};
/// use mta_core::ports::Resolver;
/// let dns = DnsDriver::from_resolv_conf("/etc/resolv.conf".as_ref(), Clock::start())?;
/// let answer = dns.lookup(&Query { name: "example.org".into(), kind: Kind::Mx }).await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct DnsDriver {
    inner: Arc<Inner>,
}

struct Inner {
    servers: Arc<ServerList>,
    config: LookupConfig,
    clock: Clock,
    cache: Mutex<Cache>,
    room: Semaphore,
}

impl fmt::Debug for DnsDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsDriver")
            .field("servers", &self.inner.servers)
            .field("cached", &self.inner.cache().len())
            .finish_non_exhaustive()
    }
}

impl DnsDriver {
    /// Asks these servers.
    #[must_use]
    pub fn new(servers: ServerList, clock: Clock) -> Self {
        Self::with(
            servers,
            clock,
            LookupConfig::default(),
            CacheLimits::default(),
        )
    }

    /// Asks these servers within bounds of the caller's.
    #[must_use]
    pub fn with(
        servers: ServerList,
        clock: Clock,
        config: LookupConfig,
        cache: CacheLimits,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                servers: Arc::new(servers),
                config,
                clock,
                cache: Mutex::new(Cache::new(cache)),
                room: Semaphore::new(CONCURRENT),
            }),
        }
    }

    /// Asks the servers of a resolv.conf; where there is no such file, the local host, as the C
    /// library does. Reads a file, so call it before there are tasks to stop.
    ///
    /// # Errors
    /// Fails where the file is there but cannot be read.
    pub fn from_resolv_conf(path: &Path, clock: Clock) -> io::Result<Self> {
        let mut text = Vec::new();
        match std::fs::File::open(path) {
            Ok(file) => {
                io::Read::read_to_end(&mut io::Read::take(file, RESOLV_CONF_MAX), &mut text)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let servers = ServerList::from_resolv_conf(&String::from_utf8_lossy(&text));
        Ok(Self::new(servers, clock))
    }

    /// Forgets all answers.
    pub fn clear_cache(&self) {
        self.inner.cache().clear();
    }
}

#[async_trait]
impl Resolver for DnsDriver {
    async fn lookup(&self, query: &Query) -> Answer {
        let inner = &self.inner;
        if let Some(answer) = inner.cache().get(query, inner.clock.now()) {
            return answer;
        }
        let Ok(_permit) = inner.room.acquire().await else {
            return Answer::Failed("the resolver is closed".to_owned());
        };
        let (answer, ttl) = match random() {
            Ok(seed) => inner.run(query, seed).await,
            Err(error) => (Answer::Failed(error.to_string()), Duration::ZERO),
        };
        let now = inner.clock.now();
        inner.cache().put(query.clone(), answer.clone(), ttl, now);
        answer
    }
}

/// Reads a random number from the system.
///
/// # Errors
/// Fails where the system gives none; there is no second-best source.
pub fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

impl Inner {
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, query: &Query, seed: u64) -> (Answer, Duration) {
        let servers = Arc::clone(&self.servers);
        let mut lookup = Lookup::new(query.clone(), servers, self.config, seed);
        let mut exchanges = Exchanges::default();
        loop {
            let until = match lookup.poll(self.clock.now()) {
                Step::Done(answer, ttl) => return (answer, ttl),
                Step::Transmit(transmit) => {
                    exchanges.start(&self.servers, transmit);
                    continue;
                }
                Step::WaitUntil(until) => self.clock.instant(until),
            };
            let Ok(heard) = tokio::time::timeout_at(until, exchanges.next()).await else {
                continue;
            };
            match heard.message {
                Ok(message) => {
                    let now = self.clock.now();
                    lookup.received(now, heard.server, heard.transport, &message);
                }
                Err(_) => lookup.failed(heard.server, heard.transport),
            }
        }
    }
}

/// The tries whose answers may still come; the look-up bounds how many it makes.
#[derive(Default)]
struct Exchanges {
    running: Vec<Exchange>,
}

type Exchange = Pin<Box<dyn Future<Output = Heard> + Send>>;

/// What came of a try.
struct Heard {
    server: usize,
    transport: Transport,
    message: io::Result<Vec<u8>>,
    /// Where more may come from: the first datagram need not be the server's.
    socket: Option<UdpSocket>,
}

impl Exchanges {
    fn start(&mut self, servers: &ServerList, transmit: Transmit) {
        let Some(&address) = servers.servers().get(transmit.server) else {
            return;
        };
        let Transmit {
            server,
            transport,
            bytes,
        } = transmit;
        self.running.push(match transport {
            Transport::Udp => Box::pin(async move {
                match ask_udp(address, &bytes).await {
                    Ok(socket) => listen(server, socket).await,
                    Err(error) => Heard {
                        server,
                        transport,
                        message: Err(error),
                        socket: None,
                    },
                }
            }),
            Transport::Tcp => Box::pin(async move {
                Heard {
                    server,
                    transport,
                    message: ask_tcp(address, &bytes).await,
                    socket: None,
                }
            }),
        });
    }

    /// Waits for what comes first; for ever where nothing can come.
    async fn next(&mut self) -> Heard {
        let mut heard = poll_fn(|cx| self.poll_next(cx)).await;
        if let (Ok(_), Some(socket)) = (&heard.message, heard.socket.take()) {
            self.running.push(Box::pin(listen(heard.server, socket)));
        }
        heard
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        let mut found = None;
        for (at, exchange) in self.running.iter_mut().enumerate() {
            if let Poll::Ready(heard) = exchange.as_mut().poll(cx) {
                found = Some((at, heard));
                break;
            }
        }
        match found {
            Some((at, heard)) => {
                drop(self.running.swap_remove(at));
                Poll::Ready(heard)
            }
            None => Poll::Pending,
        }
    }
}

/// Sends one datagram from a fresh port.
async fn ask_udp(server: SocketAddr, message: &[u8]) -> io::Result<UdpSocket> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(message).await?;
    Ok(socket)
}

async fn listen(server: usize, socket: UdpSocket) -> Heard {
    let mut message = vec![0; DATAGRAM_MAX];
    let received = socket.recv(&mut message).await;
    Heard {
        server,
        transport: Transport::Udp,
        message: received.map(|n| {
            message.truncate(n);
            message
        }),
        socket: Some(socket),
    }
}

/// Asks over a fresh connection; the question has its length before it, as has the answer.
async fn ask_tcp(server: SocketAddr, framed: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(framed).await?;
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}
