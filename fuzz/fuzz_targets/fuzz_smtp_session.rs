//! A whole server session: any split of the input and any answers give the same replies, events and bodies (RFC 5321).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_fuzz::{Answers, pieces, serve, split};
use mta_proto::smtp::server::{Config, Newline};
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
    let config = Arc::new(config);
    let whole = serve(&config, &[input], Answers(answers));
    let cut = serve(&config, &pieces(input, cuts), Answers(answers));
    let bytewise = serve(&config, &pieces(input, &[1]), Answers(answers));
    assert_eq!(whole, cut);
    assert_eq!(whole, bytewise);
});
