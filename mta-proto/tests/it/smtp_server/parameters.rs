//! Parameters are carried to the application (RFC 1870, RFC 6152, RFC 6531, RFC 3461).

use super::config;
use crate::oracle::{self, Seen};
use mta_core::envelope::{Body, MailParams, Notify, RcptParams};

#[test]
fn parameters_reach_the_application() {
    let config = config(|c| c.dsn = true);
    let input = "EHLO c\r\n\
        MAIL FROM:<jö@exämple.org> SIZE=123 BODY=8BITMIME SMTPUTF8 ENVID=x+20y\r\n\
        RCPT TO:<ünn@example.org> NOTIFY=FAILURE ORCPT=rfc822;ann@example.org\r\n";
    let trace = oracle::check(&config, input.as_bytes(), &[5]);
    let params = MailParams {
        body: Some(Body::EightBit),
        smtputf8: true,
        envid: Some(b"x+20y".to_vec()),
        ..MailParams::default()
    };
    let mail = Seen::Mail(
        "jö@exämple.org".into(),
        format!("{params:?} {:?}", Some(123)),
    );
    assert!(trace.seen.contains(&mail), "{:?}", trace.seen);
    let notify = Notify {
        failure: true,
        ..Notify::default()
    };
    let params = RcptParams {
        notify: Some(notify),
        orcpt: Some(b"rfc822;ann@example.org".to_vec()),
    };
    let rcpt = Seen::Rcpt("ünn@example.org".into(), format!("{params:?}"));
    assert!(trace.seen.contains(&rcpt), "{:?}", trace.seen);
}

#[test]
fn addresses_beyond_ascii_need_smtputf8() {
    let input = "MAIL FROM:<ä@b>\r\nMAIL FROM:<a@b>\r\nRCPT TO:<ä@b>\r\nRSET\r\n\
        MAIL FROM:<a@b> SMTPUTF8\r\nRCPT TO:<ä@b>\r\n";
    let trace = oracle::check(&config(|_| {}), input.as_bytes(), &[3]);
    assert_eq!(trace.codes(), [220, 553, 250, 553, 250, 250, 250]);
}

#[test]
fn what_is_not_offered_is_not_known() {
    let config = config(|c| {
        c.smtputf8 = false;
        c.chunking = false;
    });
    let input =
        "MAIL FROM:<a@b> SMTPUTF8\r\nMAIL FROM:<a@b> RET=HDRS\r\nBDAT 0 LAST\r\nSTARTTLS\r\n";
    let trace = oracle::check(&config, input.as_bytes(), &[3]);
    assert_eq!(trace.codes(), [220, 555, 555, 502, 502]);
}
