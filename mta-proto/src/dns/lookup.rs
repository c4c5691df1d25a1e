//! One look-up: which server to ask when, and what came of it (RFC 1035 §7, RFC 5452 §9, RFC 7766).

use super::ServerList;
use super::message::{self, Meaning};
use super::name;
use hickory_proto::rr::{Name, RecordType};
use mta_core::Mono;
use mta_core::dns::{Answer, Query};
use std::sync::Arc;
use std::time::Duration;

/// The bounds of a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupConfig {
    /// Most aliases that are followed.
    pub cname_limit: u8,
    /// The largest datagram that is asked for (RFC 6891 §6.2.3); 1232 bytes pass everywhere.
    pub udp_payload: u16,
    /// Most records that are taken of one answer.
    pub records: usize,
    /// Longest time to live of records, in seconds.
    pub max_ttl: u32,
    /// Longest time to live of a negative answer, in seconds (RFC 2308 §5).
    pub max_negative_ttl: u32,
}

impl Default for LookupConfig {
    fn default() -> Self {
        Self {
            cname_limit: 10,
            udp_payload: 1232,
            records: 100,
            max_ttl: 86_400,
            max_negative_ttl: 10_800,
        }
    }
}

/// How a message travels.
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver must handle both; a new one is a breaking change"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram a message.
    Udp,
    /// A stream where two bytes of length stand before each message (RFC 7766 §8).
    Tcp,
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Which of [`ServerList::servers`] is to get it.
    pub server: usize,
    /// By datagram, or over a fresh connection.
    pub transport: Transport,
    /// What to send as it is: over TCP the two bytes of length stand before the message.
    pub bytes: Vec<u8>,
}

/// What a look-up needs next.
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver must handle every step; a new one is a breaking change"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this, poll again.
    Transmit(Transmit),
    /// Listen, and poll again after [`Lookup::received`] or at that time.
    WaitUntil(Mono),
    /// The answer, and how long it may be kept; zero for not at all.
    Done(Answer, Duration),
}

/// One question on its way through the servers.
///
/// Each try goes to the next server; a server that fails is left at once, one that is silent after
/// [`ServerList::timeout`]. An answer counts only if server, transport, id and question are those
/// of a try. A truncated one is fetched over TCP, aliases are followed.
///
/// ```
/// use mta_core::Mono;
/// use mta_core::dns::{Answer, Kind, Query};
/// use mta_proto::dns::{Lookup, LookupConfig, ServerList, Step, Transport};
/// use std::sync::Arc;
/// let query = Query { name: "example.org".into(), kind: Kind::Mx };
/// let servers = Arc::new(ServerList::default());
/// let mut lookup = Lookup::new(query, servers, LookupConfig::default(), 0x1234_5678_9abc_def0);
/// let Step::Transmit(sent) = lookup.poll(Mono::ZERO) else { panic!() };
/// assert_eq!((sent.server, sent.transport), (0, Transport::Udp));
/// let Step::WaitUntil(_) = lookup.poll(Mono::ZERO) else { panic!() };
/// let mut refusal = sent.bytes;
/// refusal[2] |= 0x80; // an answer
/// refusal[3] |= 0x03; // no such name
/// lookup.received(Mono::ZERO, 0, Transport::Udp, &refusal);
/// let Step::Done(answer, _) = lookup.poll(Mono::ZERO) else { panic!() };
/// assert_eq!(answer, Answer::NoName);
/// ```
#[derive(Debug)]
pub struct Lookup {
    query: Query,
    kind: RecordType,
    /// The name asked for now: the query's, or where an alias led.
    name: Name,
    servers: Arc<ServerList>,
    config: LookupConfig,
    ids: Ids,
    state: State,
    /// The server of the first try.
    start: usize,
    /// Tries behind us, this one included.
    tries: usize,
    /// Questions that may still be answered: at most three for each try.
    open: Vec<Open>,
    edns: bool,
    hops: u8,
    ttl: u32,
}

#[derive(Debug)]
enum State {
    Send(Transport),
    Wait(Mono),
    Done(Answer, Duration),
}

#[derive(Debug)]
struct Open {
    server: usize,
    transport: Transport,
    id: u16,
}

impl Lookup {
    /// Starts a look-up. The query ids derive from `seed`, which must be random and used once.
    #[must_use]
    pub fn new(query: Query, servers: Arc<ServerList>, config: LookupConfig, seed: u64) -> Self {
        let count = servers.servers().len().max(1);
        let mut ids = Ids(seed);
        let start = if servers.rotate {
            usize::from(ids.next()) % count
        } else {
            0
        };
        let target = name::from_text(&query.name).zip(message::wire_type(query.kind));
        let state = match target {
            Some(_) => State::Send(Transport::Udp),
            None => State::Done(Answer::NoName, Duration::ZERO),
        };
        let (name, kind) = target.unwrap_or_else(|| (Name::root(), RecordType::A));
        Self {
            query,
            kind,
            name,
            servers,
            config,
            ids,
            state,
            start,
            tries: 1,
            open: Vec::new(),
            edns: true,
            hops: 0,
            ttl: config.max_ttl,
        }
    }

    /// Returns the question.
    #[must_use]
    pub const fn query(&self) -> &Query {
        &self.query
    }

