//! A DNS server that knows what a test tells it (RFC 1035).

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

const A: u16 = 1;
const PTR: u16 = 12;
const MX: u16 = 15;
const TXT: u16 = 16;

#[derive(Clone)]
struct Record {
    name: String,
    kind: u16,
    data: Vec<u8>,
}

/// Answers over UDP until the test ends.
pub(crate) struct FakeDns {
    address: SocketAddr,
    records: Arc<Mutex<Vec<Record>>>,
}

impl FakeDns {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let records = Arc::new(Mutex::new(Vec::new()));
        let known = Arc::clone(&records);
        std::thread::spawn(move || {
            let mut query = [0; 1500];
            while let Ok((n, from)) = socket.recv_from(&mut query) {
                if let Some(answer) = answer(&query[..n], &known.lock().unwrap()) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { address, records }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn a(&self, name: &str, address: Ipv4Addr) {
        self.add(name, A, address.octets().to_vec());
    }

    /// The name of an address.
    pub(crate) fn ptr(&self, address: Ipv4Addr, name: &str) {
        let [a, b, c, d] = address.octets();
        let owner = format!("{d}.{c}.{b}.{a}.in-addr.arpa");
        self.add(&owner, PTR, wire_name(name));
    }

    /// An MX record; `.` as host is the null MX.
    pub(crate) fn mx(&self, name: &str, preference: u16, host: &str) {
        self.add(
            name,
            MX,
            [&preference.to_be_bytes()[..], &wire_name(host)].concat(),
        );
    }

    pub(crate) fn txt(&self, name: &str, text: &str) {
        let length = u8::try_from(text.len()).unwrap();
        self.add(name, TXT, [&[length], text.as_bytes()].concat());
    }

    fn add(&self, name: &str, kind: u16, data: Vec<u8>) {
        let name = name.to_owned();
        self.records
            .lock()
            .unwrap()
            .push(Record { name, kind, data });
    }
}

fn wire_name(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

fn answer(query: &[u8], records: &[Record]) -> Option<Vec<u8>> {
    let mut at = 12;
    let mut labels = Vec::new();
    while *query.get(at)? != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(query.get(at + 1..at + 1 + length)?).to_lowercase());
        at += 1 + length;
    }
    let kind = u16::from_be_bytes([*query.get(at + 1)?, *query.get(at + 2)?]);
    let name = labels.join(".");
    let own: Vec<&Record> = records.iter().filter(|r| r.name == name).collect();
    let fitting: Vec<&&Record> = own.iter().filter(|r| r.kind == kind).collect();
    let code = if own.is_empty() { 3 } else { 0 };
    let mut out = query[..2].to_vec();
    out.extend([
        0x81,
        0x80 | code,
        0,
        1,
        0,
        u8::try_from(fitting.len()).unwrap(),
        0,
        0,
        0,
        0,
    ]);
    out.extend_from_slice(&query[12..at + 5]);
    for record in fitting {
        out.extend([0xC0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 60]);
        out.extend(u16::try_from(record.data.len()).unwrap().to_be_bytes());
        out.extend_from_slice(&record.data);
    }
    Some(out)
}
