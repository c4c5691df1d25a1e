//! Exchanges of both roles against each other, and messages that nobody should send (RFC 4616, RFC 2195, RFC 5802).

use mta_auth::sasl::{
    Answer, Channel, ChannelBinding, Circumstances, Client, ClientError, Credentials, Exchange,
    Exchanged, Fresh, Mechanism, Origin, Question, Reason, ScramKeys, Secret, Start, Step, Stored,
    WithoutTls, cram_md5_digest, digests_equal, offered,
};

const NAME: &str = "joe=x,y@example.org";
const PASSWORD: &[u8] = b"pencil";

fn keys() -> Box<ScramKeys> {
    Box::new(ScramKeys::derive(PASSWORD, b"sixteen bytes...", 4096).unwrap())
}

/// Answers as a store of accounts with one account would.
fn answer(question: Question) -> Answer {
    let right = match question {
        Question::Password { name, password } => {
            name == NAME.as_bytes() && password.expose() == PASSWORD
        }
        Question::Digest {
            name,
            challenge,
            digest,
        } => {
            let computed = cram_md5_digest(PASSWORD, &challenge);
            name == NAME.as_bytes() && digests_equal(&computed, digest.expose())
        }
        Question::Keys { name } if name == NAME.as_bytes() => return Answer::Keys(keys()),
        Question::Keys { name } => {
            return Answer::Keys(Box::new(ScramKeys::pretended(b"secret", &name)));
        }
        _ => false,
    };
    if right { Answer::Right } else { Answer::Wrong }
}

enum Manner {
    InitialResponse,
    Empty,
}

/// Runs both roles against each other to the end.
fn converse(
    client: &mut Client,
    mechanism: Mechanism,
    bindings: &[ChannelBinding],
    manner: &Manner,
) -> (Exchanged, Result<(), ClientError>) {
    let initial = match manner {
        Manner::InitialResponse => client.first(),
        Manner::Empty => None,
    };
    let (mut exchange, mut step) = Exchange::begin(&Start {
        mechanism,
        initial: initial.as_deref(),
        fresh: Fresh::from_random([3; 18]),
        host: "mail.example.org",
        bindings,
    });
    for _ in 0..10 {
        step = match step {
            Step::Challenge(challenge) => match client.respond(&challenge) {
                Ok(response) => exchange.respond(&response),
                Err(error) => return (Exchanged::Refused(Reason::Malformed, None), Err(error)),
            },
            Step::Ask(question) => exchange.answer(answer(question)),
            Step::Done(done) => return (done, client.accepted()),
        };
    }
    panic!("{mechanism:?} does not end");
}

fn client(mechanism: Mechanism, password: &[u8], binding: Option<&ChannelBinding>) -> Client {
    let credentials = Credentials {
        name: NAME.to_owned(),
        password: Secret::new(password),
    };
    Client::new(mechanism, credentials, Fresh::from_random([9; 18]), binding)
}

#[test]
fn every_mechanism_lets_in_whoever_knows_the_password_and_nobody_else() {
    let binding = ChannelBinding::Exporter(vec![5; 32]);
    for mechanism in Mechanism::ALL {
        let bindings: &[ChannelBinding] = match mechanism {
            Mechanism::ScramSha256Plus => std::slice::from_ref(&binding),
            _ => &[],
        };
        for manner in [Manner::InitialResponse, Manner::Empty] {
            let mut right = client(mechanism, PASSWORD, Some(&binding));
            let (done, judged) = converse(&mut right, mechanism, bindings, &manner);
            assert_eq!(done, Exchanged::Accepted(NAME.into()), "{mechanism:?}");
            assert_eq!(judged, Ok(()), "{mechanism:?}");
            let mut wrong = client(mechanism, b"pencil2", Some(&binding));
            let (done, _) = converse(&mut wrong, mechanism, bindings, &manner);
            let refused = Exchanged::Refused(Reason::Credentials, Some(NAME.into()));
            assert_eq!(done, refused, "{mechanism:?}");
        }
    }
}

