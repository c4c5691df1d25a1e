//! Rules source: what is parsed is found again, by key and by decision (tcprules(1)).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::tcprules::{MAX_LINE, Parser, Peer, Syntax, Table, decide};

fuzz_target!(|data: &[u8]| {
    for syntax in [Syntax::Original, Syntax::Extended] {
        let mut lines = std::collections::HashMap::new();
        for rule in Parser::new(data, syntax).flatten() {
            // IPv6 keys are longer than what they were written as.
            assert!(rule.key.len() <= MAX_LINE + 40 && rule.data.len() <= MAX_LINE);
            assert!(rule.data.is_empty() || rule.data.ends_with(b"\0"));
            let count = lines.entry(rule.line).or_insert(0);
            *count += 1;
            assert!(*count <= 256, "line {}", rule.line);
        }
        let Ok(table) = Table::parse(data, syntax) else {
            continue;
        };
        for rule in Parser::new(data, syntax).flatten().take(300) {
            let peer = Peer::from_text(&rule.key);
            let found = decide(&table, &peer).expect("a table always answers");
            if let Some(key) = &found.key {
                assert!(peer.keys().any(|known| known == *key));
            } else {
                // Only a key that reads as another spelling of an address is looked up differently.
                let text = std::str::from_utf8(&rule.key).expect("addresses are text");
                assert!(text.parse::<std::net::IpAddr>().is_ok());
            }
        }
    }
});
