//! What is not the protocol: closed without a word, and no message comes of it (qmail-qmtpd(8), qmail-qmqpd(8)).

use super::oracle::{Qmqp, Qmtp, Seen, check};
use super::{lines, ns, qmqp, qmtp};
use mta_proto::{qmqp as qmqp_proto, qmtp as qmtp_proto};
use proptest::prelude::*;
use std::sync::Arc;

/// The last line of a session that has no message and no answer.
fn end(seen: &[Seen]) -> String {
    let quiet = |s: &Seen| !matches!(s, Seen::Said(_) | Seen::End(_));
    assert!(seen.iter().all(quiet), "{seen:?}");
    lines(seen).pop().unwrap()
}

/// Runs both servers on `input`.
fn both(input: &[u8], cuts: &[usize]) -> [Vec<Seen>; 2] {
    let qmtp = Arc::new(qmtp_proto::server::Config::default());
    let qmqp = Arc::new(qmqp_proto::server::Config::default());
    [
        check(|| Qmtp::new(&qmtp), input, cuts),
        check(|| Qmqp::new(&qmqp), input, cuts),
    ]
}

const LENGTH: &str = "closed: protocol error: expected the decimal length of a netstring";
const LONG: &str = "closed: protocol error: expected a netstring within the limit of length";
const COMMA: &str = "closed: protocol error: expected a comma behind a netstring";
const OVERRUN: &str =
    "closed: protocol error: expected a netstring to end within the one around it";
const CONTENT: &str = "closed: protocol error: expected other content in a netstring";
const HUNG_UP: &str = "closed: the client hung up";

#[test]
fn qmtp_closes_on_what_is_no_package() {
    let rows: &[(&str, Vec<u8>, &str)] = &[
        ("nothing", vec![], HUNG_UP),
        ("SMTP", b"EHLO x\r\n".to_vec(), LENGTH),
        ("empty message", b"0:,".to_vec(), CONTENT),
        ("other encoding", ns("xabc"), CONTENT),
        ("NUL encoding", ns("\0abc"), CONTENT),
        ("too long", b"2000000010:\n".to_vec(), LONG),
        ("no comma behind the message", b"2:\nx;".to_vec(), COMMA),
        (
            "no comma behind the sender",
            [ns("\nx"), b"1:a:".to_vec()].concat(),
            COMMA,
        ),
        (
            "recipient beyond the list",
            [ns("\nx"), ns(""), b"4:9:ab,".to_vec()].concat(),
            OVERRUN,
        ),
        (
            "list that cuts a length",
            [ns("\nx"), ns(""), ns("3:abc,1")].concat(),
            OVERRUN,
        ),
        (
            "list that is no list",
            [ns("\nx"), ns(""), ns("a@b")].concat(),
            LENGTH,
        ),
        (
            "no comma behind the list",
            [ns("\nx"), ns(""), b"6:3:abc,.".to_vec()].concat(),
            COMMA,
        ),
        ("cut off in the body", b"10:\nabc".to_vec(), HUNG_UP),
        (
            "cut off before the last comma",
            [ns("\nx"), ns(""), b"6:3:abc,".to_vec()].concat(),
            HUNG_UP,
        ),
    ];
    for (name, input, expected) in rows {
        let [seen, _] = both(input, &[3]);
        assert_eq!(end(&seen), *expected, "{name}");
    }
}

