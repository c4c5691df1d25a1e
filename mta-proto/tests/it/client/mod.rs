//! The SMTP client's dialogues, fed whole, byte by byte and cut at random (RFC 5321, qmail-remote(8)).

mod hostile;
pub(crate) mod kit;
mod losses;
mod negotiation;
mod pair;

use kit::{check, mail, session};

const OPENING: &str = "
    S: 220 mx.example.org ESMTP
    C: EHLO me.example
    S: 250 mx.example.org
    E: ready ESMTP
";

const PIPELINED: &str = "
    S: 220 mx.example.org ESMTP
    C: EHLO me.example
    S: 250-mx.example.org
    S: 250 PIPELINING
    E: ready ESMTP PIPELINING
";

#[test]
fn a_message_goes_through_to_a_server_without_extensions() {
    check(
        &session(&[mail(
            "a@me.example",
            &["joe@example.org"],
            "Subject: x\n\n.dot\nlast",
        )]),
        "
        S: 220-mx.example.org
        S: 220 welcome
        C: EHLO me.example
        S: 502 unimplemented (#5.5.1)
        C: HELO me.example
        S: 250 mx.example.org
        E: ready
        C: MAIL FROM:<a@me.example>
        S: 250 ok
        C: RCPT TO:<joe@example.org>
        S: 250 ok
        C: DATA
        S: 354 go ahead
        C: Subject: x
        C:
        C: ..dot
        C: last
        C: .
        S: 250 ok 1234567890 qp 42
        E: K 192.0.2.1 accepted message.|Remote host said: 250 ok 1234567890 qp 42|
        C: QUIT
        S: 221 bye
        E: close
        ",
    );
}

#[test]
fn pipelining_sends_the_envelope_in_one_group_and_reports_each_recipient() {
    check(
        &session(&[mail("a@me.example", &["joe@example.org", "no@example.org", "late@example.org"], "x\n")]),
        &format!("{PIPELINED}
        C: MAIL FROM:<a@me.example>
        C: RCPT TO:<joe@example.org>
        C: RCPT TO:<no@example.org>
        C: RCPT TO:<late@example.org>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 550-5.1.1 no such user
        S: 550 5.1.1 here
        S: 451 try later
        S: 354 go
        C: x
        C: .
        S: 250 done
        E: K 192.0.2.1 accepted message.|Remote host said: 250 done|
        E: D 192.0.2.1 does not like recipient.|Remote host said: 550-5.1.1 no such user|550 5.1.1 here|
        E: Z 192.0.2.1 does not like recipient.|Remote host said: 451 try later|
        C: QUIT
        "),
    );
}

#[test]
fn a_lone_dot_follows_data_that_was_accepted_for_nobody() {
    check(
        &session(&[
            mail("a@me.example", &["no@example.org"], "never sent\n"),
            mail("", &["joe@example.org"], "x\n"),
        ]),
        &format!(
            "{PIPELINED}
        C: MAIL FROM:<a@me.example>
        C: RCPT TO:<no@example.org>
        C: DATA
        S: 250 ok
        S: 550 no
        S: 354 go
        C: .
        S: 250 an empty message, delivered to nobody
        E: D 192.0.2.1 does not like recipient.|Remote host said: 550 no|Giving up on 192.0.2.1.|
        C: MAIL FROM:<>
        C: RCPT TO:<joe@example.org>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: x
        C: .
        S: 250 done
        E: K 192.0.2.1 accepted message.|Remote host said: 250 done|
        C: QUIT
        "
        ),
    );
}

#[test]
fn a_refused_sender_ends_the_group_whatever_is_said_behind() {
    check(
        &session(&[mail(
            "a@me.example",
            &["joe@example.org", "jim@example.org"],
            "x\n",
        )]),
        &format!(
            "{PIPELINED}
        C: MAIL FROM:<a@me.example>
        C: RCPT TO:<joe@example.org>
        C: RCPT TO:<jim@example.org>
        C: DATA
        S: 553 not you
        S: 503 MAIL first
        S: 250 oh well
        S: 354 go
        C: .
        S: 554 no valid recipients
        E: D Connected to 192.0.2.1 but sender was rejected.|Remote host said: 553 not you|
        E: D Connected to 192.0.2.1 but sender was rejected.|Remote host said: 553 not you|
        C: QUIT
        "
        ),
    );
}

#[test]
fn without_pipelining_nothing_is_sent_behind_a_refusal() {
    check(
        &session(&[
            mail("a@me.example", &["joe@example.org"], "x\n"),
            mail(
                "b@me.example",
                &["no@example.org", "nor@example.org"],
                "x\n",
            ),
            mail("c@me.example", &["joe@example.org"], "x\n"),
        ]),
        &format!(
            "{OPENING}
        C: MAIL FROM:<a@me.example>
        S: 451 not now
        E: Z Connected to 192.0.2.1 but sender was rejected.|Remote host said: 451 not now|
        C: MAIL FROM:<b@me.example>
        S: 250 ok
        C: RCPT TO:<no@example.org>
        S: 550 no
        C: RCPT TO:<nor@example.org>
        S: 450 busy
        E: D 192.0.2.1 does not like recipient.|Remote host said: 550 no|Giving up on 192.0.2.1.|
        E: Z 192.0.2.1 does not like recipient.|Remote host said: 450 busy|Giving up on 192.0.2.1.|
        C: RSET
        S: 250 flushed
        C: MAIL FROM:<c@me.example>
        S: 250 ok
        C: RCPT TO:<joe@example.org>
        S: 251 will forward
        C: DATA
        S: 451 disk full
        E: Z 192.0.2.1 failed on DATA command.|Remote host said: 451 disk full|
        C: QUIT
        "
        ),
    );
}

#[test]
fn a_message_refused_at_its_end_fails_for_those_who_were_accepted() {
    for (reply, letter) in [("554 spam", 'D'), ("451 later", 'Z')] {
        check(
            &session(&[mail(
                "a@me.example",
                &["joe@example.org", "no@example.org"],
                "x\n",
            )]),
            &format!(
                "{OPENING}
            C: MAIL FROM:<a@me.example>
            S: 250 ok
            C: RCPT TO:<joe@example.org>
            S: 250 ok
            C: RCPT TO:<no@example.org>
            S: 550 no
            C: DATA
            S: 354 go
            C: x
            C: .
            S: {reply}
            E: {letter} 192.0.2.1 failed after I sent the message.|Remote host said: {reply}|
            E: D 192.0.2.1 does not like recipient.|Remote host said: 550 no|
            C: QUIT
            "
            ),
        );
    }
}

#[test]
fn an_empty_body_is_a_dot() {
    check(
        &session(&[mail("a@me.example", &["joe@example.org"], "")]),
        &format!(
            "{PIPELINED}
        C: MAIL FROM:<a@me.example>
        C: RCPT TO:<joe@example.org>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: .
        S: 250 done
        E: K 192.0.2.1 accepted message.|Remote host said: 250 done|
        C: QUIT
        "
        ),
    );
}

#[test]
fn a_message_that_cannot_be_read_is_never_completed() {
    let mut broken = mail("a@me.example", &["joe@example.org"], "one\ntwo\nthr");
    broken.fails = true;
    check(
        &session(&[broken]),
        &format!(
            "{PIPELINED}
        C: MAIL FROM:<a@me.example>
        C: RCPT TO:<joe@example.org>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: one
        C: two
        E: Z Unable to read message. (#4.3.0)|
        E: close
        C+ thr
        "
        ),
    );
}
