//! What a client does with what is offered: parameters, addresses, STARTTLS (RFC 1870, RFC 6152, RFC 6531, RFC 3461, RFC 3207).

use super::kit::{Mail, check, mail, session};
use mta_core::envelope::{Body, Notify, Ret};
use mta_proto::smtp::client::{Hello, Tls};

const ALL: &str = "
    S: 220 mx.example.org ESMTP
    C: EHLO me.example
    S: 250-mx.example.org
    S: 250-size 1000
    S: 250-8bitmime
    S: 250-SMTPUTF8
    S: 250-X-UNKNOWN with words
    S: 250 DSN
    E: ready ESMTP SIZE 8BITMIME SMTPUTF8 DSN
";

const NONE: &str = "
    S: 220 mx.example.org ESMTP
    C: EHLO me.example
    S: 250 mx.example.org SIZE 8BITMIME SMTPUTF8 DSN
    E: ready ESMTP
";

const REFUSED: &str = "
    S: 553 no
    E: D Connected to 192.0.2.1 but sender was rejected.|Remote host said: 553 no|
    C: QUIT
";

fn rich() -> Mail {
    let mut rich = mail("a@me.example", &["joe@example.org"], "x\n");
    let transaction = &mut rich.transaction;
    transaction.size = Some(999);
    transaction.params.body = Some(Body::EightBit);
    transaction.params.ret = Some(Ret::Headers);
    transaction.params.envid = Some(b"QQ+2B1".to_vec());
    transaction.recipients[0].params.notify = Some(Notify {
        success: true,
        failure: false,
        delay: true,
    });
    transaction.recipients[0].params.orcpt = Some(b"rfc822;joe@example.org".to_vec());
    rich
}

#[test]
fn parameters_go_only_to_servers_that_know_them() {
    let mut mail = rich();
    check(
        &session(std::slice::from_ref(&mail)),
        &format!(
            "{ALL}
        C: MAIL FROM:<a@me.example> SIZE=999 BODY=8BITMIME RET=HDRS ENVID=QQ+2B1
        S: 250 ok
        C: RCPT TO:<joe@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;joe@example.org
        S: 550 no
        E: D 192.0.2.1 does not like recipient.|Remote host said: 550 no|Giving up on 192.0.2.1.|
        C: QUIT"
        ),
    );
    mail.transaction.params.envid = Some(b"x\r\nRCPT TO:<evil@example.org>".to_vec());
    mail.transaction.params.smtputf8 = true;
    check(
        &session(std::slice::from_ref(&mail)),
        &format!(
            "{ALL}
        C: MAIL FROM:<a@me.example> SIZE=999 BODY=8BITMIME SMTPUTF8 RET=HDRS {REFUSED}"
        ),
    );
    mail.transaction.params.smtputf8 = false;
    check(
        &session(&[mail]),
        &format!("{NONE}C: MAIL FROM:<a@me.example>{REFUSED}"),
    );
}