    /// Says what is to be done next. After `Done` it says `Done` again.
    #[must_use = "a step that is dropped stalls the look-up"]
    pub fn poll(&mut self, now: Mono) -> Step {
        if let State::Wait(until) = self.state {
            if now < until {
                return Step::WaitUntil(until);
            }
            self.next_try("it did not answer in time");
        }
        if let State::Send(transport) = self.state
            && let Some(transmit) = self.transmit(transport, now)
        {
            return Step::Transmit(transmit);
        }
        match &self.state {
            State::Wait(until) => Step::WaitUntil(*until),
            State::Send(_) => Step::WaitUntil(now),
            State::Done(answer, ttl) => Step::Done(answer.clone(), *ttl),
        }
    }

    /// Takes a message that came from a server: over UDP a datagram, over TCP what stands behind
    /// the two bytes of length. What answers none of our questions is ignored.
    pub fn received(&mut self, _now: Mono, server: usize, transport: Transport, bytes: &[u8]) {
        if matches!(self.state, State::Done(..)) {
            return;
        }
        let Some(id) = message::answer_id(bytes) else {
            return;
        };
        let ours = |o: &Open| o.server == server && o.transport == transport && o.id == id;
        let Some(at) = self.open.iter().position(ours) else {
            return;
        };
        // A server may cut in the midst of a record, which is no reason not to believe the bit.
        let meaning = if transport == Transport::Udp && message::is_truncated(bytes) {
            Some(Meaning::Truncated)
        } else {
            message::read(bytes, &self.name, self.kind, self.hops, &self.config)
        };
        if let Some(meaning) = meaning {
            self.open.swap_remove(at);
            self.take(meaning, server, transport);
        }
    }

    /// Tells that a message could not be sent or its connection broke: the next server is asked.
    pub fn failed(&mut self, server: usize, transport: Transport) {
        let ours = |o: &Open| o.server == server && o.transport == transport;
        if let (State::Wait(_), Some(at)) = (&self.state, self.open.iter().position(ours)) {
            self.open.swap_remove(at);
            self.leave(server, "it cannot be reached");
        }
    }

    fn transmit(&mut self, transport: Transport, now: Mono) -> Option<Transmit> {
        let id = self.ids.next();
        let payload = self.edns.then_some(self.config.udp_payload);
        let Some(message) = message::encode(id, &self.name, self.kind, payload) else {
            self.state = State::Done(Answer::NoName, Duration::ZERO);
            return None;
        };
        let bytes = match transport {
            Transport::Udp => message,
            Transport::Tcp => {
                let length = u16::try_from(message.len()).unwrap_or_default();
                [&length.to_be_bytes()[..], &message].concat()
            }
        };
        let server = self.server();
        self.open.push(Open {
            server,
            transport,
            id,
        });
        self.state = State::Wait(now + self.servers.timeout);
        Some(Transmit {
            server,
            transport,
            bytes,
        })
    }

    /// The server of this try.
    fn server(&self) -> usize {
        (self.start + self.tries.saturating_sub(1)) % self.servers.servers().len().max(1)
    }

    fn take(&mut self, meaning: Meaning, server: usize, transport: Transport) {
        let seconds = |ttl: u32| Duration::from_secs(u64::from(ttl));
        match meaning {
            Meaning::Records(records, ttl) => {
                self.done(Answer::Records(records), seconds(ttl.min(self.ttl)));
            }
            Meaning::NoData(ttl) => self.done(Answer::NoData, seconds(ttl.min(self.ttl))),
            Meaning::NoName(ttl) => self.done(Answer::NoName, seconds(ttl.min(self.ttl))),
            Meaning::Alias { to, hops, ttl } => {
                self.name = to;
                self.hops = hops;
                self.ttl = self.ttl.min(ttl);
                self.open.clear();
                self.start = server;
                self.tries = 1;
                self.state = State::Send(Transport::Udp);
            }
            Meaning::Truncated if transport == Transport::Udp => {
                self.point_at(server);
                self.state = State::Send(Transport::Tcp);
            }
            Meaning::Truncated => self.leave(server, "its answer is cut even over TCP"),
            Meaning::NoEdns if self.edns => {
                self.edns = false;
                self.point_at(server);
                self.state = State::Send(transport);
            }
            Meaning::NoEdns => self.leave(server, "it does not understand the question"),
            Meaning::ServerFailed(why) => self.leave(server, why),
            Meaning::Broken(why) => self.fail(server, why),
        }
    }

    /// Makes `server`, which answered an earlier try, that of the present try.
    fn point_at(&mut self, server: usize) {
        let count = self.servers.servers().len().max(1);
        let offset = self.tries.saturating_sub(1) % count;
        self.start = (server + count - offset) % count;
    }

    /// Goes on to the next server, unless it was an earlier one that failed.
    fn leave(&mut self, server: usize, why: &str) {
        if server == self.server() {
            self.next_try(why);
        }
    }

    fn next_try(&mut self, why: &str) {
        let all = self.servers.servers().len() * usize::from(self.servers.attempts);
        if self.tries >= all.max(1) {
            self.fail(self.server(), why);
        } else {
            self.tries += 1;
            self.state = State::Send(Transport::Udp);
        }
    }

    fn fail(&mut self, server: usize, why: &str) {
        let address = self.servers.servers().get(server);
        let address = address.map_or_else(String::new, ToString::to_string);
        let Query { name, kind } = &self.query;
        let text = format!("no answer for {name} ({kind:?}); last asked {address}: {why}");
        self.done(Answer::Failed(text), Duration::ZERO);
    }

    fn done(&mut self, answer: Answer, ttl: Duration) {
        self.open = Vec::new();
        self.state = State::Done(answer, ttl);
    }
}

/// Query ids from one random number (SplitMix64, of which 16 bits are shown).
#[derive(Debug)]
struct Ids(u64);

impl Ids {
    const fn next(&mut self) -> u16 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 48) as u16
    }
}
