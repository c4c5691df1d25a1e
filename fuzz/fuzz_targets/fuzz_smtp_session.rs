//! A whole server session: any split of the input and any answers give the same replies, events and bodies (RFC 5321, RFC 3207).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_fuzz::{Answers, across_tls, pieces, serve_across_tls, split};
use mta_proto::smtp::server::{Config, Newline, StartTls};
use std::sync::Arc;

fuzz_target!(|data: &[u8]| {
    let (head, input) = split(data, 12);
    let (cuts, answers) = split(head, 4);
    let mut config = Config::new("mx.example.org");
    if answers.first().is_some_and(|b| b & 1 == 1) {
        config.newline = Newline::Crlf;
    }
    config.dsn = true;
    config.limits.message_size = 5000;
    config.limits.refused_size = 3000;
    config.limits.header_size = 2000;
    config.starttls = StartTls::Offered;
    let config = Arc::new(config);
    let (clear, secret) = across_tls(input);
    let run = |cuts: &[u8]| {
        serve_across_tls(&config, &pieces(clear, cuts), &pieces(secret, cuts), Answers(answers))
    };
    let bytewise = run(&[1]);
    let (whole, cut) = (run(&[]), run(cuts));
    if bytewise.injected {
        return;
    }
    assert_eq!(whole, cut);
    assert_eq!(whole, bytewise);
});
