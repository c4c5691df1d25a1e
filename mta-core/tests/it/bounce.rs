//! Bounces: records, status codes, and whole bounce messages read back (QSBMF, RFC 3464, RFC 6522).

use mta_core::bounce::{Bounce, FULL_COPY_MAX, LINE_MAX, Original, Scan, Settings, record, status};
use mta_core::envelope::{Body, MailParams, RcptParams, Recipient, Ret};
use mta_core::{Address, Unix};

fn settings() -> Settings {
    Settings {
        zone: mta_core::date::Zone::Unknown,
        me: b"mx.example".to_vec(),
        bouncefrom: b"MAILER-DAEMON".to_vec(),
        bouncehost: b"bounce.example".to_vec(),
        doublebounceto: b"postmaster".to_vec(),
        doublebouncehost: b"mx.example".to_vec(),
        full_copy_max: FULL_COPY_MAX,
    }
}

fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

const MESSAGE: &[u8] =
    b"Received: (qmail 5 invoked by uid 7); 1 Jan 1970 00:00:00 -0000\nSubject: hi\n\nworld";

struct Case<'a> {
    sender: &'a str,
    params: MailParams,
    recipients: Vec<Recipient>,
    message: &'a [u8],
    failures: Vec<u8>,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self {
            sender: "joe@far.example",
            params: MailParams::default(),
            recipients: Vec::new(),
            message: MESSAGE,
            failures: record(
                &address("x@mx.example"),
                b"Sorry, no mailbox here by that name. (#5.1.1)\n",
            ),
        }
    }
}

impl Case<'_> {
    fn compose(&self, settings: &Settings) -> Option<Bounce> {
        let mut scan = Scan::default();
        for byte in self.message {
            scan.feed(&[*byte]);
        }
        let original = Original {
            sender: &address(self.sender),
            params: &self.params,
            recipients: &self.recipients,
            birth: Unix(86_400),
            scan: &scan,
            failures: &self.failures,
        };
        Bounce::compose(settings, &original, Unix(90_061), &[0xab, 0x01])
    }

    fn sent(&self, settings: &Settings) -> (Bounce, String) {
        let bounce = self.compose(settings).unwrap();
        let copied = &self.message[..usize::try_from(bounce.copy).unwrap()];
        let whole = [&bounce.head, copied, &bounce.tail].concat();
        (bounce, String::from_utf8_lossy(&whole).into_owned())
    }
}

