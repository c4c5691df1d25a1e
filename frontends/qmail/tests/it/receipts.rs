//! qreceipt and qbiff, which read a message of a .qmail line (qreceipt(1), qbiff(1), spec §6.8).

use crate::kit::{Home, Run};

const ASKING: &str =
    "Message-ID: <1@there>\nNotice-Requested-Upon-Delivery-To: x@y,\n (c) Ann <ann@here>\n\nbody\n";

fn receipt(home: &Home, sender: &str, message: &str) -> Run {
    let run = home.run("qreceipt").args(["ann@here"]);
    run.env("SENDER", sender).input(message)
}

#[test]
fn a_receipt_goes_to_the_sender_and_from_nobody() {
    let home = Home::new();
    let got = receipt(&home, "joe b@there", ASKING).end();
    assert_eq!((got.code, got.out.as_str(), got.err.as_str()), (0, "", ""));
    let (envelope, message) = home.queued().remove(0);
    let envelope = String::from_utf8(envelope).unwrap();
    assert!(envelope.ends_with("\0F\0Tjoe b@there\0"), "{envelope:?}");
    let message = String::from_utf8(message).unwrap();
    let (_, message) = message.split_once('\n').unwrap();
    assert_eq!(
        message,
        "From: DELIVERY NOTICE SYSTEM <\"joe b\"@there>\nTo: <\"joe b\"@there>\n\
         Subject: success notice\n\nHi! This is the qreceipt program. Your message was delivered to the\n\
         following address: ann@here. Thanks for asking.\nYour Message-ID: <1@there>\n"
    );
}

#[test]
fn no_receipt_is_sent_that_is_not_due() {
    let rows = [
        ("not asked for", "joe@there", "Subject: x\n\nbody\n"),
        (
            "asked in the body",
            "joe@there",
            "\nNotice-Requested-Upon-Delivery-To: ann@here\n",
        ),
        (
            "for another address",
            "joe@there",
            "Notice-Requested-Upon-Delivery-To: bob@here\n\n",
        ),
        (
            "in other letters",
            "joe@there",
            "Notice-Requested-Upon-Delivery-To: Ann@here\n\n",
        ),
        ("bounce", "", ASKING),
        ("double bounce", "#@[]", ASKING),
    ];
    for (name, sender, message) in rows {
        let home = Home::new();
        let got = receipt(&home, sender, message).end();
        assert_eq!((got.code, got.err.as_str()), (0, ""), "{name}");
        assert_eq!(home.files(), 0, "{name}");
    }
}

#[test]
fn a_receipt_that_cannot_be_sent_is_told() {
    let home = Home::new();
    let rows = [
        ("for good", "exit 31", 100, "permanent qmail-queue error"),
        ("for now", "exit 71", 111, "temporary qmail-queue error"),
    ];
    for (name, script, code, text) in rows {
        let program = home.script("filter", script);
        let got = receipt(&home, "joe@there", ASKING)
            .env("QMAILQUEUE", program)
            .end();
        let want = format!("qreceipt: fatal: {text}\n");
        assert_eq!((got.code, got.err), (code, want), "{name}");
    }
    let broken = "Notice-Requested-Upon-Delivery-To: a@(b\n\n";
    let got = receipt(&home, "joe@there", broken).end();
    let want = format!(
        "qreceipt: fatal: unable to parse this: {}\n",
        broken.trim_end()
    );
    assert_eq!((got.code, got.err), (100, want));
    let usage = "qreceipt: usage: qreceipt deliveryaddress\n";
    let got = home.run("qreceipt").env("SENDER", "x@y").end();
    assert_eq!((got.code, got.err.as_str()), (100, usage));
    let got = home.run("qreceipt").args(["ann@here"]).end();
    assert_eq!((got.code, got.err.as_str()), (100, usage));
}

#[test]
fn qbiff_never_bounces_a_message() {
    let home = Home::new();
    let complete = |run: Run| run.env("SENDER", "s@s").env("LOCAL", "l").input("\nbody\n");
    let nobody = complete(home.run("qbiff").env("USER", "no such user is logged in"));
    for run in [home.run("qbiff"), nobody] {
        let got = run.end();
        assert_eq!((got.code, got.out.as_str(), got.err.as_str()), (0, "", ""));
    }
}
