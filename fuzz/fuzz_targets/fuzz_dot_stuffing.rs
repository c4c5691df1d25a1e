//! What the client stuffs the server unstuffs: same lines out as in, and one message stays one (RFC 5321 §4.5.2).
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use mta_fuzz::{Answers, pieces, serve, split};
use mta_proto::smtp::client::Stuffer;
use mta_proto::smtp::server::Config;
use std::sync::Arc;

/// The body with every line end as LF and the last line ended.
fn lines(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut i = 0;
    while let Some(&b) = body.get(i) {
        i += 1;
        if b == b'\r' {
            out.push(b'\n');
            if body.get(i) == Some(&b'\n') {
                i += 1;
            }
        } else {
            out.push(b);
        }
    }
    if !out.is_empty() && out.last() != Some(&b'\n') {
        out.push(b'\n');
    }
    out
}

fuzz_target!(|data: &[u8]| {
    let (cuts, body) = split(data, 4);
    if body.contains(&0) {
        return;
    }
    let (mut wire, mut stuffer) = (BytesMut::new(), Stuffer::new());
    for piece in pieces(body, cuts) {
        stuffer.feed(piece, &mut wire);
    }
    stuffer.finish(&mut wire);
    let start = b"EHLO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<b@d.example>\r\nDATA\r\n";
    let input = [&start[..], &wire[..], b"NOOP\r\n"].concat();
    let mut config = Config::new("mx.example.org");
    config.limits.hops = u32::MAX;
    let said = serve(&Arc::new(config), &pieces(&input, cuts), Answers(&[]));
    assert_eq!(said.bodies.len(), 1);
    assert_eq!(said.bodies[0], lines(body));
    assert!(said.output.ends_with(b"250 2.0.0 ok\r\n") || said.output.ends_with(b"ok\r\n"), "{}", said.output.escape_ascii());
});
