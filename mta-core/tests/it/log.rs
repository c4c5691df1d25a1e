//! The log lines, byte for byte (spec §5.9).

use mta_core::log::{Filtered, Intake, Send, Session};
use mta_core::ports::spool::MessageId;
use mta_core::report::Outcome;
use mta_core::rewrite::Channel;

const ID: MessageId = MessageId(7);

fn lines_about_the_daemon() -> Vec<(Send<'static>, &'static str)> {
    let status = |running, exit_as_soon_as_possible| Send::Status {
        local: (0, 10),
        remote: (running, 20),
        exit_as_soon_as_possible,
    };
    vec![
        (status(1, false), "status: local 0/10 remote 1/20"),
        (status(0, true), "status: local 0/10 remote 0/20 exitasap"),
        (Send::Exiting, "status: exiting"),
        (Send::Warning("trouble"), "warning: trouble"),
        (Send::Alert("trouble"), "alert: trouble"),
    ]
}

fn lines_about_a_message() -> Vec<(Send<'static>, &'static str)> {
    let info = Send::Info {
        id: ID,
        bytes: 211,
        sender: b"a b@c",
        qp: 93,
        uid: 1000,
    };
    let bounce = Send::Bounce { id: ID, qp: 9 };
    vec![
        (Send::NewMsg { id: ID }, "new msg 7"),
        (info, "info msg 7: bytes 211 from <a_b@c> qp 93 uid 1000"),
        (bounce, "bounce msg 7 qp 9"),
        (
            Send::TripleBounce { id: ID },
            "triple bounce: discarding bounce/7",
        ),
        (Send::EndMsg { id: ID }, "end msg 7"),
    ]
}

fn lines_about_a_delivery() -> Vec<(Send<'static>, &'static str)> {
    let delivery = 3;
    let starting = |channel, recipient| Send::Starting {
        delivery,
        id: ID,
        channel,
        recipient,
    };
    let done = |outcome, text| Send::Delivery {
        delivery,
        outcome,
        text,
    };
    vec![
        (
            starting(Channel::Local, b"joe@h"),
            "starting delivery 3: msg 7 to local joe@h",
        ),
        (
            starting(Channel::Remote, b"x\ny@h"),
            "starting delivery 3: msg 7 to remote x/y@h",
        ),
        (
            done(Outcome::Success, b"did 2+1+1\nqp 17166\n"),
            "delivery 3: success: did_2+1+1/qp_17166/",
        ),
        (
            done(Outcome::Failure, b"100% no\n"),
            "delivery 3: failure: 100__no/",
        ),
        (done(Outcome::Deferral, b""), "delivery 3: deferral: "),
        (
            Send::Mangled { delivery },
            "delivery 3: report mangled, will defer",
        ),
    ]
}

#[test]
fn every_line_has_qmail_sends_form() {
    let lines = [
        lines_about_the_daemon(),
        lines_about_a_message(),
        lines_about_a_delivery(),
    ];
    for (line, want) in lines.concat() {
        assert_eq!(line.to_string(), want);
    }
}

#[test]
fn smtp_lines_name_the_session_and_filter_strangers() {
    let refused = Intake::Refused {
        session: Session {
            protocol: "smtp",
            number: 4,
        },
        command: "rcpt",
        sender: b"a@b",
        recipient: b"c@d\nqueued",
        reply: b"550 5.1.1 no",
    };
    let want = "smtp 4: rcpt refused: from <a@b> to <c@d/queued>: 550_5.1.1_no";
    assert_eq!(refused.to_string(), want);
    let given = Intake::Given {
        session: Session {
            protocol: "qmtp",
            number: 5,
        },
        qp: 93,
        bytes: 211,
        sender: b"a@b\n",
        recipients: 2,
    };
    let want = "qmtp 5: given to QMAILQUEUE qp 93: bytes 211 from <a@b/> recipients 2";
    assert_eq!(given.to_string(), want);
}

#[test]
fn no_stranger_can_forge_a_line() {
    for byte in 0..=255_u8 {
        let shown = Filtered(&[byte]).to_string();
        assert!(shown.bytes().all(|b| (33..127).contains(&b) && b != b'%'));
    }
}
