//! Rules that anybody may have written: looking a client up neither panics nor finds what is not there (tcprules(1), cdb(5)).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::cdb::Cdb;
use mta_core::dnsbl::{Ruling, TEXT_MAX};
use mta_core::policy::{Settings, Variables};
use mta_core::tcprules::{Decision, Peer, Rules, decide};
use std::cell::Cell;
use std::convert::Infallible;

/// Says the same of the key that is asked for after so many others: whole files are rarely hit upon.
struct Record<'a>(Cell<u8>, &'a [u8]);

impl Rules for Record<'_> {
    type Error = Infallible;

    fn record(&self, _key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        Ok((left == 0).then(|| self.1.to_vec()))
    }
}

fn check(peer: &Peer<'_>, decision: &Decision) {
    if let Some(key) = &decision.key {
        assert!(peer.keys().any(|known| known == *key));
    } else {
        assert!(!decision.denied && decision.variables.is_empty());
    }
    let find = |name: &str| decision.variable(name.as_bytes()).map(<[u8]>::to_vec);
    let _ = Settings::default().with_variables(find);
    let _ = Variables::read(find);
    if let Some(Ruling::Refused(refusal)) =
        find("RBLSMTPD").map(|said| Ruling::from_variable(&said))
    {
        let printable = refusal.text.iter().all(|byte| (32..127).contains(byte));
        assert!(refusal.text.len() <= TEXT_MAX && printable);
    }
}

fuzz_target!(|input: (&[u8], u8, &[u8], &[u8], &[u8])| {
    let (bytes, skipped, address, host, info) = input;
    let peer = Peer::from_text(address).host(host).info(info);
    let Ok(decision) = decide(&Record(Cell::new(skipped), bytes), &peer);
    check(&peer, &decision);
    if let Ok(cdb) = Cdb::new(bytes)
        && let Ok(decision) = decide(&cdb, &peer)
    {
        check(&peer, &decision);
    }
});