#[test]
fn a_whole_bounce_reads_as_expected() {
    let (bounce, text) = Case::default().sent(&settings());
    assert_eq!(
        text,
        "Date: 2 Jan 1970 01:01:01 -0000
From: MAILER-DAEMON@bounce.example
To: joe@far.example
Subject: failure notice
Message-ID: <90061.ab01.bounce@bounce.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
  boundary=\"=ab01=bounce\"

--=ab01=bounce
Content-Type: text/plain

Hi. This is the qmail-send program at bounce.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<x@mx.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.


--=ab01=bounce
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Arrival-Date: Fri, 2 Jan 1970 00:00:00 +0000

Final-Recipient: rfc822; x@mx.example
Action: failed
Status: 5.1.1
Diagnostic-Code: X-Qmail; Sorry, no mailbox here by that name. (#5.1.1)

--=ab01=bounce
Content-Type: message/rfc822

Return-Path: <joe@far.example>
Received: (qmail 5 invoked by uid 7); 1 Jan 1970 00:00:00 -0000
Subject: hi

world
--=ab01=bounce--
"
    );
    assert!(bounce.envelope.reverse_path.is_null());
    assert_eq!(
        bounce.envelope.recipients,
        [address("joe@far.example").into()]
    );
    assert_eq!(bounce.envelope.params, MailParams::default());
}

#[test]
fn senders_decide_who_is_told() {
    // name, sender, doublebounceto, (reverse-path, recipient)
    type Row = (
        &'static str,
        &'static str,
        &'static str,
        Option<(&'static str, &'static str)>,
    );
    let rows: [Row; 6] = [
        (
            "a sender gets a bounce from nobody",
            "a@b",
            "p",
            Some(("", "a@b")),
        ),
        (
            "a bounce that bounces goes to the postmaster",
            "",
            "p",
            Some(("#@[]", "p@mx.example")),
        ),
        (
            "an empty doublebounceto is the trash address",
            "",
            "",
            Some(("#@[]", "@mx.example")),
        ),
        ("a triple bounce is told to nobody", "#@[]", "p", None),
        (
            "a verp sender loses its mark",
            "l-@h-@[]",
            "p",
            Some(("", "l-@h")),
        ),
        (
            "a mark alone is the null sender",
            "-@[]",
            "p",
            Some(("#@[]", "p@mx.example")),
        ),
    ];
    for (name, sender, to, want) in rows {
        let settings = Settings {
            doublebounceto: to.into(),
            ..settings()
        };
        let case = Case {
            sender,
            ..Case::default()
        };
        let bounce = case.compose(&settings);
        let found = bounce.as_ref().map(|b| {
            let to = &b.envelope.recipients[0].address;
            (b.envelope.reverse_path.clone(), to.clone())
        });
        let want = want.map(|(from, to)| (address(from), address(to)));
        assert_eq!(found, want, "{name}");
    }
}

#[test]
fn the_date_is_in_the_zone_that_is_set() {
    let mut local = settings();
    local.zone = mta_core::date::Zone::East(-90);
    let (_, text) = Case::default().sent(&local);
    assert!(
        text.starts_with("Date: 1 Jan 1970 23:31:01 -0130\n"),
        "{text}"
    );
}

#[test]
fn a_double_bounce_has_qmails_words() {
    let case = Case {
        sender: "",
        ..Case::default()
    };
    let (_, text) = case.sent(&settings());
    assert!(text.contains(
        "\n\nHi. This is the qmail-send program at bounce.example.\n\
         I tried to deliver a bounce message to this address, but the bounce bounced!\n\n\
         <x@mx.example>:\n"
    ));
    assert!(text.contains("\n\n--- Below this line is the original bounce.\n\n"));
    assert!(text.contains("\n\nReturn-Path: <>\nReceived: "));
}

#[test]
fn only_the_header_goes_back_where_asked_or_where_the_message_is_large() {
    let long = [MESSAGE, &b"x\n".repeat(100_000)].concat();
    let asked = MailParams {
        ret: Some(Ret::Headers),
        ..MailParams::default()
    };
    let full = MailParams {
        ret: Some(Ret::Full),
        ..MailParams::default()
    };
    let rows = [
        ("RET=HDRS", MESSAGE, asked),
        ("a large message", &long, MailParams::default()),
        ("a large message with RET=FULL", &long, full),
    ];
    for (name, message, params) in rows {
        let case = Case {
            message,
            params,
            ..Case::default()
        };
        let (bounce, text) = case.sent(&settings());
        assert!(
            text.contains("Content-Type: text/rfc822-headers\n\nReturn-Path: <joe"),
            "{name}"
        );
        assert!(
            text.ends_with("Subject: hi\n\n--=ab01=bounce--\n"),
            "{name}"
        );
        assert_eq!(bounce.copy, 76, "{name}");
    }
}

struct EightBit {
    name: &'static str,
    sender: &'static str,
    smtputf8: bool,
    message: &'static [u8],
    text: &'static [u8],
    has: &'static str,
    /// The bounce needs SMTPUTF8 itself.
    needs: bool,
}

const EIGHT_BIT: &[EightBit] = &[
    EightBit {
        name: "a body",
        sender: "a@b",
        smtputf8: false,
        message: b"Subject: hi\n\ngr\xfcn\n",
        text: b"no\n",
        has: "message/rfc822\nContent-Transfer-Encoding: 8bit\n",
        needs: false,
    },
    EightBit {
        name: "a text in UTF-8",
        sender: "a@b",
        smtputf8: false,
        message: MESSAGE,
        text: "größer\n".as_bytes(),
        has: "text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n",
        needs: false,
    },
    EightBit {
        name: "a text in anything",
        sender: "a@b",
        smtputf8: false,
        message: MESSAGE,
        text: b"gr\xf6\xdfer\n",
        has: "text/plain; charset=unknown-8bit\n",
        needs: false,
    },
    EightBit {
        name: "an SMTPUTF8 message",
        sender: "a@b",
        smtputf8: true,
        message: "Subject: grün\n\nx\n".as_bytes(),
        text: b"no\n",
        has: "Content-Type: message/global\nContent-Transfer-Encoding: 8bit\n",
        needs: false,
    },
    EightBit {
        name: "an SMTPUTF8 sender",
        sender: "jörg@b",
        smtputf8: true,
        message: MESSAGE,
        text: b"no\n",
        has: "To: jörg@b\n",
        needs: true,
    },
];

#[test]
fn what_is_8_bit_says_so() {
    for row in EIGHT_BIT {
        let case = Case {
            sender: row.sender,
            params: MailParams {
                smtputf8: row.smtputf8,
                ..MailParams::default()
            },
            message: row.message,
            failures: record(&address("x@y"), row.text),
            recipients: Vec::new(),
        };
        let (bounce, text) = case.sent(&settings());
        assert!(text.contains(row.has), "{}: {text}", row.name);
        let outer = text.split("\n\n").next().unwrap();
        assert!(
            outer.contains("Content-Transfer-Encoding: 8bit"),
            "{}",
            row.name
        );
        let params = &bounce.envelope.params;
        assert_eq!(params.body, Some(Body::EightBit), "{}", row.name);
        assert_eq!(params.smtputf8, row.needs, "{}", row.name);
        let report = text.split("message/delivery-status\n\n").nth(1).unwrap();
        let report = report.split("\n--=").next().unwrap();
        assert!(report.is_ascii(), "{}: the report is 7-bit", row.name);
    }
}

#[test]
fn each_record_is_one_paragraph_with_legal_lines() {
    let long = "y".repeat(LINE_MAX + 5);
    let cut = format!("<a@b>:\n{}\nyyyyy\n\n", "y".repeat(LINE_MAX));
    let rows = [
        ("a text with its line end", "a@b", "no\n", "<a@b>:\nno\n\n"),
        ("a text without", "a@b", "no", "<a@b>:\nno\n\n"),
        ("an empty text", "a@b", "", "<a@b>:\n\n"),
        (
            "empty lines",
            "a@b",
            "1\n\n\n2\n\n",
            "<a@b>:\n1\n//2\n/\n\n",
        ),
        ("an empty first line", "a@b", "\n1\n", "<a@b>:\n/1\n\n"),
        (
            "a line end in an address",
            "a\nb@c",
            "no\n",
            "<a_b@c>:\nno\n\n",
        ),
        ("a line that is too long", "a@b", &long, &cut),
    ];
    for (name, to, text, want) in rows {
        let found = record(&address(to), text.as_bytes());
        assert_eq!(String::from_utf8(found).unwrap(), want, "{name}");
    }
}

#[test]
fn status_comes_from_the_text() {
    let rows = [
        ("qmail's own", "Sorry. (#5.4.6)\n", "5.4.6"),
        ("the first of several", "a (#5.1.1)\nb (#5.2.2)\n", "5.1.1"),
        ("three digits", "a (#5.123.456)\n", "5.123.456"),
        ("no success in a failure", "a (#2.1.1)\n", "5.0.0"),
        ("an unclosed code", "a (#5.1.1\n", "5.0.0"),
        ("too many parts", "a (#5.1.1.1)\n", "5.0.0"),
        (
            "a remote code",
            "x.\nRemote host said: 550 5.7.1 go away\n",
            "5.7.1",
        ),
        (
            "a remote class",
            "x.\nRemote host said: 554 go away\n",
            "5.0.0",
        ),
        (
            "a remote class for now",
            "x.\nRemote host said: 452 full\n",
            "4.0.0",
        ),
        (
            "a continued remote reply",
            "x.\nRemote host said: 550-5.1.1 a\n550 5.1.1 b\n",
            "5.1.1",
        ),
        (
            "too old",
            "busy\nI'm not going to try again; this message has been in the queue too long.\n",
            "4.4.7",
        ),
        (
            "too old, with a code",
            "busy (#4.4.1)\nI'm not going to try again; this\n",
            "4.4.1",
        ),
        ("nothing", "", "5.0.0"),
    ];
    for (name, text, want) in rows {
        assert_eq!(status(text.as_bytes()), want, "{name}");
    }
}

#[test]
fn recipients_and_diagnostics_are_fields_of_the_standard() {
    let rows = [
        ("plain", "a@b", "no\n", "rfc822; a@b", "X-Qmail; no"),
        (
            "a blank",
            "a b@c",
            "no\n",
            "rfc822; \"a b\"@c",
            "X-Qmail; no",
        ),
        (
            "UTF-8",
            "jö+r@b",
            "no\n",
            "utf-8; j\\x{F6}\\x{2B}r@b",
            "X-Qmail; no",
        ),
        ("lines", "a@b", "1\n2\n", "rfc822; a@b", "X-Qmail; 1\n  2"),
        (
            "remote",
            "a@b",
            "x.\nRemote host said: 550 no\nnever\n",
            "rfc822; a@b",
            "smtp; 550 no\n  never",
        ),
        (
            "control bytes",
            "a@b",
            "n\x07o\t\r\n",
            "rfc822; a@b",
            "X-Qmail; n?o ?",
        ),
    ];
    for (name, to, text, recipient, code) in rows {
        let case = Case {
            failures: record(&address(to), text.as_bytes()),
            ..Case::default()
        };
        let (_, sent) = case.sent(&settings());
        let want = format!(
            "\n\nFinal-Recipient: {recipient}\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: {code}\n\n--="
        );
        assert!(sent.contains(&want), "{name}: {sent}");
    }
}

#[test]
fn the_envelope_id_is_given_back_decoded() {
    let rows = [
        ("xtext", &b"QQ+2B314"[..], Some("QQ+314")),
        ("an unprintable one", b"a+0Ab", None),
        ("a broken one", b"a+4", None),
    ];
    for (name, envid, want) in rows {
        let params = MailParams {
            envid: Some(envid.to_vec()),
            ..MailParams::default()
        };
        let case = Case {
            params,
            ..Case::default()
        };
        let (_, text) = case.sent(&settings());
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix("Original-Envelope-Id: "));
        assert_eq!(line, want, "{name}");
    }
}

