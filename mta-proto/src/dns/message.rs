//! One DNS message: the question as bytes, and what an answer means (RFC 1035 §4, RFC 6891, RFC 2308).

use super::lookup::LookupConfig;
use super::name;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query as Question, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record as WireRecord, RecordType};
use mta_core::dns::{Kind, Record};

/// The bytes of a message's header.
const HEADER: usize = 12;

/// What an answer that is ours came to.
#[derive(Debug)]
pub(super) enum Meaning {
    /// Records and the seconds that they live.
    Records(Vec<Record>, u32),
    /// The name has no such record; the seconds that this holds.
    NoData(u32),
    /// No such name; the seconds that this holds.
    NoName(u32),
    /// The name is an alias and the answer leaves off here; the hops and seconds so far.
    Alias { to: Name, hops: u8, ttl: u32 },
    /// The whole answer is to be had over TCP.
    Truncated,
    /// The server does not understand EDNS.
    NoEdns,
    /// Another server may know better; what was wrong with this one.
    ServerFailed(&'static str),
    /// No server will know better.
    Broken(&'static str),
}

/// The type on the wire.
pub(super) const fn wire_type(kind: Kind) -> Option<RecordType> {
    match kind {
        Kind::A => Some(RecordType::A),
        Kind::Aaaa => Some(RecordType::AAAA),
        Kind::Mx => Some(RecordType::MX),
        Kind::Txt => Some(RecordType::TXT),
        Kind::Ptr => Some(RecordType::PTR),
        _ => None,
    }
}

/// Encodes a question; `payload` is offered with EDNS0 (RFC 6891 §6.2.3).
pub(super) fn encode(
    id: u16,
    name: &Name,
    kind: RecordType,
    payload: Option<u16>,
) -> Option<Vec<u8>> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Question::query(name.clone(), kind));
    if let Some(payload) = payload {
        let mut edns = Edns::new();
        edns.set_max_payload(payload);
        message.set_edns(edns);
    }
    message.to_vec().ok()
}

/// Returns the id of an answer, without looking at the rest.
pub(super) fn answer_id(bytes: &[u8]) -> Option<u16> {
    let &[high, low, flags, ..] = bytes.get(..HEADER)? else {
        return None;
    };
    let is_answer = flags & 0x80 != 0;
    is_answer.then_some(u16::from_be_bytes([high, low]))
}

/// Tells whether an answer says that it was cut (TC).
pub(super) fn is_truncated(bytes: &[u8]) -> bool {
    bytes.get(2).is_some_and(|flags| flags & 0x02 != 0)
}

/// Reads an answer; `None` where it answers another question.
pub(super) fn read(
    bytes: &[u8],
    name: &Name,
    kind: RecordType,
    hops: u8,
    config: &LookupConfig,
) -> Option<Meaning> {
    let Ok(message) = Message::from_vec(bytes) else {
        return Some(Meaning::ServerFailed("its answer cannot be read"));
    };
    if message.metadata.op_code != OpCode::Query {
        return None;
    }
    let [question] = message.queries.as_slice() else {
        // A server that refuses early may leave the question out.
        let refused = message.queries.is_empty() && code(&message) != ResponseCode::NoError;
        return refused.then(|| meaning(&message, name, kind, hops, config));
    };
    let ours = question.name == *name
        && question.query_type == kind
        && question.query_class == DNSClass::IN;
    ours.then(|| meaning(&message, name, kind, hops, config))
}

fn code(message: &Message) -> ResponseCode {
    message.metadata.response_code
}

fn meaning(
    message: &Message,
    name: &Name,
    kind: RecordType,
    hops: u8,
    config: &LookupConfig,
) -> Meaning {
    if message.metadata.truncation {
        return Meaning::Truncated;
    }
    match code(message) {
        ResponseCode::NoError | ResponseCode::NXDomain => follow(message, name, kind, hops, config),
        ResponseCode::FormErr | ResponseCode::NotImp | ResponseCode::BADVERS => Meaning::NoEdns,
        ResponseCode::ServFail => Meaning::ServerFailed("it failed (SERVFAIL)"),
        ResponseCode::Refused => Meaning::ServerFailed("it refused the question"),
        _ => Meaning::ServerFailed("it answered with an error"),
    }
}

/// Follows the chain of aliases inside the answer section (RFC 1034 §3.6.2); records that do not
/// belong to it are not looked at.
fn follow(
    message: &Message,
    name: &Name,
    kind: RecordType,
    mut hops: u8,
    config: &LookupConfig,
) -> Meaning {
    let mut at = name;
    let mut ttl = config.max_ttl;
    loop {
        let here = |r: &&WireRecord| r.dns_class == DNSClass::IN && r.name == *at;
        let wanted = |r: &&WireRecord| here(r) && r.record_type() == kind;
        let mut records = Vec::new();
        let mut seen = 0_usize;
        for record in message.answers.iter().filter(wanted).take(config.records) {
            seen += 1;
            ttl = ttl.min(record.ttl);
            records.extend(to_record(&record.data));
        }
        if !records.is_empty() {
            return Meaning::Records(records, ttl);
        }
        if seen > 0 {
            return Meaning::Broken("its records hold no usable name");
        }
        let alias = message
            .answers
            .iter()
            .filter(here)
            .find_map(|r| match &r.data {
                RData::CNAME(to) => Some((&to.0, r.ttl)),
                _ => None,
            });
        let Some((to, alias_ttl)) = alias else {
            return nothing(message, at, hops, ttl, at != name, config);
        };
        hops += 1;
        if hops > config.cname_limit {
            return Meaning::Broken("its aliases (CNAME) go round in circles or on for too long");
        }
        ttl = ttl.min(alias_ttl);
        at = to;
    }
}

/// No record at the end of the chain: says why (RFC 2308 §2).
fn nothing(
    message: &Message,
    at: &Name,
    hops: u8,
    ttl: u32,
    moved: bool,
    config: &LookupConfig,
) -> Meaning {
    let negative = message.authorities.iter().find_map(|r| match &r.data {
        RData::SOA(soa) => Some(r.ttl.min(soa.minimum).min(config.max_negative_ttl).min(ttl)),
        _ => None,
    });
    if code(message) == ResponseCode::NXDomain {
        return Meaning::NoName(negative.unwrap_or(0));
    }
    let referral = message
        .authorities
        .iter()
        .any(|r| r.record_type() == RecordType::NS);
    match negative {
        Some(ttl) => Meaning::NoData(ttl),
        None if moved => Meaning::Alias {
            to: at.clone(),
            hops,
            ttl,
        },
        None if referral && !message.metadata.recursion_available => {
            Meaning::ServerFailed("it does not look names up for others")
        }
        None => Meaning::NoData(0),
    }
}

fn to_record(data: &RData) -> Option<Record> {
    match data {
        RData::A(a) => Some(Record::A(a.0)),
        RData::AAAA(a) => Some(Record::Aaaa(a.0)),
        RData::MX(mx) => Some(Record::Mx {
            preference: mx.preference,
            host: name::to_text(&mx.exchange)?,
        }),
        RData::TXT(txt) => Some(Record::Txt(txt.txt_data.concat())),
        RData::PTR(ptr) => Some(Record::Ptr(name::to_text(&ptr.0)?)),
        _ => None,
    }
}
