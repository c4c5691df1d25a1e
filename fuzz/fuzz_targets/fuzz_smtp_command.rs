//! One command line in a session that has greeted: one reply or the end, never a panic (RFC 5321 §4.1.1).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_fuzz::{Answers, serve};
use mta_proto::smtp::server::Config;
use std::sync::Arc;

fuzz_target!(|line: &[u8]| {
    if line.iter().any(|&b| b == b'\n') || line.len() > 2000 {
        return;
    }
    let verb: Vec<u8> = line.iter().take(8).map(u8::to_ascii_uppercase).collect();
    // These read on behind their line.
    if verb.starts_with(b"DATA") || verb.starts_with(b"BDAT") || verb.starts_with(b"STARTTLS") {
        return;
    }
    let config = Arc::new(Config::new("mx.example.org"));
    let input = [b"EHLO client.example\r\n", line, b"\r\n"].concat();
    let said = serve(&config, &[&input], Answers(&[]));
    let finals = said.output.split(|&b| b == b'\n').filter(|l| l.get(3) == Some(&b' ')).count();
    assert_eq!(finals, 3, "{}", said.output.escape_ascii());
});
