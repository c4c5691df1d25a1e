//! What look-ups answer, whom they ask and how long it holds (RFC 1034 §3.6.2, RFC 2308, RFC 6891, RFC 7766).

use super::*;

type Row = (&'static str, Kind, Says, Answer, u64);

#[track_caller]
fn check(rows: impl IntoIterator<Item = Row>) {
    for (row, kind, server, wanted, ttl) in rows {
        let got = run(start(query("example.org", kind), 2), |_, _| server.clone());
        assert_eq!(got, (wanted, ttl, "0 ".to_owned()), "{row}");
    }
}

#[test]
fn addresses_are_as_the_table_says() {
    let ips = |list: &[u8]| Answer::Records(list.iter().map(|&n| ip(n)).collect());
    let two = says(&[a("example.org", 50, 1), a("example.org", 20, 2)]);
    let stranger = says(&[a("EXAMPLE.org", 9, 1), a("evil.example", 9, 66)]);
    let alias = says(&[
        a("c.example.org", 500, 3),
        cname("b.example.org", "c.example.org"),
        cname("example.org", "b.example.org"),
    ]);
    let long = says(&[a("example.org", 1_000_000, 1)]);
    check([
        (
            "one",
            Kind::A,
            says(&[a("example.org", 50, 1)]),
            ips(&[1]),
            50,
        ),
        ("least time to live", Kind::A, two, ips(&[1, 2]), 20),
        ("longer than a day", Kind::A, long, ips(&[1]), 86_400),
        (
            "other case, and a stranger",
            Kind::A,
            stranger,
            ips(&[1]),
            9,
        ),
        ("alias inside the answer", Kind::A, alias, ips(&[3]), 60),
    ]);
}

#[test]
fn other_records_are_as_the_table_says() {
    let mx = says(&[
        mx("example.org", 10, "MX.Example.org"),
        mx("example.org", 0, "."),
    ]);
    let mail_exchanger = |preference, host: &str| Record::Mx {
        preference,
        host: host.into(),
    };
    let exchangers = vec![mail_exchanger(10, "mx.example.org"), mail_exchanger(0, "")];
    let strings = TXT::new(vec!["v=spf1 ".into(), "-all".into()]);
    let txt = says(&[record("example.org", 5, RData::TXT(strings))]);
    let text = vec![Record::Txt(b"v=spf1 -all".to_vec())];
    let host = PTR(name("host.example.org"));
    let ptr = says(&[record("example.org", 5, RData::PTR(host))]);
    let reverse = vec![Record::Ptr("host.example.org".into())];
    check([
        (
            "mail exchangers",
            Kind::Mx,
            mx,
            Answer::Records(exchangers),
            300,
        ),
        ("text is joined", Kind::Txt, txt, Answer::Records(text), 5),
        ("reverse name", Kind::Ptr, ptr, Answer::Records(reverse), 5),
    ]);
}

#[test]
fn negative_answers_are_as_the_table_says() {
    let no_such = |seconds| Says {
        code: ResponseCode::NXDomain,
        authorities: vec![soa("org", seconds, 900)],
        ..Says::default()
    };
    let no_data = Says {
        authorities: vec![soa("org", 30, 900)],
        ..Says::default()
    };
    let alias = Says {
        answers: vec![cname("example.org", "gone.example.org")],
        ..no_such(40)
    };
    check([
        ("no such name", Kind::A, no_such(77), Answer::NoName, 77),
        (
            "no longer than the minimum",
            Kind::A,
            no_such(5000),
            Answer::NoName,
            900,
        ),
        ("no such record", Kind::A, no_data, Answer::NoData, 30),
        (
            "nobody says for how long",
            Kind::A,
            says(&[]),
            Answer::NoData,
            0,
        ),
        ("alias to no name", Kind::A, alias, Answer::NoName, 40),
    ]);
}

#[test]
fn servers_take_turns_as_the_table_says() {
    let good = || says(&[a("example.org", 50, 1)]);
    let silent = || Says {
        silent: true,
        ..Says::default()
    };
    let cut = || Says {
        truncated: true,
        ..good()
    };
    let old = || Says {
        no_edns: true,
        ..good()
    };
    let rows: [(&str, [Says; 3], &str); 8] = [
        (
            "first answers",
            [good(), fails(ResponseCode::ServFail), silent()],
            "0 ",
        ),
        (
            "first fails",
            [fails(ResponseCode::ServFail), good(), silent()],
            "0 1 ",
        ),
        (
            "two refuse",
            [
                fails(ResponseCode::Refused),
                fails(ResponseCode::YXDomain),
                good(),
            ],
            "0 1 2 ",
        ),
        ("first is silent", [silent(), good(), silent()], "0 1 "),
        ("cut answer", [cut(), silent(), silent()], "0 0t "),
        ("no EDNS", [old(), silent(), silent()], "0 0 "),
        (
            "no EDNS, then cut",
            [
                Says {
                    truncated: true,
                    ..old()
                },
                silent(),
                silent(),
            ],
            "0 0 0t ",
        ),
        (
            "never understands",
            [fails(ResponseCode::FormErr), good(), good()],
            "0 0 1 ",
        ),
    ];
    for (row, table, wanted) in rows {
        let lookup = start(query("example.org", Kind::A), 3);
        let (answer, _, asked) = run(lookup, |_, server| table[server].clone());
        assert_eq!(asked, wanted, "{row}");
        assert_eq!(answer, Answer::Records(vec![ip(1)]), "{row}");
    }
}

#[test]
fn a_look_up_fails_when_each_server_had_its_attempts() {
    let rows = [
        (
            "silent",
            Says {
                silent: true,
                ..Says::default()
            },
            "did not answer in time",
        ),
        ("failing", fails(ResponseCode::ServFail), "SERVFAIL"),
        ("refusing", fails(ResponseCode::Refused), "refused"),
    ];
    for (row, server, why) in rows {
        let lookup = start(query("example.org", Kind::Mx), 2);
        let (answer, ttl, asked) = run(lookup, |_, _| server.clone());
        let Answer::Failed(text) = answer else {
            panic!("{row}")
        };
        assert!(
            text.contains(why) && text.contains("example.org"),
            "{row}: {text}"
        );
        assert_eq!((ttl, asked.as_str()), (0, "0 1 0 1 "), "{row}");
    }
}

#[test]
fn silence_costs_five_seconds_a_try() {
    let mut lookup = start(query("example.org", Kind::A), 1);
    let at = |seconds| Mono::ZERO + Duration::from_secs(seconds);
    assert!(matches!(lookup.poll(at(0)), Step::Transmit(_)));
    assert_eq!(lookup.poll(at(1)), Step::WaitUntil(at(5)));
    assert!(matches!(lookup.poll(at(5)), Step::Transmit(_)));
    assert_eq!(lookup.poll(at(5)), Step::WaitUntil(at(10)));
    assert!(matches!(
        lookup.poll(at(10)),
        Step::Done(Answer::Failed(_), _)
    ));
}

#[test]
fn a_late_answer_still_counts() {
    let mut lookup = start(query("example.org", Kind::A), 2);
    let Step::Transmit(first) = lookup.poll(Mono::ZERO) else {
        panic!()
    };
    let later = Mono::ZERO + Duration::from_secs(5);
    let Step::Transmit(second) = lookup.poll(later) else {
        panic!()
    };
    assert_eq!((first.server, second.server), (0, 1));
    lookup.received(
        later,
        0,
        Transport::Udp,
        &answer(&first, &fails(ResponseCode::ServFail)),
    );
    assert!(
        matches!(lookup.poll(later), Step::WaitUntil(_)),
        "an old failure changes nothing"
    );
    let good = says(&[a("example.org", 50, 1)]);
    lookup.received(later, 1, Transport::Udp, &answer(&second, &good));
    assert_eq!(
        lookup.poll(later),
        Step::Done(Answer::Records(vec![ip(1)]), Duration::from_secs(50))
    );
}

#[test]
fn a_server_that_cannot_be_reached_is_left_at_once() {
    let mut lookup = start(query("example.org", Kind::A), 2);
    for server in [0, 1, 0, 1] {
        let Step::Transmit(sent) = lookup.poll(Mono::ZERO) else {
            panic!()
        };
        assert_eq!(sent.server, server);
        lookup.failed(server, Transport::Tcp);
        assert!(
            matches!(lookup.poll(Mono::ZERO), Step::WaitUntil(_)),
            "no such message"
        );
        lookup.failed(server, Transport::Udp);
    }
    assert!(matches!(
        lookup.poll(Mono::ZERO),
        Step::Done(Answer::Failed(_), _)
    ));
}

#[test]
fn aliases_are_asked_for_until_the_limit() {
    let chain = |asked: &Message, _: usize| {
        let owner = asked.queries[0].name.to_ascii();
        let owner = owner.trim_end_matches('.');
        let n: u32 = owner.trim_start_matches('n').parse().unwrap();
        if n == 8 {
            return says(&[a(owner, 50, 8)]);
        }
        says(&[cname(owner, &format!("n{}", n + 1))])
    };
    let (answer, ttl, asked) = run(start(query("n0", Kind::A), 2), chain);
    assert_eq!((answer, ttl), (Answer::Records(vec![ip(8)]), 50));
    assert_eq!(asked, "0 ".repeat(9));
    let endless = |asked: &Message, _: usize| {
        let owner = asked.queries[0].name.to_ascii();
        let owner = owner.trim_end_matches('.');
        says(&[cname(owner, &format!("{owner}x"))])
    };
    let (answer, _, asked) = run(start(query("n", Kind::A), 2), endless);
    assert!(matches!(answer, Answer::Failed(text) if text.contains("CNAME")));
    assert_eq!(asked, "0 ".repeat(11));
    for ring in [
        vec![cname("example.org", "example.org")],
        vec![cname("example.org", "b.org"), cname("b.org", "example.org")],
    ] {
        let lookup = start(query("example.org", Kind::A), 2);
        let (answer, _, asked) = run(lookup, |_, _| says(&ring));
        assert!(matches!(answer, Answer::Failed(text) if text.contains("CNAME")));
        assert_eq!(asked, "0 ");
    }
}

#[test]
fn an_alias_without_such_a_record_is_no_data() {
    let server = |asked: &Message, _: usize| {
        let owner = asked.queries[0].name.to_ascii();
        match owner.as_str() {
            "example.org." => says(&[cname("example.org", "b.org")]),
            _ => says(&[]),
        }
    };
    let got = run(start(query("example.org", Kind::Mx), 1), server);
    assert_eq!(got, (Answer::NoData, 0, "0 0 ".to_owned()));
}

#[test]
fn a_server_that_only_refers_elsewhere_is_left() {
    let mut lookup = start(query("example.org", Kind::A), 2);
    let Step::Transmit(sent) = lookup.poll(Mono::ZERO) else {
        panic!()
    };
    let referral = Says {
        authorities: vec![record("org", 9, RData::NS(NS(name("ns.example"))))],
        ..Says::default()
    };
    let mut bytes = answer(&sent, &referral);
    bytes[3] &= 0x7f; // no recursion available
    lookup.received(Mono::ZERO, 0, Transport::Udp, &bytes);
    let Step::Transmit(next) = lookup.poll(Mono::ZERO) else {
        panic!()
    };
    assert_eq!(next.server, 1);
}

#[test]
fn names_that_cannot_exist_are_not_asked_for() {
    let long_label = format!("{}.org", "x".repeat(64));
    let long_name = "x.".repeat(150);
    for text in ["", ".", "a..b", long_label.as_str(), long_name.as_str()] {
        let mut lookup = start(query(text, Kind::A), 1);
        assert!(
            matches!(lookup.poll(Mono::ZERO), Step::Done(Answer::NoName, _)),
            "{text:?}"
        );
    }
}

#[test]
fn questions_go_out_as_they_should() {
    let rows = [
        ("plain", "example.org", "example.org."),
        ("trailing dot", "example.org.", "example.org."),
        ("underscore", "_dmarc.example.org", "_dmarc.example.org."),
        ("edge hyphens", "-a-.example.org", "-a-.example.org."),
        ("international", "exämple.org", "xn--exmple-cua.org."),
    ];
    for (row, text, wire) in rows {
        let Step::Transmit(sent) = start(query(text, Kind::Aaaa), 1).poll(Mono::ZERO) else {
            panic!("{row}")
        };
        let asked = question(&sent);
        let wanted = Question::query(
            Name::from_labels(wire.trim_end_matches('.').split('.').map(str::as_bytes)).unwrap(),
            RecordType::AAAA,
        );
        assert_eq!(asked.queries, [wanted], "{row}");
        assert_eq!(
            asked.edns.map(|edns| edns.max_payload()),
            Some(1232),
            "{row}"
        );
    }
}

#[test]
fn rotation_begins_with_different_servers() {
    let mut list = (*servers(3)).clone();
    list.rotate = true;
    let list = Arc::new(list);
    let mut seen = [0; 3];
    for seed in 0..300 {
        let question = query("example.org", Kind::A);
        let mut lookup = Lookup::new(question, Arc::clone(&list), LookupConfig::default(), seed);
        let Step::Transmit(sent) = lookup.poll(Mono::ZERO) else {
            panic!()
        };
        seen[sent.server] += 1;
    }
    assert!(seen.iter().all(|&n| n > 50), "{seen:?}");
}
