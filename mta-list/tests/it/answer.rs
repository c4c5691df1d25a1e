//! The rule of RFC 3834 as a table: who is answered, and why not.

use mta_core::Address;
use mta_list::answer::{HEADER_MAX, Incoming, Refusal, Responder, may_answer};

fn judge(sender: &str, header: &[u8], responder: Responder) -> Result<String, Refusal> {
    let address = |text: &str| Address::new(text).unwrap();
    let mail = Incoming {
        sender: &address(sender),
        own: &[address("joe@example.org"), address("joe.smith@example.org")],
        header,
    };
    let to = may_answer(&mail, responder)?;
    Ok(String::from_utf8_lossy(to.as_bytes()).into_owned())
}

const TO: &str = "To: Joe <joe@example.org>\n";

#[test]
fn senders_decide_first() {
    let rows = [
        ("a person", "ann@far.example", None),
        (
            "a person whose name looks like one",
            "owner@far.example",
            None,
        ),
        ("a bounce", "", Some(Refusal::NullSender)),
        ("a double bounce", "#@[]", Some(Refusal::NullSender)),
        ("nobody's host", "ann", Some(Refusal::Machine)),
        (
            "a mail system",
            "MAILER-DAEMON@far.example",
            Some(Refusal::Machine),
        ),
        (
            "a list's owner",
            "owner-birds@far.example",
            Some(Refusal::Machine),
        ),
        (
            "an ezmlm list",
            "birds-return-4-joe=example.org@far.example",
            Some(Refusal::Machine),
        ),
        (
            "a mailman list",
            "birds-bounces+joe=x@far.example",
            Some(Refusal::Machine),
        ),
        (
            "a request address",
            "birds-Request@far.example",
            Some(Refusal::Machine),
        ),
        ("a shop", "noreply@far.example", Some(Refusal::Machine)),
        ("oneself", "Joe@Example.org", Some(Refusal::Own)),
    ];
    for (name, sender, refusal) in rows {
        let want = refusal.map_or_else(|| Ok(sender.to_owned()), Err);
        assert_eq!(
            judge(sender, TO.as_bytes(), Responder::Personal),
            want,
            "{name}"
        );
    }
}

#[test]
fn header_fields_decide_next() {
    let rows = [
        ("Auto-Submitted: no", None),
        ("auto-submitted: No (really)", None),
        (
            "Auto-Submitted: auto-generated",
            Some(Refusal::AutoSubmitted),
        ),
        (
            "Auto-Submitted:\n auto-replied; x=y",
            Some(Refusal::AutoSubmitted),
        ),
        ("Auto-Submitted: nope", Some(Refusal::AutoSubmitted)),
        ("Auto-Submitted:", Some(Refusal::AutoSubmitted)),
        ("List-Id: <birds.far.example>", Some(Refusal::List)),
        ("LIST-unsubscribe: <mailto:x@y>", Some(Refusal::List)),
        ("Mailing-List: contact x@y", Some(Refusal::List)),
        ("Listing: no list", None),
        ("Precedence: bulk", Some(Refusal::Precedence)),
        ("Precedence: first-class", None),
        (
            "X-Auto-Response-Suppress: DR, OOF, AutoReply",
            Some(Refusal::Suppressed),
        ),
        ("X-Auto-Response-Suppress: DR", None),
        (
            "Content-Type: multipart/report; report-type=x",
            Some(Refusal::Report),
        ),
        ("Content-Type: text/plain", None),
        ("X-Spam-Flag: YES", Some(Refusal::Spam)),
        (
            "Delivered-To: joe@example.org\nDelivered-To: Autoresponder",
            Some(Refusal::Loop),
        ),
        ("Subject: List-Id: x", None),
        ("Subject: a\n List-Id: folded", None),
        ("\nList-Id: in the body", None),
    ];
    for (field, refusal) in rows {
        for end in ["\n", "\r\n"] {
            let header = format!("{TO}{field}\n\nAuto-Submitted: in the body\n").replace('\n', end);
            let found = judge("ann@far.example", header.as_bytes(), Responder::Personal);
            let want = refusal.map_or_else(|| Ok("ann@far.example".to_owned()), Err);
            assert_eq!(found, want, "{field}");
        }
    }
}

#[test]
fn a_personal_responder_answers_only_what_names_its_owner() {
    let rows = [
        ("To: JOE@example.org\n", true),
        ("To: ann@x, \"Joe\" <joe@example.org>\n", true),
        ("Cc: a@b,\n\tjoe.smith@example.org\n", true),
        ("Resent-To: joe@example.org\n", true),
        ("To: mrjoe@example.org\n", false),
        ("To: joe@example.org.evil.example\n", false),
        ("To: big-joe@example.org\n", false),
        ("From: joe@example.org\n", false),
        ("To: undisclosed-recipients:;\n", false),
        ("", false),
    ];
    for (header, addressed) in rows {
        let personal = judge("ann@far.example", header.as_bytes(), Responder::Personal);
        assert_eq!(personal.is_ok(), addressed, "{header}");
        assert!(judge("ann@far.example", header.as_bytes(), Responder::Service).is_ok());
    }
}

#[test]
fn an_endless_header_is_not_judged() {
    let header = vec![b'x'; HEADER_MAX + 1];
    let found = judge("ann@far.example", &header, Responder::Service);
    assert_eq!(found, Err(Refusal::HeaderTooLong));
}