#[test]
fn a_message_above_the_announced_size_fails_before_anything_is_sent() {
    let mut mail = rich();
    mail.transaction.size = Some(1001);
    check(
        &session(&[mail]),
        &format!(
            "{ALL}
        E: D 192.0.2.1 does not take messages of more than 1000 bytes. (#5.3.4)|
        C: QUIT"
        ),
    );
}

#[test]
fn international_mail_fails_where_smtputf8_is_missing() {
    let said = "192.0.2.1 does not support internationalized addresses (SMTPUTF8). (#5.6.7)|";
    let mut flagged = mail("a@me.example", &["joe@example.org"], "x\n");
    flagged.transaction.params.smtputf8 = true;
    let sender = mail("jö@me.example", &["joe@example.org"], "x\n");
    for mail in [flagged, sender] {
        check(&session(&[mail]), &format!("{NONE}E: D {said}\nC: QUIT"));
    }
    check(
        &session(&[mail(
            "a@me.example",
            &["jö@example.org", "joe@example.org"],
            "x\n",
        )]),
        &format!(
            "{NONE}
        C: MAIL FROM:<a@me.example>
        S: 250 ok
        C: RCPT TO:<joe@example.org>
        S: 550 no
        E: D {said}
        E: D 192.0.2.1 does not like recipient.|Remote host said: 550 no|Giving up on 192.0.2.1.|
        C: QUIT"
        ),
    );
    check(
        &session(&[mail("a@me.example", &["jö@exämple.org"], "x\n")]),
        &format!(
            "{ALL}
        C: MAIL FROM:<a@me.example> SMTPUTF8
        S: 250 ok
        C: RCPT TO:<jö@exämple.org>
        S: 550 no
        E: D 192.0.2.1 does not like recipient.|Remote host said: 550 no|Giving up on 192.0.2.1.|
        C: QUIT"
        ),
    );
}

#[test]
fn addresses_are_quoted_as_they_must_be() {
    let rows = [
        ("plain", "joe-x+y=z@example.org", "joe-x+y=z@example.org"),
        ("dots", "j.o.e@example.org", "j.o.e@example.org"),
        ("two dots", "j..e@example.org", "\"j..e\"@example.org"),
        ("dot first", ".joe@example.org", "\".joe\"@example.org"),
        ("dot last", "joe.@example.org", "\"joe.\"@example.org"),
        ("empty local part", "@example.org", "\"\"@example.org"),
        (
            "space and quote",
            "we ird\"x@example.org",
            "\"we ird\\\"x\"@example.org",
        ),
        ("at", "joe@home@example.org", "\"joe@home\"@example.org"),
        ("backslash", "a\\b@example.org", "\"a\\\\b\"@example.org"),
        ("literal", "joe@[192.0.2.7]", "joe@[192.0.2.7]"),
        ("no domain", "postmaster", "postmaster"),
    ];
    for (_name, address, path) in rows {
        check(
            &session(&[mail(address, &["joe@example.org"], "x\n")]),
            &format!("{NONE}C: MAIL FROM:<{path}>{REFUSED}"),
        );
    }
}

#[test]
fn addresses_that_could_end_the_line_or_the_path_are_never_sent() {
    let long = "x".repeat(1000);
    let rows = [
        ("line end", "joe\r\nRCPT TO:<evil>@example.org".to_owned()),
        ("bare line feed", "joe\nx@example.org".to_owned()),
        (
            "domain with a bracket",
            "joe@example.org> SIZE=1".to_owned(),
        ),
        (
            "domain with a line end",
            "joe@example.org\r\nDATA".to_owned(),
        ),
        ("no domain, with a bracket", "joe> x".to_owned()),
        ("too long", format!("{long}@example.org")),
    ];
    let said = "Sorry, that address cannot be sent by SMTP. (#5.1.3)|";
    for (_name, address) in rows {
        check(
            &session(&[mail(&address, &["joe@example.org"], "x\n")]),
            &format!("{NONE}E: D {said}\nC: QUIT"),
        );
        check(
            &session(&[mail("a@me.example", &[&address, "joe@example.org"], "x\n")]),
            &format!("{NONE}
            C: MAIL FROM:<a@me.example>
            S: 250 ok
            C: RCPT TO:<joe@example.org>
            S: 550 no
            E: D {said}
            E: D 192.0.2.1 does not like recipient.|Remote host said: 550 no|Giving up on 192.0.2.1.|
            C: QUIT"),
        );
    }
}

#[test]
fn a_name_that_could_end_the_line_is_cleaned() {
    let mut session = session(&[]);
    session.config.helo = "me.\r\nQUIT example".into();
    session.config.hello = Hello::Plain;
    check(
        &session,
        "S: 220 hi\nC: HELO me.QUITexample\nS: 250 ok\nE: ready\nC: QUIT",
    );
}

#[test]
fn starttls_begins_afresh_behind_the_handshake() {
    let mut session = session(&[]);
    session.config.tls = Tls::WhenOffered;
    check(
        &session,
        "
        S: 220 mx.example.org
        C: EHLO me.example
        S: 250-mx.example.org
        S: 250-PIPELINING
        S: 250 STARTTLS
        C: STARTTLS
        S: 220 ready
        E: tls
        C: EHLO me.example
        S: 250-mx.example.org
        S: 250 8BITMIME
        E: ready ESMTP 8BITMIME
        C: QUIT
        ",
    );
    check(
        &session,
        "
        S: 220 mx.example.org
        C: EHLO me.example
        S: 250-mx.example.org
        S: 250 STARTTLS
        C: STARTTLS
        S: 454 not now
        E: ready ESMTP STARTTLS
        C: QUIT
        ",
    );
    session.config.tls = Tls::Required;
    check(
        &session,
        "
        S: 220 mx.example.org
        C: EHLO me.example
        S: 250 mx.example.org
        C: QUIT
        E: next Z Connected to 192.0.2.1 but STARTTLS failed. (#4.7.0)|
        E: close
        ",
    );
}
