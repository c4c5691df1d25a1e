//! Headers of proxies: no cut can be seen, every header has a bound, both versions say the same (PROXY protocol §2).
#![no_main]

#[path = "../../mta-proto/tests/it/proxy/oracle.rs"]
mod oracle;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    oracle::check(data);
});