#[test]
fn qmqp_closes_on_what_is_no_package() {
    let rows: &[(&str, Vec<u8>, &str)] = &[
        ("nothing", vec![], HUNG_UP),
        ("SMTP", b"EHLO x\r\n".to_vec(), LENGTH),
        ("empty package", b"0:,".to_vec(), OVERRUN),
        ("too long", b"2000000010:".to_vec(), LONG),
        ("message beyond the package", b"6:9:abc,".to_vec(), OVERRUN),
        ("no sender", ns(ns("abc")), OVERRUN),
        (
            "sender cut off",
            ns([ns("abc"), b"5:a@".to_vec()].concat()),
            OVERRUN,
        ),
        (
            "recipient cut off",
            ns([ns("abc"), ns(""), b"7:c@d".to_vec()].concat()),
            OVERRUN,
        ),
        (
            "junk behind the recipients",
            ns([ns("abc"), ns(""), b"xyz".to_vec()].concat()),
            LENGTH,
        ),
        (
            "no comma behind the message",
            ns([b"3:abc;".to_vec(), ns(""), ns("")].concat()),
            COMMA,
        ),
        ("QMTP", qmtp("\nabc", "a@b", &["c@d"]), LENGTH),
        ("no comma at the end", b"9:0:,0:,0:,.".to_vec(), COMMA),
        ("cut off", b"21:6:hello\n,3:a@b,3:c@d,".to_vec(), HUNG_UP),
    ];
    for (name, input, expected) in rows {
        let [_, seen] = both(input, &[3]);
        assert_eq!(end(&seen), *expected, "{name}");
    }
}

#[test]
fn a_body_of_a_hundred_megabytes_passes_in_constant_memory() {
    use mta_core::Mono;
    use mta_proto::qmtp::server::{Config, Event, Server, Verdict};
    use mta_proto::{Action, Machine};
    let size: u64 = 100_000_000;
    let mut server = Server::new(Arc::new(Config::default()), Mono::ZERO);
    let piece = vec![b'x'; 32 * 1024];
    let (mut seen, mut largest) = (0, 0);
    server
        .wire_mut()
        .push(format!("{}:\n", size + 1).as_bytes());
    while seen < size {
        match server.poll(Mono::ZERO) {
            Action::Event(Event::Connected(ticket)) => server.answer(ticket, Verdict::Accept),
            Action::Event(Event::Body(body)) => {
                seen += body.len() as u64;
                largest = largest.max(body.len());
            }
            Action::Event(_) => {}
            Action::Read => {
                server.wire_mut().push(&piece);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(largest <= 64 * 1024, "{largest}");
}

#[derive(Clone, Debug)]
enum Op {
    Package {
        qmtp: bool,
        message: String,
        sender: String,
        to: Vec<String>,
    },
    Junk(Vec<u8>),
}

fn op() -> impl Strategy<Value = Op> {
    let address = || {
        prop_oneof![
            Just("nobody@b".to_owned()),
            Just("later@b".to_owned()),
            Just("full@a".to_owned()),
            "[a-c]{0,3}@[a-c\\x00]{0,3}",
        ]
    };
    let to = prop::collection::vec(address(), 0..4);
    let junk = prop::collection::vec(
        prop_oneof![
            Just(b':'),
            Just(b','),
            Just(b'\r'),
            Just(b'\n'),
            b'0'..=b'9'
        ],
        0..12,
    );
    prop_oneof![
        4 => (any::<bool>(), "[\r\n][\r\na.]{0,12}", address(), to)
            .prop_map(|(qmtp, message, sender, to)| Op::Package { qmtp, message, sender, to }),
        1 => junk.prop_map(Op::Junk),
    ]
}

proptest! {
    #[test]
    fn the_cut_of_the_input_cannot_be_seen(ops in prop::collection::vec(op(), 0..6), cut in 1_usize..40) {
        let input: Vec<u8> = ops.iter().flat_map(|op| match op {
            Op::Junk(bytes) => bytes.clone(),
            Op::Package { qmtp: is_qmtp, message, sender, to } => {
                let to: Vec<&str> = to.iter().map(String::as_str).collect();
                let make = if *is_qmtp { qmtp } else { qmqp };
                make(message, sender, &to)
            }
        }).collect();
        both(&input, &[cut]);
    }

    #[test]
    fn any_bytes_are_survived(input in prop::collection::vec(any::<u8>(), 0..200), cut in 1_usize..40) {
        both(&input, &[cut]);
    }
}
