//! A name server on a port of the system's choice that knows what a test tells it (RFC 1035 §4.1).

use std::net::UdpSocket;

/// What it says of a name.
#[derive(Clone, Copy)]
pub(crate) enum Says {
    A([u8; 4]),
    Txt(&'static str),
    /// SERVFAIL.
    Trouble,
}

/// Serves a zone until the test ends; names that are not in it do not exist. Returns what
/// $DNSCACHEIP is to say.
pub(crate) fn serve(zone: &'static [(&'static str, Says)]) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((n, from)) = socket.recv_from(&mut question) {
            // A client that has gone does not matter.
            let _ = socket.send_to(&answer(zone, &question[..n]), from);
        }
    });
    address.to_string()
}

fn answer(zone: &[(&str, Says)], question: &[u8]) -> Vec<u8> {
    let (mut name, mut at) = (String::new(), 12);
    while question[at] != 0 {
        let label = &question[at + 1..=at + usize::from(question[at])];
        name += &String::from_utf8_lossy(label).to_lowercase();
        name.push('.');
        at += 1 + label.len();
    }
    let kind = question[at + 2];
    let known: Vec<_> = zone
        .iter()
        .filter(|(known, _)| *known == name.trim_end_matches('.'))
        .collect();
    let record = known.iter().find_map(|(_, says)| match says {
        Says::A(address) if kind == 1 => Some(address.to_vec()),
        Says::Txt(text) if kind == 16 => {
            Some([&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat())
        }
        _ => None,
    });
    let trouble = known.iter().any(|(_, says)| matches!(says, Says::Trouble));
    let code = match () {
        () if trouble => 2,
        () if known.is_empty() => 3,
        () => 0,
    };
    let mut answer = question[..at + 5].to_vec();
    let count = u8::from(record.is_some());
    answer[2..12].copy_from_slice(&[0x84, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    if let Some(data) = record {
        answer.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0]);
        answer.push(u8::try_from(data.len()).unwrap());
        answer.extend(data);
    }
    answer
}
