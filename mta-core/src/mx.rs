//! Which addresses mail for a host is sent to, and in which order (RFC 5321 §5.1, RFC 7505, qmail-remote(8)).

use crate::control::SmtpRoute;
use crate::dns::{Answer, Kind, Query, Record};
use crate::report::Report;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The most exchangers of one host that are asked for addresses.
pub const EXCHANGERS_MAX: usize = 20;

/// The most addresses that a route ends in.
pub const TARGETS_MAX: usize = 50;

/// The port where no route names one.
pub const SMTP_PORT: u16 = 25;

/// The names and addresses by which this host is reached, so that it never sends mail to itself.
///
/// The unspecified and, unless said otherwise, loopback addresses need not be listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Host names.
    pub names: Vec<String>,
    /// Addresses of interfaces.
    pub addresses: Vec<IpAddr>,
    /// Loopback addresses that are not listed are other hosts, as in a test that lets fake hosts
    /// live there.
    pub loopback_is_remote: bool,
}

impl Own {
    fn is_name(&self, host: &str) -> bool {
        self.names.iter().any(|own| own.eq_ignore_ascii_case(host))
    }

    fn is_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_unspecified()
            || (address.is_loopback() && !self.loopback_is_remote)
            || self
                .addresses
                .iter()
                .any(|own| own.to_canonical() == address)
    }
}

/// One address to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where to connect to.
    pub address: IpAddr,
    /// The port there.
    pub port: u16,
    /// The exchanger's name; the literal where there was no name.
    pub name: String,
    /// Its MX preference; 0 where there was no MX record.
    pub preference: u16,
}

/// What comes next for a route.
#[must_use]
#[expect(
    clippy::exhaustive_enums,
    reason = "an evaluator either needs an answer or has its result"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look this up and come back with the answer.
    Need(Query),
    /// The addresses in the order in which they are to be tried, at least one; or why there is
    /// none.
    Done(Result<Vec<Target>, Report>),
}