#[test]
fn an_exchange_over_another_channel_is_refused() {
    let ours = [
        ChannelBinding::Exporter(vec![5; 32]),
        ChannelBinding::ServerEndPoint(vec![6; 32]),
    ];
    let rows = [
        ("exporter", ChannelBinding::Exporter(vec![5; 32]), None),
        (
            "end point",
            ChannelBinding::ServerEndPoint(vec![6; 32]),
            None,
        ),
        (
            "somebody between",
            ChannelBinding::Exporter(vec![7; 32]),
            Some(Reason::ChannelBinding),
        ),
        (
            "another kind's data",
            ChannelBinding::ServerEndPoint(vec![5; 32]),
            Some(Reason::ChannelBinding),
        ),
    ];
    let plus = Mechanism::ScramSha256Plus;
    for (name, theirs, refused) in rows {
        let mut client = client(plus, PASSWORD, Some(&theirs));
        let (done, _) = converse(&mut client, plus, &ours, &Manner::InitialResponse);
        match (done, refused) {
            (Exchanged::Accepted(_), None) => {}
            (Exchanged::Refused(found, _), Some(wanted)) => assert_eq!(found, wanted, "{name}"),
            (done, _) => panic!("{name}: {done:?}"),
        }
    }
}

/// What becomes of one first message.
fn begin(mechanism: Mechanism, message: &[u8], bindings: &[ChannelBinding]) -> Step {
    let start = Start {
        mechanism,
        initial: Some(message),
        fresh: Fresh::from_random([3; 18]),
        host: "mail.example.org",
        bindings,
    };
    Exchange::begin(&start).1
}

const MALFORMED: &[(&str, Mechanism, &[u8])] = &[
    ("no NUL", Mechanism::Plain, b"joe"),
    ("one NUL", Mechanism::Plain, b"\0joe"),
    ("three NULs", Mechanism::Plain, b"\0joe\0a\0b"),
    ("no name", Mechanism::Plain, b"\0\0pencil"),
    ("empty", Mechanism::Plain, b""),
    ("empty", Mechanism::Login, b""),
    ("a name with NUL", Mechanism::Login, b"a\0b"),
    (
        "spoke first",
        Mechanism::CramMd5,
        b"joe 0123456789abcdef0123456789abcdef",
    ),
    ("empty", Mechanism::ScramSha256, b""),
    ("no commas", Mechanism::ScramSha256, b"n"),
    ("no nonce", Mechanism::ScramSha256, b"n,,n=joe"),
    ("an empty nonce", Mechanism::ScramSha256, b"n,,n=joe,r="),
    (
        "a blank in the nonce",
        Mechanism::ScramSha256,
        b"n,,n=joe,r=a b",
    ),
    ("no name", Mechanism::ScramSha256, b"n,,n=,r=abc"),
    (
        "a lone equals sign",
        Mechanism::ScramSha256,
        b"n,,n=a=b,r=abc",
    ),
    (
        "a mandatory extension",
        Mechanism::ScramSha256,
        b"n,,m=1,n=joe,r=abc",
    ),
    ("not UTF-8", Mechanism::ScramSha256, b"n,,n=\xff,r=abc"),
    (
        "bound without -PLUS",
        Mechanism::ScramSha256,
        b"p=tls-exporter,,n=joe,r=abc",
    ),
    ("an unknown flag", Mechanism::ScramSha256, b"q,,n=joe,r=abc"),
];

#[test]
fn messages_of_no_mechanism_are_refused() {
    for (name, mechanism, message) in MALFORMED {
        let step = begin(*mechanism, message, &[]);
        let refused = matches!(step, Step::Done(Exchanged::Refused(Reason::Malformed, _)));
        assert!(refused, "{mechanism:?}, {name}: {step:?}");
    }
    let long = vec![b'a'; mta_auth::sasl::MAX_MESSAGE + 1];
    for mechanism in Mechanism::ALL {
        let step = begin(mechanism, &long, &[]);
        assert!(
            matches!(step, Step::Done(Exchanged::Refused(..))),
            "{mechanism:?}"
        );
    }
}

