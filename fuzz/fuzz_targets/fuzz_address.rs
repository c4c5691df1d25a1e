//! Addresses and paths: what is parsed and quoted again is parsed to the same (RFC 5321 §4.1.2).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::Address;
use mta_core::address::grammar::{forward_path, reverse_path};

fuzz_target!(|data: &[u8]| {
    for (rest, address) in [reverse_path(data), forward_path(data)].into_iter().flatten() {
        assert!(rest.len() < data.len());
        if address.is_null() || address.domain().is_none() {
            continue;
        }
        let path = [b"<", &address.to_quoted()[..], b">"].concat();
        let (rest, again) = forward_path(&path).expect("what we quote we read");
        assert!(rest.is_empty());
        assert_eq!(again, address, "{}", path.escape_ascii());
    }
    // An address without a domain is sent as it is, unquoted.
    if let Some(address) = Address::parse(data).ok().filter(|a| a.domain().is_some()) {
        assert_eq!(Address::parse(&address.to_quoted()).as_ref(), Ok(&address));
    }
});
