//! Headers of proxies, good and bad, whole and in every cut (PROXY protocol §2.1, §2.2).

mod oracle;

use mta_proto::proxy::{Client, HEADER_MAX, Malformed};
use oracle::check;
use proptest::prelude::*;
use std::net::SocketAddr;

fn at(from: &str, to: &str) -> Client {
    let [from, to] = [from, to].map(|text| text.parse::<SocketAddr>().unwrap());
    Client::At { from, to }
}

#[test]
fn lines_of_version_1_are_read_strictly() {
    let v4 = at("192.0.2.1:56324", "198.51.100.1:25");
    let long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(91));
    let longer = format!("PROXY UNKNOWN {}\r\n", "f".repeat(92));
    assert_eq!(long.len(), 107);
    type Row<'a> = (&'a str, &'a str, Result<Client, Malformed>);
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        ("IPv4", "PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n", Ok(v4)),
        ("IPv6", "PROXY TCP6 2001:db8::1 ::1 0 65535\r\n", Ok(at("[2001:db8::1]:0", "[::1]:65535"))),
        ("unknown", "PROXY UNKNOWN\r\n", Ok(Client::Unknown)),
        ("the longest", &long, Ok(Client::Unknown)),
        ("one byte longer", &longer, Err(Malformed::Endless)),
        ("nothing behind it", "PROXY \r\n", Err(Malformed::Line)),
        ("UNKNOWNS", "PROXY UNKNOWNS\r\n", Err(Malformed::Line)),
        ("a family of its own", "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", Err(Malformed::Line)),
        ("lower case", "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Err(Malformed::NoHeader)),
        ("IPv6 as IPv4", "PROXY TCP4 ::1 ::1 1 2\r\n", Err(Malformed::Line)),
        ("IPv4 as IPv6", "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", Err(Malformed::Line)),
        ("two spaces", "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", Err(Malformed::Line)),
        ("space at the end", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", Err(Malformed::Line)),
        ("leading zero", "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", Err(Malformed::Line)),
        ("octet with zero", "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n", Err(Malformed::Line)),
        ("sign", "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", Err(Malformed::Line)),
        ("port too large", "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", Err(Malformed::Line)),
        ("no port", "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", Err(Malformed::Line)),
        ("LF alone is no end", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\nEHLO x\r\n", Err(Malformed::Line)),
        ("a client that speaks SMTP", "EHLO client\r\n", Err(Malformed::NoHeader)),
        ("a client that speaks TLS", "\x16\x03\x01\x02\0", Err(Malformed::NoHeader)),
    ];
    for (name, input, wanted) in rows {
        let found = check(input.as_bytes()).unwrap();
        assert_eq!(found, wanted.map(|client| (input.len(), client)), "{name}");
    }
    let no_end = "PROXY TCP4 ".to_owned() + &"1".repeat(200);
    assert_eq!(check(no_end.as_bytes()), Some(Err(Malformed::Endless)));
}

/// A header of version 2 with `announced` bytes behind it.
fn binary(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([command, family]);
    header.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    header.extend(body);
    header
}

#[test]
fn headers_of_version_2_are_read_strictly() {
    let v4 = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 4, 0, 25];
    let mut v6 = [0_u8; 36];
    (v6[0], v6[1], v6[2], v6[3], v6[15]) = (0x20, 1, 0x0d, 0xb8, 1);
    (v6[31], v6[33], v6[35]) = (1, 7, 25);
    let with_tlv: Vec<u8> = [&v4[..], &[4, 0, 2, 0, 0]].concat();
    let most = vec![0; HEADER_MAX - 16];
    let more = vec![0; HEADER_MAX - 15];
    type Row<'a> = (&'a str, Vec<u8>, Result<Client, Malformed>);
    let client = at("192.0.2.1:56324", "198.51.100.1:25");
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        ("IPv4", binary(0x21, 0x11, &v4), Ok(client)),
        ("IPv6", binary(0x21, 0x21, &v6), Ok(at("[2001:db8::1]:7", "[::1]:25"))),
        ("IPv4 and TLVs", binary(0x21, 0x11, &with_tlv), Ok(client)),
        ("LOCAL", binary(0x20, 0, b""), Ok(Client::Proxy)),
        ("LOCAL with addresses", binary(0x20, 0x11, &v4), Ok(Client::Proxy)),
        ("LOCAL of any family", binary(0x20, 0x99, b"xyz"), Ok(Client::Proxy)),
        ("unspecified", binary(0x21, 0, b"ignored"), Ok(Client::Unknown)),
        ("a local socket", binary(0x21, 0x31, &[0; 216]), Ok(Client::Unknown)),
        ("the longest", binary(0x21, 0, &most), Ok(Client::Unknown)),
        ("one byte longer", binary(0x21, 0, &more), Err(Malformed::TooLong)),
        ("addresses cut", binary(0x21, 0x11, &v4[..11]), Err(Malformed::Short)),
        ("IPv4 as IPv6", binary(0x21, 0x21, &v4), Err(Malformed::Short)),
        ("datagrams", binary(0x21, 0x12, &v4), Err(Malformed::Family)),
        ("another family", binary(0x21, 0x41, &v4), Err(Malformed::Family)),
        ("another command", binary(0x22, 0x11, &v4), Err(Malformed::Command)),
        ("another version", binary(0x11, 0x11, &v4), Err(Malformed::Command)),
        ("a signature that goes wrong", b"\r\n\r\n\0\r\nQUIT\r".to_vec(), Err(Malformed::NoHeader)),
    ];
    for (name, mut input, wanted) in rows {
        let length = input.len();
        input.extend_from_slice(b"EHLO client\r\n");
        let found = check(&input).unwrap();
        assert_eq!(found, wanted.map(|client| (length, client)), "{name}");
    }
}

proptest! {
    #[test]
    fn no_bytes_upset_the_parser(input in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        (0_u8..4, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..300))
            .prop_map(|(command, family, body)| binary(0x20 | command, family & 0x33, &body)),
        "PROXY (TCP4|TCP6|UNKNOWN) [0-9a-f.: ]{0,60}(\r\n)?".prop_map(String::into_bytes),
    ]) {
        check(&input);
    }

    #[test]
    fn what_is_written_is_read(from: SocketAddr, to: SocketAddr) {
        if from.is_ipv4() == to.is_ipv4() {
            // Scopes and flow labels of IPv6 are no part of a header.
            let [from, to] = [from, to].map(|a| SocketAddr::new(a.ip(), a.port()));
            let client = Client::At { from, to };
            let line = oracle::line(client);
            prop_assert_eq!(check(&line), Some(Ok((line.len(), client))));
        }
    }
}
