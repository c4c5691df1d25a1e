//! Netstrings: what is encoded is decoded, and the reader agrees with the decoder at any cut (qmail-qmtpd(8)).
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use mta_fuzz::{pieces, split};
use mta_proto::netstring::{Malformed, Part, Reader, decode, encode, encoded_len};

const LONGEST: u64 = 5000;

fn first(input: &[&[u8]]) -> Result<Vec<u8>, Option<Malformed>> {
    let (mut reader, mut buffer, mut content) = (Reader::new(LONGEST), BytesMut::new(), Vec::new());
    for piece in input {
        buffer.extend_from_slice(piece);
        loop {
            match reader.step(&mut buffer).map_err(Some)? {
                Part::Starved => break,
                Part::Begin(length) => assert!(length <= LONGEST),
                Part::Content(n) => content.extend_from_slice(&reader.take(&mut buffer, n)),
                Part::End => return Ok(content),
            }
        }
    }
    Err(None)
}

fuzz_target!(|data: &[u8]| {
    let (cuts, input) = split(data, 4);
    let mut wire = Vec::new();
    encode(input, &mut wire);
    assert_eq!(wire.len() as u64, encoded_len(input.len() as u64));
    assert_eq!(decode(&wire, u64::MAX), Ok((input, &b""[..])));
    let whole = first(&[input]);
    assert_eq!(whole, first(&pieces(input, cuts)));
    match (&whole, decode(input, LONGEST)) {
        (Ok(content), Ok((same, _))) => assert_eq!(content, same),
        (Err(_), Err(_)) => {}
        other => panic!("{other:?}"),
    }
});