/// Finds the addresses for one host, one DNS answer at a time.
///
/// ```
/// use mta_core::dns::{Answer, Record};
/// use mta_core::mx::{Own, Route, Step};
/// let mut route = Route::new(b"example.org", None, Own::default(), 0);
/// let Step::Need(query) = route.step(None) else { panic!() };
/// assert_eq!(query.name, "example.org");
/// let null = vec![Record::Mx { preference: 0, host: String::new() }];
/// let Step::Done(Err(report)) = route.step(Some((query, Answer::Records(null)))) else { panic!() };
/// assert!(report.text.ends_with(b"(#5.1.10)\n"));
/// ```
#[derive(Clone, Debug)]
pub struct Route {
    /// The host as the address has it, for reports.
    host: Vec<u8>,
    port: u16,
    own: Own,
    /// A relay that was named by the administrator may be this host.
    relayed: bool,
    random: u64,
    asked: Option<Query>,
    state: State,
    /// Exchangers whose addresses are not known yet; the first one is being asked for.
    exchangers: VecDeque<Exchanger>,
    targets: Vec<Target>,
    /// The lowest preference at which this host itself was found.
    own_preference: Option<u16>,
    /// Some look-up failed only for now.
    soft: bool,
    /// There are MX records.
    has_mx: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Start,
    Exchangers,
    Addresses,
    Done(Result<Vec<Target>, Report>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Exchanger {
    preference: u16,
    name: String,
}

impl Route {
    /// Begins a route to `host`, the text behind the last `@` of a recipient.
    ///
    /// `relay` is what control/smtproutes says of it. Equal preferences are put into an order that
    /// depends on `random` alone.
    #[must_use]
    pub fn new(host: &[u8], relay: Option<&SmtpRoute>, own: Own, random: u64) -> Self {
        let port = relay.and_then(|r| r.port).unwrap_or(SMTP_PORT);
        let relay = relay.map(|r| r.relay.as_slice()).filter(|r| !r.is_empty());
        Self {
            host: relay.unwrap_or(host).to_vec(),
            port,
            own,
            relayed: relay.is_some(),
            random,
            asked: None,
            state: State::Start,
            exchangers: VecDeque::new(),
            targets: Vec::new(),
            own_preference: None,
            soft: false,
            has_mx: false,
        }
    }

    /// Takes the answer to the query that was needed, and says what comes next.
    ///
    /// An answer to any other question is passed over, and the question asked again.
    pub fn step(&mut self, answer: Option<(Query, Answer)>) -> Step {
        let asked = self.asked.take();
        match (asked, answer) {
            (Some(asked), Some((query, answer))) if asked == query => self.take(&query, answer),
            (Some(asked), _) => {
                self.asked = Some(asked.clone());
                return Step::Need(asked);
            }
            (None, _) => {}
        }
        if self.state == State::Start {
            self.start();
        }
        self.next()
    }

    fn start(&mut self) {
        if let Some(address) = literal(&self.host) {
            let name = String::from_utf8_lossy(&self.host).into_owned();
            self.state = State::Addresses;
            return self.add(address, 0, &name);
        }
        let Some(name) = dns_name(&self.host) else {
            return self.end(Err(no_host(&self.host)));
        };
        if self.relayed {
            return self.ask_host(name);
        }
        self.state = State::Exchangers;
        let kind = Kind::Mx;
        self.asked = Some(Query { name, kind });
    }

    /// Has the host itself be its only exchanger.
    fn ask_host(&mut self, name: String) {
        self.state = State::Addresses;
        self.exchangers.push_back(Exchanger {
            preference: 0,
            name,
        });
        self.ask_first();
    }

    fn ask_first(&mut self) {
        if let Some(first) = self.exchangers.front() {
            let name = first.name.clone();
            let kind = Kind::A;
            self.asked = Some(Query { name, kind });
        }
    }

    fn take(&mut self, query: &Query, answer: Answer) {
        match query.kind {
            Kind::Mx => self.take_exchangers(query, answer),
            _ => self.take_addresses(query, answer),
        }
    }

    fn take_exchangers(&mut self, query: &Query, answer: Answer) {
        let records = match answer {
            Answer::Records(records) => records,
            Answer::Failed(_) => return self.end(Err(no_host_now())),
            Answer::NoData | Answer::NoName => Vec::new(),
        };
        let found = records.into_iter().filter_map(|record| match record {
            Record::Mx { preference, host } => Some((preference, host)),
            _ => None,
        });
        let (null, mut found): (Vec<_>, Vec<_>) = found.partition(|(_, host)| host.is_empty());
        if found.is_empty() {
            // RFC 7505 §4.1: a null MX means that there is no mail service, and no A is asked for.
            if !null.is_empty() {
                return self.end(Err(null_mx(&self.host)));
            }
            return self.ask_host(query.name.clone());
        }
        self.has_mx = true;
        let mut random = self.random;
        let mut keyed: Vec<_> = found
            .drain(..)
            .map(|(preference, name)| (preference, mix(&mut random), name))
            .collect();
        keyed.sort_unstable();
        keyed.truncate(EXCHANGERS_MAX);
        self.state = State::Addresses;
        for (preference, _, name) in keyed {
            if self.own.is_name(&name) {
                self.found_own(preference);
            }
            self.exchangers.push_back(Exchanger { preference, name });
        }
        self.prune();
        self.skip_literals();
    }

    fn take_addresses(&mut self, query: &Query, answer: Answer) {
        let Some(exchanger) = self.exchangers.front().cloned() else {
            return;
        };
        match answer {
            Answer::Records(records) => {
                for record in records {
                    match record {
                        Record::A(a) => self.add(a.into(), exchanger.preference, &exchanger.name),
                        Record::Aaaa(a) => {
                            self.add(a.into(), exchanger.preference, &exchanger.name)
                        }
                        _ => {}
                    }
                }
            }
            Answer::Failed(_) => self.soft = true,
            Answer::NoData | Answer::NoName => {}
        }
        if query.kind == Kind::A {
            let name = exchanger.name;
            let kind = Kind::Aaaa;
            self.asked = Some(Query { name, kind });
            return;
        }
        self.exchangers.pop_front();
        self.prune();
        self.skip_literals();
    }

    /// An MX record must not name an address, but many do, and qmail takes it.
    fn skip_literals(&mut self) {
        while let Some(first) = self.exchangers.front().cloned() {
            let Some(address) = literal(first.name.as_bytes()) else {
                return self.ask_first();
            };
            self.exchangers.pop_front();
            self.add(address, first.preference, &first.name);
            self.prune();
        }
    }

    fn add(&mut self, address: IpAddr, preference: u16, name: &str) {
        if !self.relayed && self.own.is_address(address) {
            return self.found_own(preference);
        }
        let known = self.targets.iter().any(|t| t.address == address);
        if known || self.targets.len() >= TARGETS_MAX {
            return;
        }
        self.targets.push(Target {
            address,
            port: self.port,
            name: name.to_owned(),
            preference,
        });
    }

    fn found_own(&mut self, preference: u16) {
        let lowest = self.own_preference.unwrap_or(u16::MAX);
        self.own_preference = Some(lowest.min(preference));
    }

    /// Drops what is not better than this host itself (RFC 5321 §5.1).
    fn prune(&mut self) {
        if let Some(own) = self.own_preference {
            self.targets.retain(|t| t.preference < own);
            self.exchangers.retain(|e| e.preference < own);
        }
    }

    fn next(&mut self) -> Step {
        if let Some(query) = &self.asked {
            return Step::Need(query.clone());
        }
        self.prune();
        if let State::Done(result) = &self.state {
            return Step::Done(result.clone());
        }
        let result = self.result();
        self.end(result.clone());
        Step::Done(result)
    }

    fn end(&mut self, result: Result<Vec<Target>, Report>) {
        self.state = State::Done(result);
    }

    fn result(&mut self) -> Result<Vec<Target>, Report> {
        if !self.targets.is_empty() {
            return Ok(std::mem::take(&mut self.targets));
        }
        Err(if self.own_preference.is_some() {
            Report::failure(
                "Sorry. Although I'm listed as a best-preference MX or A for that host,\n\
                 it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n",
            )
        } else if self.soft {
            no_host_now()
        } else if self.has_mx {
            Report::failure("Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n")
        } else {
            no_host(&self.host)
        })
    }
}

fn no_host(host: &[u8]) -> Report {
    let text = [
        &b"Sorry, I couldn't find any host named "[..],
        host,
        b". (#5.1.2)\n",
    ];
    Report::failure(text.concat())
}

fn no_host_now() -> Report {
    Report::deferral("Sorry, I couldn't find any host by that name. (#4.1.2)\n")
}

fn null_mx(host: &[u8]) -> Report {
    let text = [
        &b"Sorry, "[..],
        host,
        b" says that it accepts no mail. (#5.1.10)\n",
    ];
    Report::failure(text.concat())
}

/// Reads `192.0.2.1`, `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
fn literal(host: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(host).ok()?;
    let inside = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let Some(inside) = inside else {
        return text.parse::<Ipv4Addr>().ok().map(Into::into);
    };
    if let Ok(address) = inside.parse::<IpAddr>() {
        return Some(address);
    }
    let tag = inside.get(..5)?;
    let rest = inside
        .get(5..)
        .filter(|_| tag.eq_ignore_ascii_case("IPv6:"))?;
    rest.parse::<Ipv6Addr>().ok().map(Into::into)
}

/// Returns the name to ask for, unless it cannot be one: then nothing is asked (RFC 1035 §2.3.4).
///
/// A name beyond ASCII is turned into its A-labels (RFC 5891 §4.4), as far as lower case goes.
fn dns_name(host: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(host).ok()?;
    let text = text.strip_suffix('.').unwrap_or(text);
    let labels = text.split('.').map(a_label).collect::<Option<Vec<_>>>()?;
    let name = labels.join(".");
    (name.len() <= 253).then_some(name)
}

fn a_label(label: &str) -> Option<String> {
    let lower = label.to_lowercase();
    let bad = |c: char| c.is_control() || c.is_whitespace() || "[]()<>@,:;\\\"".contains(c);
    if lower.is_empty() || lower.len() > 255 || lower.chars().any(bad) {
        return None;
    }
    let label = if lower.is_ascii() {
        lower
    } else {
        format!("xn--{}", crate::punycode::encode(&lower)?)
    };
    (label.len() <= 63).then_some(label)
}

/// Steps a SplitMix64 sequence: an order for equal preferences, not a secret.
const fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let a = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}
