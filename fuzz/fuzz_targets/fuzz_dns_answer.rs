//! Answers of a hostile DNS server: an end is always reached, never a panic (RFC 1035 §4).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::Mono;
use mta_core::dns::{Kind, Query};
use mta_fuzz::split;
use mta_proto::dns::{Lookup, LookupConfig, ServerList, Step};
use std::sync::Arc;

fuzz_target!(|data: &[u8]| {
    let servers = Arc::new(ServerList::new(vec!["192.0.2.53:53".parse().unwrap()]));
    let query = Query { name: "example.org".to_owned(), kind: Kind::Mx };
    let mut lookup = Lookup::new(query, servers, LookupConfig::default(), 7);
    let mut now = Mono::ZERO;
    let mut rest = data;
    for _ in 0..1000 {
        match lookup.poll(now) {
            Step::Transmit(sent) => {
                let (length, tail) = split(rest, 1);
                let (body, tail) = split(tail, usize::from(length.first().copied().unwrap_or(0)) * 4);
                rest = tail;
                // The question's own bytes make an answer that gets past the first checks.
                let mut answer = sent.bytes.clone();
                let head = if matches!(sent.transport, mta_proto::dns::Transport::Tcp) { 4 } else { 2 };
                answer.truncate(head);
                answer.extend_from_slice(body);
                lookup.received(now, sent.server, sent.transport, &answer);
            }
            Step::WaitUntil(at) => now = at,
            Step::Done(..) => return,
        }
    }
    panic!("the look-up does not end");
});