#[test]
fn nobody_acts_for_somebody_else() {
    let rows: &[(&str, Mechanism, &[u8], bool)] = &[
        ("oneself", Mechanism::Plain, b"Joe@x\0joe@x\0p", true),
        ("another", Mechanism::Plain, b"ann@x\0joe@x\0p", false),
        (
            "oneself",
            Mechanism::ScramSha256,
            b"n,a=joe=2Cx,n=joe=2Cx,r=abc",
            true,
        ),
        (
            "another",
            Mechanism::ScramSha256,
            b"n,a=ann,n=joe,r=abc",
            false,
        ),
    ];
    for (name, mechanism, message, asked) in rows {
        match begin(*mechanism, message, &[]) {
            Step::Ask(_) => assert!(asked, "{mechanism:?}, {name}"),
            Step::Done(Exchanged::Refused(reason, _)) => {
                assert_eq!((reason, asked), (Reason::Authorization, &false), "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_client_that_was_told_of_no_plus_is_refused_where_it_was_offered() {
    let bindings = [ChannelBinding::Exporter(vec![5; 32])];
    let message = b"y,,n=joe,r=abc";
    let refused = Step::Done(Exchanged::Refused(Reason::ChannelBinding, None));
    assert_eq!(begin(Mechanism::ScramSha256, message, &bindings), refused);
    let step = begin(Mechanism::ScramSha256, message, &[]);
    assert!(matches!(step, Step::Ask(_)), "{step:?}");
}

#[test]
fn an_answer_of_the_wrong_kind_lets_nobody_in() {
    let start = Start {
        mechanism: Mechanism::ScramSha256,
        initial: Some(b"n,,n=joe,r=abc"),
        fresh: Fresh::from_random([3; 18]),
        host: "h",
        bindings: &[],
    };
    for (answer, reason) in [
        (Answer::Right, Reason::Credentials),
        (Answer::Wrong, Reason::Credentials),
        (Answer::Unsure, Reason::Unsure),
    ] {
        let (mut exchange, _) = Exchange::begin(&start);
        let done = exchange.answer(answer);
        assert_eq!(
            done,
            Step::Done(Exchanged::Refused(reason, Some(b"joe".to_vec())))
        );
        let after = exchange.answer(Answer::Right);
        assert!(
            matches!(after, Step::Done(Exchanged::Refused(..))),
            "{after:?}"
        );
    }
}

#[test]
fn a_server_that_proves_nothing_is_not_believed() {
    let mut scram = client(Mechanism::ScramSha256, PASSWORD, None);
    let first = String::from_utf8(scram.first().unwrap()).unwrap();
    assert_eq!(scram.accepted(), Err(ClientError::Server));
    let nonce = first.split_once(",r=").unwrap().1.to_owned();
    let rows = [
        (
            "too much work",
            format!("r={nonce}x,s=c2FsdA==,i=100000000"),
            ClientError::Iterations(100_000_000),
        ),
        (
            "too little work",
            format!("r={nonce}x,s=c2FsdA==,i=1"),
            ClientError::Iterations(1),
        ),
        (
            "our nonce alone",
            format!("r={nonce},s=c2FsdA==,i=4096"),
            ClientError::Malformed,
        ),
        (
            "a foreign nonce",
            "r=zzz,s=c2FsdA==,i=4096".to_owned(),
            ClientError::Malformed,
        ),
        (
            "no salt",
            format!("r={nonce}x,s=,i=4096"),
            ClientError::Malformed,
        ),
    ];
    for (name, challenge, error) in rows {
        assert_eq!(scram.respond(challenge.as_bytes()), Err(error), "{name}");
    }
    let good = format!("r={nonce}x,s=c2FsdA==,i=4096");
    assert!(scram.respond(good.as_bytes()).is_ok());
    assert_eq!(scram.respond(b"v=c2FsdA=="), Err(ClientError::Server));
    assert_eq!(scram.accepted(), Err(ClientError::Server));
}

mod offer {
    use super::*;
    use Mechanism::{CramMd5, Login, Plain, ScramSha256, ScramSha256Plus};

    type Row = (
        &'static str,
        Channel,
        Origin,
        WithoutTls,
        Stored,
        &'static [Mechanism],
    );

    const NONE: Stored = Stored {
        clear: false,
        scram: false,
    };
    const ALL: Stored = Stored {
        clear: true,
        scram: true,
    };
    const KEYS: Stored = Stored {
        clear: false,
        scram: true,
    };
    const CLEAR: Stored = Stored {
        clear: true,
        scram: false,
    };
    const USUAL: WithoutTls = WithoutTls::Loopback;

    const ROWS: &[Row] = &[
        (
            "TLS",
            Channel::Tls,
            Origin::Elsewhere,
            USUAL,
            NONE,
            &[Plain, Login],
        ),
        (
            "TLS and keys",
            Channel::Tls,
            Origin::Elsewhere,
            USUAL,
            KEYS,
            &[ScramSha256, Plain, Login],
        ),
        (
            "bound TLS",
            Channel::BoundTls,
            Origin::Elsewhere,
            USUAL,
            ALL,
            &[ScramSha256Plus, ScramSha256, CramMd5, Plain, Login],
        ),
        (
            "bound without keys",
            Channel::BoundTls,
            Origin::Elsewhere,
            USUAL,
            NONE,
            &[Plain, Login],
        ),
        (
            "clear from afar",
            Channel::Clear,
            Origin::Elsewhere,
            USUAL,
            ALL,
            &[],
        ),
        (
            "clear from here",
            Channel::Clear,
            Origin::Loopback,
            USUAL,
            NONE,
            &[Plain, Login],
        ),
        (
            "clear and forbidden",
            Channel::Clear,
            Origin::Loopback,
            WithoutTls::Never,
            NONE,
            &[],
        ),
        (
            "clear and allowed",
            Channel::Clear,
            Origin::Elsewhere,
            WithoutTls::Everywhere,
            ALL,
            &[ScramSha256, CramMd5, Plain, Login],
        ),
        (
            "clear passwords",
            Channel::Tls,
            Origin::Elsewhere,
            USUAL,
            CLEAR,
            &[CramMd5, Plain, Login],
        ),
    ];

    #[test]
    fn only_what_is_safe_and_possible_is_offered() {
        for &(name, channel, origin, without_tls, stored, wanted) in ROWS {
            let now = Circumstances {
                channel,
                origin,
                without_tls,
                stored,
            };
            assert_eq!(offered(&now), wanted, "{name}");
            let apop = !wanted.is_empty() && stored.clear;
            assert_eq!(now.allow_apop(), apop, "{name}");
        }
    }
}

#[test]
fn a_client_chooses_the_strongest_and_nothing_readable_in_the_clear() {
    let all = Mechanism::ALL;
    let weak = [Mechanism::Login, Mechanism::Plain];
    let plus = Some(Mechanism::ScramSha256Plus);
    assert_eq!(Client::choose(&all, Channel::BoundTls), plus);
    assert_eq!(
        Client::choose(&all, Channel::Tls),
        Some(Mechanism::ScramSha256)
    );
    assert_eq!(Client::choose(&weak, Channel::Tls), Some(Mechanism::Plain));
    assert_eq!(Client::choose(&weak, Channel::Clear), None);
}

#[test]
fn keys_are_read_back_within_their_bounds() {
    let text = keys().to_string();
    assert_eq!(text.parse::<ScramKeys>().as_ref(), Ok(&*keys()));
    for (name, from, to) in [
        ("too few iterations", "$4096:", "$4095:"),
        ("too many", "$4096:", "$9999999:"),
        ("no salt", ":c2l4dGVlbiBieXRlcy4uLg==$", ":$"),
        ("another scheme", "SCRAM-SHA-256", "SCRAM-SHA-1"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{name}");
        assert!(changed.parse::<ScramKeys>().is_err(), "{name}");
    }
    assert_eq!(format!("{:?}", keys()), "ScramKeys(..)");
    assert_eq!(format!("{:?}", Secret::new("x")), "Secret(..)");
}

#[test]
fn no_message_panics() {
    proptest::proptest!(|(
        nth in 0_usize..5,
        messages in proptest::collection::vec("[npyra=,\0-9A-Za-z+/ ]{0,40}", 1..4),
    )| {
        let start = Start {
            mechanism: Mechanism::ALL[nth],
            initial: None,
            fresh: Fresh::from_random([3; 18]),
            host: "h",
            bindings: &[ChannelBinding::Exporter(vec![1])],
        };
        let (mut exchange, mut step) = Exchange::begin(&start);
        for message in messages {
            if let Step::Ask(question) = step {
                step = exchange.answer(answer(question));
            }
            if matches!(step, Step::Done(_)) {
                break;
            }
            step = exchange.respond(message.as_bytes());
        }
        let accepted = matches!(step, Step::Done(Exchanged::Accepted(_)));
        proptest::prop_assert!(!accepted);
    });
}

#[test]
fn keys_are_void_once_the_password_or_the_file_is_another() {
    use crate::vpopmail::{crypt, domain, fresh, mailbox, put};
    use mta_auth::LoginName;
    use mta_auth::sasl::ScramKeys;
    use mta_auth::vpopmail::{NewUser, Service};
    let (files, accounts) = fresh();
    let at = domain("old.test");
    accounts.add_domain(&at, &crypt("x")).unwrap();
    let joe = NewUser::new(mailbox("joe"), crypt("x"));
    accounts.add_user(&at, &joe).unwrap();
    let joe = || accounts.find("joe", "old.test").unwrap().unwrap();
    assert_eq!(accounts.scram_keys(&joe()).unwrap(), None);
    let keys = ScramKeys::derive(b"x", b"salt", 4096).unwrap();
    accounts.keep_scram_keys(&joe(), &keys).unwrap();
    assert_eq!(accounts.scram_keys(&joe()).unwrap(), Some(keys.clone()));
    let name = LoginName::parse(b"joe@old.test").unwrap();
    let found = |service| accounts.scram_login(&name, service).unwrap().is_some();
    assert!(found(Service::Pop) && found(Service::Smtp));
    accounts
        .set_flags(&at, &mailbox("joe"), mta_auth::Flags::NO_POP)
        .unwrap();
    assert!(!found(Service::Pop) && found(Service::Smtp));
    let stranger = LoginName::parse(b"ann@old.test").unwrap();
    assert!(
        accounts
            .scram_login(&stranger, Service::Smtp)
            .unwrap()
            .is_none()
    );
    accounts
        .set_password(&at, &mailbox("joe"), &crypt("y"))
        .unwrap();
    assert_eq!(accounts.scram_keys(&joe()).unwrap(), None);
    accounts
        .set_password(&at, &mailbox("joe"), &crypt("x"))
        .unwrap();
    assert_eq!(accounts.scram_keys(&joe()).unwrap(), Some(keys));
    for rubbish in [
        &b""[..],
        b"x",
        b"\xff \n",
        b"0 SCRAM-SHA-256$4096:c2FsdA==$\n",
    ] {
        put(&files, "/h/domains/old.test/joe/.scram-sha-256", rubbish);
        assert_eq!(accounts.scram_keys(&joe()).unwrap(), None);
    }
}
