//! Replies of a hostile server: bounded, never a panic, the same for any split (RFC 5321 §4.2).
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use mta_fuzz::{pieces, split};
use mta_proto::smtp::reply_parser::{ReplyLimits, ReplyParser};

fn parse(input: &[&[u8]]) -> Vec<String> {
    let mut parser = ReplyParser::new(ReplyLimits::default());
    let mut found = Vec::new();
    for piece in input {
        let mut piece = BytesMut::from(*piece);
        loop {
            match parser.feed(&mut piece) {
                Ok(Some(reply)) => {
                    assert!((200..600).contains(&reply.code) || reply.code < 1000);
                    found.push(format!("{reply:?}"));
                }
                Ok(None) => break,
                Err(error) => {
                    found.push(error.to_string());
                    return found;
                }
            }
        }
    }
    found
}

fuzz_target!(|data: &[u8]| {
    let (cuts, input) = split(data, 4);
    let whole = parse(&[input]);
    assert_eq!(whole, parse(&pieces(input, cuts)));
    assert_eq!(whole, parse(&pieces(input, &[1])));
});
