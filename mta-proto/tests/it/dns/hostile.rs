//! Forged and broken answers: ignored or left, never believed, never a panic (RFC 5452 §9).

use super::*;
use crate::client::kit::Random;

#[test]
fn what_answers_no_question_of_ours_is_ignored() {
    let mut lookup = start(query("example.org", Kind::A), 2);
    let Step::Transmit(sent) = lookup.poll(Mono::ZERO) else {
        panic!()
    };
    let good = answer(&sent, &says(&[a("example.org", 50, 1)]));
    let mut other_id = good.clone();
    other_id[0] ^= 1;
    let mut a_question = good.clone();
    a_question[2] &= 0x7f;
    let mut other = sent.clone();
    let asked = question(&sent);
    let mut message = Message::new(asked.metadata.id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Question::query(name("evil.example"), RecordType::A));
    other.bytes = message.to_vec().unwrap();
    let other_name = answer(&other, &says(&[a("example.org", 50, 66)]));
    let rows: [(&str, usize, Transport, &[u8]); 7] = [
        ("another id", 0, Transport::Udp, &other_id),
        ("another server", 1, Transport::Udp, &good),
        ("another transport", 0, Transport::Tcp, &good),
        ("a question", 0, Transport::Udp, &a_question),
        ("another name", 0, Transport::Udp, &other_name),
        ("nothing", 0, Transport::Udp, b""),
        ("half a header", 0, Transport::Udp, &good[..7]),
    ];
    for (row, server, transport, bytes) in rows {
        lookup.received(Mono::ZERO, server, transport, bytes);
        assert!(
            matches!(lookup.poll(Mono::ZERO), Step::WaitUntil(_)),
            "{row}"
        );
    }
    lookup.received(Mono::ZERO, 0, Transport::Udp, &good);
    assert!(matches!(
        lookup.poll(Mono::ZERO),
        Step::Done(Answer::Records(_), _)
    ));
}

#[test]
fn an_answer_that_cannot_be_read_sends_us_to_the_next_server() {
    let mut lookup = start(query("example.org", Kind::A), 2);
    let Step::Transmit(sent) = lookup.poll(Mono::ZERO) else {
        panic!()
    };
    let good = answer(&sent, &says(&[a("example.org", 50, 1)]));
    lookup.received(Mono::ZERO, 0, Transport::Udp, &good[..good.len() - 2]);
    let Step::Transmit(next) = lookup.poll(Mono::ZERO) else {
        panic!()
    };
    assert_eq!(next.server, 1);
}

#[test]
fn records_of_names_that_no_host_bears_are_a_failure() {
    let host = Name::from_labels([&b"a b"[..], b"org"]).unwrap();
    let odd = record("example.org", 9, RData::MX(MX::new(1, host)));
    let lookup = start(query("example.org", Kind::Mx), 2);
    let (answer, _, asked) = run(lookup, |_, _| says(std::slice::from_ref(&odd)));
    assert!(matches!(answer, Answer::Failed(_)));
    assert_eq!(asked, "0 ");
}

#[test]
fn an_answer_is_taken_only_up_to_its_bound() {
    let many: Vec<_> = (0..=255).map(|n| a("example.org", 9, n)).collect();
    let (answer, ..) = run(start(query("example.org", Kind::A), 1), |_, _| says(&many));
    assert!(matches!(answer, Answer::Records(records) if records.len() == 100));
}

#[test]
fn query_ids_do_not_repeat_soon() {
    let mut ids: Vec<u16> = (0..200)
        .map(|seed| {
            let question = query("example.org", Kind::A);
            let mut lookup = Lookup::new(question, servers(1), LookupConfig::default(), seed);
            let Step::Transmit(sent) = lookup.poll(Mono::ZERO) else {
                panic!()
            };
            u16::from_be_bytes([sent.bytes[0], sent.bytes[1]])
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() > 190);
}

#[test]
fn mutated_answers_never_panic_and_never_run_on() {
    let rich = Says {
        answers: vec![
            cname("example.org", "b.example.org"),
            mx("b.example.org", 10, "mx.example.org"),
            mx("b.example.org", 20, "."),
            record(
                "b.example.org",
                5,
                RData::TXT(TXT::new(vec!["text".into(); 3])),
            ),
            a("example.org", 5, 1),
        ],
        authorities: vec![
            soa("org", 30, 900),
            record("org", 9, RData::NS(NS(name("ns")))),
        ],
        ..Says::default()
    };
    let mut random = Random(3);
    for round in 0..20_000_u64 {
        let kind = [Kind::Mx, Kind::A, Kind::Txt][random.below(3)];
        let question = query("example.org", kind);
        let mut lookup = Lookup::new(question, servers(2), LookupConfig::default(), round);
        let (mut now, mut steps) = (Mono::ZERO, 0);
        loop {
            steps += 1;
            assert!(steps < 400, "round {round} runs on");
            match lookup.poll(now) {
                Step::Done(..) => break,
                Step::WaitUntil(until) => now = until,
                Step::Transmit(sent) => {
                    let mut bytes = answer(&sent, &rich);
                    for _ in 0..random.below(6) {
                        let at = 2 + random.below(bytes.len() - 2);
                        bytes[at] = random.below(256) as u8;
                    }
                    bytes.truncate(bytes.len() - random.below(4) * random.below(20));
                    lookup.received(now, sent.server, sent.transport, &bytes);
                }
            }
        }
    }
}