#[test]
fn a_scan_does_not_depend_on_the_chunks() {
    let rows: [(&str, &[u8], u64, bool); 5] = [
        ("header and body", b"a: b\n\nc\n", 5, false),
        ("header only", b"a: b\nc: d\n", 10, false),
        ("a partial header line", b"a: b\nc", 5, false),
        ("no header", b"\nb\xff", 0, true),
        ("carriage returns", b"a: b\r\n\r\n\xff", 6, true),
    ];
    for (name, message, header, eight_bit) in rows {
        for size in 1..=message.len() {
            let mut scan = Scan::default();
            message.chunks(size).for_each(|chunk| scan.feed(chunk));
            let found = (scan.header(), scan.eight_bit(), scan.len());
            assert_eq!(
                found,
                (header, eight_bit, message.len() as u64),
                "{name}/{size}"
            );
        }
    }
}

#[test]
fn an_original_recipient_is_named_where_one_came_along() {
    let table: &[(&str, &str, Option<&str>)] = &[
        (
            "plain",
            "rfc822;joe+2Bx@far.example",
            Some("rfc822; joe+x@far.example"),
        ),
        ("no type", "joe@far.example", None),
        ("a line in it", "rfc822;joe+0AX-Evil:", None),
        ("torn", "rfc822;joe+2", None),
        ("not ASCII", "utf-8;jos\u{e9}@far.example", None),
        (
            "hidden",
            "utf-8;jos+5Cx{E9}@far.example",
            Some("utf-8; jos\\x{E9}@far.example"),
        ),
    ];
    for (name, orcpt, wanted) in table {
        let params = RcptParams {
            notify: None,
            orcpt: Some(orcpt.as_bytes().to_vec()),
        };
        let case = Case {
            recipients: vec![Recipient {
                address: address("x@mx.example"),
                params,
            }],
            ..Case::default()
        };
        let (_, text) = case.sent(&settings());
        let shown = wanted.map_or(String::new(), |w| format!("Original-Recipient: {w}\n"));
        let group = format!("\n\n{shown}Final-Recipient: rfc822; x@mx.example\nAction: failed\n");
        assert!(text.contains(&group), "{name}: {text}");
    }
}
