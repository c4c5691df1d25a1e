//! DNS look-ups against servers that are values: tables of answers, failures and forgeries (RFC 1035, RFC 5452).

mod hostile;
mod lookups;
mod pieces;

use hickory_proto::op::{Message, MessageType, OpCode, Query as Question, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, MX, NS, PTR, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record as WireRecord, RecordType};
use mta_core::Mono;
use mta_core::dns::{Answer, Kind, Query, Record};
use mta_proto::dns::{Lookup, LookupConfig, ServerList, Step, Transmit, Transport};
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

fn name(text: &str) -> Name {
    Name::from_str(&format!("{text}.")).unwrap()
}

fn record(owner: &str, ttl: u32, data: RData) -> WireRecord {
    WireRecord::from_rdata(name(owner), ttl, data)
}

fn a(owner: &str, ttl: u32, last: u8) -> WireRecord {
    record(owner, ttl, RData::A(A::new(192, 0, 2, last)))
}

fn mx(owner: &str, preference: u16, host: &str) -> WireRecord {
    let host = if host == "." {
        Name::root()
    } else {
        name(host)
    };
    record(owner, 300, RData::MX(MX::new(preference, host)))
}

fn cname(owner: &str, to: &str) -> WireRecord {
    record(owner, 60, RData::CNAME(CNAME(name(to))))
}

fn soa(owner: &str, ttl: u32, minimum: u32) -> WireRecord {
    let data = SOA::new(name("ns"), name("root"), 1, 2, 3, 4, minimum);
    record(owner, ttl, RData::SOA(data))
}

/// What a server says to a question.
#[derive(Clone, Default)]
struct Says {
    code: ResponseCode,
    answers: Vec<WireRecord>,
    authorities: Vec<WireRecord>,
    truncated: bool,
    /// Answers only with what the question's bytes have no EDNS for.
    no_edns: bool,
    silent: bool,
}

fn says(answers: &[WireRecord]) -> Says {
    Says {
        answers: answers.to_vec(),
        ..Says::default()
    }
}

fn fails(code: ResponseCode) -> Says {
    Says {
        code,
        ..Says::default()
    }
}

/// The bytes of a query without the length that stands before it over TCP.
fn unframed(sent: &Transmit) -> &[u8] {
    match sent.transport {
        Transport::Udp => &sent.bytes,
        Transport::Tcp => {
            let length = u16::from_be_bytes([sent.bytes[0], sent.bytes[1]]);
            assert_eq!(usize::from(length), sent.bytes.len() - 2);
            &sent.bytes[2..]
        }
    }
}

fn question(sent: &Transmit) -> Message {
    let message = Message::from_vec(unframed(sent)).unwrap();
    assert!(message.metadata.recursion_desired);
    message
}

fn answer(sent: &Transmit, says: &Says) -> Vec<u8> {
    let asked = question(sent);
    let mut message = Message::new(asked.metadata.id, MessageType::Response, OpCode::Query);
    message.metadata.recursion_available = true;
    message.metadata.response_code = says.code;
    message.metadata.truncation = says.truncated && sent.transport == Transport::Udp;
    if says.no_edns && asked.edns.is_some() {
        message.metadata.response_code = ResponseCode::FormErr;
        message.metadata.truncation = false;
        return message.to_vec().unwrap();
    }
    message.add_queries(asked.queries);
    if !message.metadata.truncation {
        message.add_answers(says.answers.clone());
        message.insert_authorities(says.authorities.clone());
    }
    message.to_vec().unwrap()
}

fn query(text: &str, kind: Kind) -> Query {
    Query {
        name: text.to_owned(),
        kind,
    }
}

fn servers(count: u16) -> Arc<ServerList> {
    let address = |n| SocketAddr::from(([127, 0, 0, 1], 5300 + n));
    Arc::new(ServerList::new((0..count).map(address).collect()))
}

fn start(question: Query, count: u16) -> Lookup {
    Lookup::new(question, servers(count), LookupConfig::default(), 7)
}

/// Plays servers until the look-up is done; returns the answer, its seconds, and who was asked.
fn run(mut lookup: Lookup, server: impl Fn(&Message, usize) -> Says) -> (Answer, u64, String) {
    let (mut now, mut asked) = (Mono::ZERO, String::new());
    for _ in 0..200 {
        match lookup.poll(now) {
            Step::Transmit(sent) => {
                let tcp = if sent.transport == Transport::Tcp {
                    "t"
                } else {
                    ""
                };
                asked += &format!("{}{tcp} ", sent.server);
                let says = server(&question(&sent), sent.server);
                if !says.silent {
                    let bytes = answer(&sent, &says);
                    lookup.received(now, sent.server, sent.transport, &bytes);
                }
            }
            Step::WaitUntil(until) => now = until,
            Step::Done(answer, ttl) => return (answer, ttl.as_secs(), asked),
        }
    }
    panic!("the look-up runs on: {asked}");
}

fn ip(last: u8) -> Record {
    Record::A([192, 0, 2, last].into())
}
