//! What a client says of servers that hang up, fall silent or turn it away (RFC 5321 §4.5.3.2, §3.8).

use super::kit::{Mail, check, mail, session};
use super::{OPENING, PIPELINED};

fn one() -> Mail {
    mail("a@me.example", &["joe@example.org"], "x\n")
}

const DIED: &str = "Z Connected to 192.0.2.1 but connection died. (#4.4.2)|";
const DUPLICATE: &str =
    "Z Connected to 192.0.2.1 but connection died. Possible duplicate! (#4.4.2)|";

const TO_THE_DOT: &str = "
    C: MAIL FROM:<a@me.example>
    C: RCPT TO:<joe@example.org>
    C: DATA
    S: 250 ok
    S: 250 ok
    S: 354 go
    C: x
    C: .
";

#[test]
fn a_server_that_does_not_want_us_sends_us_to_the_next() {
    let rows = [
        (
            "busy greeting",
            "S: 421 busy",
            "greeting failed",
            "Z",
            "421 busy",
        ),
        (
            "no service",
            "S: 554 go away",
            "greeting failed",
            "D",
            "554 go away",
        ),
        (
            "odd greeting",
            "S: 250 hello",
            "greeting failed",
            "Z",
            "250 hello",
        ),
        (
            "temporary EHLO",
            "S: 220 hi\nC: EHLO me.example\nS: 450 no",
            "my name was rejected",
            "Z",
            "450 no",
        ),
        (
            "both names refused",
            "S: 220 hi\nC: EHLO me.example\nS: 550 no\nC: HELO me.example\nS: 550 no!",
            "my name was rejected",
            "Z",
            "550 no!",
        ),
    ];
    for (_name, dialogue, what, letter, said) in rows {
        check(
            &session(&[one()]),
            &format!(
                "{dialogue}
                C: QUIT
                E: next {letter} Connected to 192.0.2.1 but {what}.|Remote host said: {said}|
                E: close"
            ),
        );
    }
}

#[test]
fn a_connection_lost_before_the_envelope_leaves_the_message_to_the_next_host() {
    let rows = [
        ("hangs up at once", "S: <eof>".to_owned(), "next"),
        (
            "hangs up in the greeting",
            "S+ 220 m\nS: <eof>".to_owned(),
            "next",
        ),
        (
            "hangs up on EHLO",
            "S: 220 hi\nC: EHLO me.example\nS: <eof>".to_owned(),
            "next",
        ),
        (
            "hangs up on MAIL",
            format!("{OPENING}\nC: MAIL FROM:<a@me.example>\nS: <eof>"),
            "next",
        ),
        ("no greeting", "T: 299\nT: 1".to_owned(), "next"),
        (
            "no reply to EHLO",
            "S: 220 hi\nC: EHLO me.example\nT: 299\nT: 1".to_owned(),
            "next",
        ),
    ];
    for (_name, dialogue, next) in rows {
        check(
            &session(&[one()]),
            &format!("{dialogue}\nE: {next} {DIED}\nE: close"),
        );
    }
}

#[test]
fn a_connection_lost_in_a_transaction_defers_who_is_not_decided() {
    let rows = [
        (
            "behind MAIL",
            "C: MAIL FROM:<a@me.example>\nS: 250 ok\nC: RCPT TO:<joe@example.org>\nS: <eof>",
            DIED,
        ),
        (
            "no 354 in time",
            "C: MAIL FROM:<a@me.example>\nS: 250 ok\nC: RCPT TO:<joe@example.org>\nS: 250 ok\nC: DATA\nT: 119\nT: 1",
            DIED,
        ),
        (
            "no reply to RCPT in time",
            "C: MAIL FROM:<a@me.example>\nS: 250 ok\nC: RCPT TO:<joe@example.org>\nT: 299\nT: 1",
            DIED,
        ),
    ];
    for (_name, dialogue, died) in rows {
        check(
            &session(&[one()]),
            &format!("{OPENING}\n{dialogue}\nE: {died}\nE: close"),
        );
    }
}

#[test]
fn a_connection_lost_behind_the_dot_may_mean_a_duplicate() {
    for end in ["S: <eof>", "S+ 250 don\nS: <eof>", "T: 599\nT: 1"] {
        check(
            &session(&[one()]),
            &format!("{PIPELINED}{TO_THE_DOT}{end}\nE: {DUPLICATE}\nE: close"),
        );
    }
}

#[test]
fn a_refusal_that_was_heard_stands_when_the_connection_dies() {
    check(
        &session(&[mail(
            "a@me.example",
            &["no@example.org", "joe@example.org"],
            "x\n",
        )]),
        &format!(
            "{OPENING}
        C: MAIL FROM:<a@me.example>
        S: 250 ok
        C: RCPT TO:<no@example.org>
        S: 550 no
        C: RCPT TO:<joe@example.org>
        S: <eof>
        E: D 192.0.2.1 does not like recipient.|Remote host said: 550 no|
        E: {DIED}
        E: close
        "
        ),
    );
}

#[test]
fn a_421_ends_the_connection_wherever_it_comes() {
    let rows = [
        (
            "to MAIL",
            "C: MAIL FROM:<a@me.example>\nS: 421 down",
            "E: next Z Connected to 192.0.2.1 but connection died. (#4.4.2)|Remote host said: 421 down|",
        ),
        (
            "to RCPT",
            "C: MAIL FROM:<a@me.example>\nS: 250 ok\nC: RCPT TO:<joe@example.org>\nS: 421 down",
            "E: Z 192.0.2.1 does not like recipient.|Remote host said: 421 down|",
        ),
        (
            "to DATA",
            "C: MAIL FROM:<a@me.example>\nS: 250 ok\nC: RCPT TO:<joe@example.org>\nS: 250 ok\nC: DATA\nS: 421 down",
            "E: Z 192.0.2.1 failed on DATA command.|Remote host said: 421 down|",
        ),
    ];
    for (_name, dialogue, event) in rows {
        check(
            &session(&[one()]),
            &format!("{OPENING}\n{dialogue}\n{event}\nE: close"),
        );
    }
    check(
        &session(&[one(), one()]),
        &format!(
            "{PIPELINED}{TO_THE_DOT}
        S: 421 down
        E: Z 192.0.2.1 failed after I sent the message.|Remote host said: 421 down|
        E: close"
        ),
    );
}

#[test]
fn a_pooled_connection_that_is_gone_asks_for_a_new_one_to_the_same_host() {
    for end in ["S: 421 idle for too long", "S: <eof>"] {
        let said = match end {
            "S: <eof>" => String::new(),
            _ => "Remote host said: 421 idle for too long|".to_owned(),
        };
        check(
            &session(&[one(), one()]),
            &format!(
                "{PIPELINED}{TO_THE_DOT}
            S: 250 done
            E: K 192.0.2.1 accepted message.|Remote host said: 250 done|
            C: MAIL FROM:<a@me.example>
            C: RCPT TO:<joe@example.org>
            C: DATA
            {end}
            E: again {DIED}{said}
            E: close"
            ),
        );
    }
}

#[test]
fn a_quit_that_is_not_answered_ends_all_the_same() {
    for end in ["S: 221 bye", "S: <eof>", "T: 5"] {
        check(&session(&[]), &format!("{OPENING}C: QUIT\n{end}\nE: close"));
    }
}
