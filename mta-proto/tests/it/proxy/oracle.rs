//! What must hold for any bytes before a session; the fuzz target shares it (PROXY protocol §2).

use mta_proto::proxy::{Client, HEADER_MAX, Malformed, Parsed, parse};

/// The header of `client` as its version 1 says it.
pub(crate) fn line(client: Client) -> Vec<u8> {
    match client {
        Client::At { from, to } => {
            let kind = if from.is_ipv4() { "TCP4" } else { "TCP6" };
            let (a, b, c, d) = (from.ip(), to.ip(), from.port(), to.port());
            format!("PROXY {kind} {a} {b} {c} {d}\r\n").into_bytes()
        }
        Client::Proxy | Client::Unknown => b"PROXY UNKNOWN\r\n".to_vec(),
    }
}

/// Looks at every beginning of `input`: the first answer that is not "incomplete" is the answer
/// for all that is longer, so that no cut of the stream can be seen.
pub(crate) fn check(input: &[u8]) -> Option<Result<(usize, Client), Malformed>> {
    let input = input.get(..HEADER_MAX + 64).unwrap_or(input);
    let mut found = None;
    for length in 0..=input.len() {
        let now = match parse(&input[..length]) {
            Ok(Parsed::Incomplete) => None,
            Ok(Parsed::Header { length, client }) => Some(Ok((length, client))),
            Err(malformed) => Some(Err(malformed)),
        };
        assert!(found.is_none() || now == found, "{found:?} then {now:?}");
        if let (Some(Ok((header, _))), true) = (&now, found.is_none()) {
            assert_eq!(*header, length, "known with its last byte");
        }
        found = now;
    }
    assert!(
        input.len() < HEADER_MAX || found.is_some(),
        "it has a bound"
    );
    if let Some(Ok((_, client @ Client::At { .. }))) = found {
        let line = line(client);
        let length = line.len();
        assert_eq!(
            parse(&line),
            Ok(Parsed::Header { length, client }),
            "both versions say the same"
        );
    }
    found
}
