//! SASL exchanges: bounded steps, and nobody is let in without the password (RFC 4422, RFC 5802).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_auth::sasl::{
    Answer, ChannelBinding, Client, Credentials, Exchange, Exchanged, Fresh, Mechanism, Question, ScramKeys, Secret, Start, Step,
};
use std::sync::OnceLock;

const PASSWORD: &[u8] = b"a password that no input holds by chance 7";

fn keys() -> ScramKeys {
    static KEYS: OnceLock<ScramKeys> = OnceLock::new();
    let make = || ScramKeys::derive(PASSWORD, b"salt", 4096).expect("within bounds");
    KEYS.get_or_init(make).clone()
}

fn answer(question: &Question) -> Answer {
    match question {
        // The fuzzer sees what a password is compared with, so none is right.
        Question::Keys { .. } => Answer::Keys(Box::new(keys())),
        _ => Answer::Wrong,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else {
        return;
    };
    let mechanism = Mechanism::ALL[usize::from(choice) % Mechanism::ALL.len()];
    let bindings = [ChannelBinding::Exporter(vec![7; 32])];
    let mut messages = rest.split(|&b| b == 0xfe);
    let start = Start {
        mechanism,
        initial: if choice & 0x80 == 0 { None } else { messages.next() },
        fresh: Fresh::from_random([7; 18]),
        host: "mail.example.org",
        bindings: &bindings[..usize::from(choice >> 6 & 1)],
    };
    let (mut exchange, mut step) = Exchange::begin(&start);
    for steps in 0.. {
        assert!(steps < 10, "{mechanism:?} does not end");
        step = match step {
            Step::Ask(question) => exchange.answer(answer(&question)),
            Step::Challenge(challenge) => {
                assert!(challenge.len() < 1024);
                let Some(message) = messages.next() else { break };
                exchange.respond(message)
            }
            Step::Done(done) => {
                assert!(!matches!(done, Exchanged::Accepted(_)), "let in by {mechanism:?}");
                break;
            }
        };
    }
    // The other role, against a hostile server. SCRAM costs a derivation, so its bound is tested elsewhere.
    let credentials = Credentials { name: "joe".to_owned(), password: Secret::new(PASSWORD) };
    let mut client = Client::new(mechanism, credentials, Fresh::from_random([8; 18]), Some(&bindings[0]));
    let _ = client.first();
    for challenge in rest.split(|&b| b == 0xfe).take(5) {
        if !challenge.starts_with(b"r=") {
            let _ = client.respond(challenge);
        }
    }
    let scram = matches!(mechanism, Mechanism::ScramSha256 | Mechanism::ScramSha256Plus);
    assert!(!scram || client.accepted().is_err(), "believed a server without proof");
});
