//! The codec of netstrings in both directions, and what is none (qmail-qmtpd(8)).

use super::ns;
use bytes::BytesMut;
use mta_proto::netstring::{Malformed, Part, Reader, decode, encoded_len};
use proptest::prelude::*;

/// Reads all netstrings of `input`, fed in pieces of `size` bytes.
fn read(input: &[u8], longest: u64, size: usize) -> (Vec<Vec<u8>>, Option<Malformed>) {
    let (mut reader, mut buffer) = (Reader::new(longest), BytesMut::new());
    let (mut found, mut current) = (Vec::new(), Vec::new());
    for piece in input.chunks(size) {
        buffer.extend_from_slice(piece);
        loop {
            match reader.step(&mut buffer) {
                Err(why) => return (found, Some(why)),
                Ok(Part::Starved) => break,
                Ok(Part::Begin(_)) => current = Vec::new(),
                Ok(Part::Content(n)) => current.extend_from_slice(&reader.take(&mut buffer, n)),
                Ok(Part::End) => found.push(std::mem::take(&mut current)),
            }
        }
    }
    (found, None)
}

#[test]
fn what_is_no_netstring_is_named_at_any_cut() {
    let many = "0".repeat(21) + ":,";
    let zeros = "0".repeat(19) + "1:x,";
    let rows: &[(&str, &str, Result<&str, Malformed>)] = &[
        ("plain", "3:abc,", Ok("abc")),
        ("empty", "0:,", Ok("")),
        ("leading zero", "03:abc,", Ok("abc")),
        ("twenty digits", &zeros, Ok("x")),
        ("twenty-one digits", &many, Err(Malformed::Length)),
        ("no digits", ":abc,", Err(Malformed::Length)),
        ("a sign", "+3:abc,", Err(Malformed::Length)),
        ("a minus", "-1:,", Err(Malformed::Length)),
        ("a space", "3 :abc,", Err(Malformed::Length)),
        ("a byte below 0", "/:,", Err(Malformed::Length)),
        ("SMTP", "EHLO x\r\n", Err(Malformed::Length)),
        ("no comma", "3:abcd", Err(Malformed::Comma)),
        ("longer than the limit", "1001:", Err(Malformed::TooLong)),
        ("overflow", "99999999999999999999:", Err(Malformed::TooLong)),
    ];
    for (name, text, want) in rows {
        for size in 1..=text.len() {
            let (found, why) = read(text.as_bytes(), 1000, size);
            let got = why.map_or_else(|| Ok(found[0].clone()), Err);
            assert_eq!(got, want.map(|w| w.as_bytes().to_vec()), "{name}, {size}");
        }
        let whole = decode(text.as_bytes(), 1000).map(|(bytes, _)| bytes);
        assert_eq!(whole, want.map(str::as_bytes), "{name}");
    }
}

#[test]
fn a_netstring_never_reaches_beyond_the_one_around_it() {
    let rows = [
        ("fits", "6:3:abc,,", true),
        ("length cut off", "1:3:abc,,", false),
        ("colon is the last byte", "2:3:abc,,", false),
        ("comma missing", "5:3:abc,,", false),
        ("empty around", "0:,", false),
        ("reaches out", "6:9:abcdefghi,,", false),
    ];
    for (name, text, good) in rows {
        let mut input = BytesMut::from(text);
        let (mut outer, mut inner) = (Reader::new(99), Reader::new(99));
        assert!(matches!(outer.step(&mut input), Ok(Part::Begin(_))));
        let end = loop {
            match inner.step_inside(&mut input, &mut outer) {
                Ok(Part::Begin(_)) => {}
                Ok(Part::Content(n)) => {
                    inner.take_inside(&mut input, &mut outer, n);
                }
                end => break end,
            }
        };
        assert_eq!(end == Ok(Part::End), good, "{name}: {end:?}");
        assert_eq!(end == Err(Malformed::Overrun), !good, "{name}: {end:?}");
    }
}

#[test]
fn the_length_of_an_encoding_is_known_beforehand() {
    for n in [0, 1, 9, 10, 99, 100, 101, 12_345] {
        assert_eq!(encoded_len(n as u64), ns(vec![b'x'; n]).len() as u64);
    }
    assert_eq!(encoded_len(u64::MAX), u64::MAX);
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(strings in prop::collection::vec(any::<Vec<u8>>(), 0..8), cut in 1_usize..20) {
        let input: Vec<u8> = strings.iter().flat_map(ns).collect();
        let (found, why) = read(&input, 1000, cut);
        prop_assert_eq!(why, None);
        prop_assert_eq!(&found, &strings);
        let mut rest = &input[..];
        for string in &strings {
            let (bytes, behind) = decode(rest, 1000).unwrap();
            prop_assert_eq!(bytes, &string[..]);
            rest = behind;
        }
        prop_assert!(rest.is_empty());
    }
}
