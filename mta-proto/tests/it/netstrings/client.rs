//! The clients of QMTP and QMQP against servers that answer well, badly or not at all
//! (qmail-qmqpc(8), cr.yp.to/proto/qmtp.txt).

use bytes::Bytes;
use mta_core::{Address, Mono};
use mta_proto::qmtp::client::{Client, Config, Event, Transaction};
use mta_proto::{Action, Chunk, Machine};
use std::sync::Arc;
use std::time::Duration;

fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

fn transaction(to: &[&str], body: &str) -> Transaction {
    let to = to.iter().map(|to| address(to));
    Transaction::new(address("a@b"), to, body.len() as u64)
}

/// What a client waits for.
#[derive(Debug, PartialEq, Eq)]
enum Rest {
    Waits,
    Reads,
    Closed,
}

/// A client at work, with what it sent and was told.
struct Run {
    client: Client,
    sent: Vec<u8>,
    told: Vec<String>,
    bodies: Vec<Bytes>,
    chunk: usize,
    fails: bool,
}

impl Run {
    fn new(under_way: usize) -> Self {
        let config = Config {
            under_way,
            ..Config::default()
        };
        Self {
            client: Client::new(Arc::new(config), "192.0.2.1", Mono::ZERO),
            sent: Vec::new(),
            told: Vec::new(),
            bodies: Vec::new(),
            chunk: 3,
            fails: false,
        }
    }

    fn begin(&mut self, to: &[&str], body: &'static str) {
        self.client.begin(transaction(to, body)).unwrap();
        self.bodies = vec![Bytes::from(body)];
        self.settle(Mono::ZERO);
    }

    fn hear(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.client.wire_mut().push(&[*byte]);
            self.settle(Mono::ZERO);
        }
    }

    fn hang_up(&mut self) {
        self.client.wire_mut().push_eof();
        self.settle(Mono::ZERO);
    }

    /// Runs until nothing moves; tells what it waits for.
    fn settle(&mut self, now: Mono) -> Rest {
        loop {
            let action = self.client.poll(now);
            let output = self.client.wire().output().to_vec();
            assert!(output.len() <= 64 * 1024, "output is bounded");
            self.client.wire_mut().advance_output(output.len());
            self.sent.extend_from_slice(&output);
            match action {
                Action::Event(event) => self.handle(event),
                Action::Close => {
                    assert_eq!(self.client.poll(now), Action::Close);
                    assert_eq!(self.client.deadline(), None);
                    return Rest::Closed;
                }
                Action::Wait if output.is_empty() => return Rest::Waits,
                Action::Read if output.is_empty() => return Rest::Reads,
                _ => {}
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Ready => self.told.push("ready".into()),
            Event::Need(ticket) => {
                let body = &mut self.bodies[0];
                let piece = body.split_to(self.chunk.min(body.len()));
                let chunk = match piece.is_empty() {
                    false => Chunk::Bytes(piece),
                    true if self.fails => Chunk::Failed,
                    true => Chunk::End,
                };
                self.client.chunk(ticket, chunk);
            }
            Event::Finished(reports) => {
                for report in reports {
                    let letter = char::from(report.outcome.letter());
                    let text = String::from_utf8_lossy(&report.text).replace('\n', "|");
                    self.told.push(format!("{letter} {text}"));
                }
            }
            Event::Unusable { report, try_next } => {
                let text = String::from_utf8_lossy(&report.text).replace('\n', "|");
                self.told.push(format!("unusable, next {try_next}: {text}"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn expect(&mut self, told: &[&str]) {
        assert_eq!(std::mem::take(&mut self.told), told);
    }
}

const DIED: &str = "Z Connected to 192.0.2.1 but connection died. (#4.4.2)|";
const DUPLICATE: &str =
    "Z Connected to 192.0.2.1 but connection died. Possible duplicate! (#4.4.2)|";
const OK: &str = "K 192.0.2.1 accepted message.|Remote host said: ok|";

#[test]
fn each_recipient_has_the_report_of_its_own_response() {
    let mut run = Run::new(1);
    assert_eq!(run.settle(Mono::ZERO), Rest::Waits);
    run.begin(&["c@d", "e@f", "g@h"], "hello\n");
    assert_eq!(run.sent, b"7:\nhello\n,3:a@b,18:3:c@d,3:e@f,3:g@h,,");
    run.hear(b"3:Kok,");
    run.expect(&["ready"]);
    run.hear(b"9:Dno\r\n\0way,1:Z,");
    run.expect(&[
        OK,
        "D 192.0.2.1 does not like recipient.|Remote host said: no|?way|",
        "Z 192.0.2.1 does not like recipient.|",
        "ready",
    ]);
    run.begin(&["c@d"], "");
    run.client.quit();
    assert_eq!(run.settle(Mono::ZERO), Rest::Reads, "one is under way");
    run.hear(b"3:Kok,");
    run.expect(&[OK]);
    assert_eq!(run.settle(Mono::ZERO), Rest::Closed);
    let late = transaction(&["c@d"], "");
    assert_eq!(run.client.begin(late.clone()), Err(late));
}

#[test]
fn packages_are_sent_without_waiting_as_many_as_allowed() {
    let mut run = Run::new(2);
    run.settle(Mono::ZERO);
    run.begin(&["c@d"], "one");
    run.begin(&["c@d", "e@f"], "two");
    assert_eq!(
        run.sent,
        b"4:\none,3:a@b,6:3:c@d,,4:\ntwo,3:a@b,12:3:c@d,3:e@f,,"
    );
    run.expect(&["ready", "ready"]);
    assert!(!run.client.is_ready(), "two are under way");
    run.hear(b"3:Kok,3:Kok,");
    run.expect(&[OK, "ready"]);
    run.hear(b"3:Kok,");
    run.expect(&[OK, OK]);
}

#[test]
fn a_lost_connection_decides_as_far_as_the_server_may_have_acted() {
    let mut fresh = Run::new(1);
    fresh.settle(Mono::ZERO);
    fresh.hang_up();
    let next = "unusable, next true: Connected to 192.0.2.1 but connection died. (#4.4.2)|";
    fresh.expect(&["ready", next]);

    let mut half = Run::new(1);
    half.settle(Mono::ZERO);
    half.client
        .begin(transaction(&["c@d", "e@f"], "long body"))
        .unwrap();
    let Action::Event(Event::Need(_)) = half.client.poll(Mono::ZERO) else {
        panic!()
    };
    half.hang_up();
    half.expect(&["ready", DIED, DIED]);

    let mut whole = Run::new(1);
    whole.settle(Mono::ZERO);
    whole.begin(&["c@d", "e@f"], "x");
    whole.hear(b"3:Kok,1");
    whole.hang_up();
    whole.expect(&["ready", OK, DUPLICATE]);

    let mut again = Run::new(1);
    again.settle(Mono::ZERO);
    again.begin(&["c@d"], "x");
    again.hear(b"3:Kok,");
    again.client.begin(transaction(&["c@d"], "x")).unwrap();
    again.hang_up();
    let same = "unusable, next false: Connected to 192.0.2.1 but connection died. (#4.4.2)|";
    again.expect(&["ready", OK, "ready", same]);

    let mut two = Run::new(2);
    two.settle(Mono::ZERO);
    two.begin(&["c@d"], "x");
    two.begin(&["e@f"], "y");
    two.hang_up();
    two.expect(&["ready", "ready", DUPLICATE, DUPLICATE]);
}

#[test]
fn what_is_no_response_ends_the_connection() {
    let rows: &[(&str, &[u8], &str)] = &[
        (
            "SMTP",
            b"220 hello\r\n",
            "the decimal length of a netstring",
        ),
        ("empty", b"0:,", "other content in a netstring"),
        ("other letter", b"3:Xok,", "other content in a netstring"),
        ("no comma", b"3:Kok;", "a comma behind a netstring"),
        (
            "endless",
            b"999999999:K",
            "a netstring within the limit of length",
        ),
    ];
    for (name, bytes, expected) in rows {
        let mut run = Run::new(1);
        run.settle(Mono::ZERO);
        run.begin(&["c@d"], "x");
        run.hear(bytes);
        let bad = format!(
            "Z Connected to 192.0.2.1 but its reply was bad: expected {expected}. Possible duplicate! (#4.5.0)|"
        );
        assert_eq!(run.told, ["ready", &bad], "{name}");
    }
    let mut early = Run::new(1);
    early.settle(Mono::ZERO);
    early.hear(b"3");
    assert!(
        early.told[1].starts_with("unusable, next true: "),
        "{:?}",
        early.told
    );
}

#[test]
fn a_body_that_fails_or_lies_about_its_size_is_never_completed() {
    let rows = [
        ("fails", 6, true),
        ("shorter", 7, false),
        ("longer", 5, false),
    ];
    for (name, size, fails) in rows {
        let mut run = Run::new(1);
        run.settle(Mono::ZERO);
        run.fails = fails;
        run.bodies = vec![Bytes::from("hello\n")];
        let mut lying = transaction(&["c@d"], "");
        lying.size = size;
        run.client.begin(lying).unwrap();
        assert_eq!(run.settle(Mono::ZERO), Rest::Closed, "{name}");
        run.expect(&["ready", "Z Unable to read message. (#4.3.0)|"]);
        assert!(
            !run.sent.contains(&b','),
            "{name}: {}",
            run.sent.escape_ascii()
        );
    }
    let mut second = Run::new(2);
    second.settle(Mono::ZERO);
    second.begin(&["c@d"], "x");
    second.fails = true;
    second.begin(&["e@f"], "y");
    second.hear(b"3:Kok,");
    second.expect(&["ready", "ready", OK, "Z Unable to read message. (#4.3.0)|"]);
}

#[test]
fn addresses_that_are_too_long_are_left_out() {
    let long = "x".repeat(1000);
    let mut run = Run::new(1);
    run.settle(Mono::ZERO);
    run.begin(&[&long, "c@d"], "x");
    assert_eq!(run.sent, b"2:\nx,3:a@b,6:3:c@d,,");
    run.hear(b"3:Kok,");
    let bad = "D Sorry, that address cannot be sent. (#5.1.3)|";
    run.expect(&["ready", bad, OK, "ready"]);
    run.sent.clear();
    run.begin(&[&long], "x");
    run.expect(&[bad, "ready"]);
    assert!(run.sent.is_empty());
}

#[test]
fn a_silent_server_is_given_up() {
    let config = Config::default();
    let (block, response) = (config.block, config.response);
    let mut run = Run::new(1);
    run.settle(Mono::ZERO);
    assert_eq!(run.client.deadline(), None, "the application has the word");
    run.begin(&["c@d"], "x");
    assert_eq!(run.client.deadline(), Some(Mono::ZERO + response));
    let late = Mono::ZERO + response;
    run.settle(late);
    run.expect(&["ready", DUPLICATE]);

    let mut blocked = Run::new(1);
    blocked.settle(Mono::ZERO);
    blocked.client.begin(transaction(&["c@d"], "abc")).unwrap();
    blocked.bodies = vec![Bytes::from("abc")];
    while let Action::Event(event) = blocked.client.poll(Mono::ZERO) {
        blocked.handle(event);
    }
    assert_eq!(blocked.client.deadline(), Some(Mono::ZERO + block));
    let late = Mono::from_start(block + Duration::from_secs(1));
    blocked.settle(late);
    blocked.expect(&["ready", DIED]);
}

#[test]
fn qmqp_has_one_report_and_one_message() {
    use mta_proto::qmqp::client::{Client, Event};
    let rows: &[(&str, &[u8], &str)] = &[
        (
            "taken",
            b"3:Kok,",
            "K 192.0.2.1 accepted message.\nRemote host said: ok\n",
        ),
        (
            "refused",
            b"3:Dno,",
            "D 192.0.2.1 does not like recipient.\nRemote host said: no\n",
        ),
        (
            "closed",
            b"",
            "Z Connected to 192.0.2.1 but connection died. Possible duplicate! (#4.4.2)\n",
        ),
    ];
    for (name, said, expected) in rows {
        let mut client = Client::new(Arc::new(Config::default()), "192.0.2.1", Mono::ZERO);
        assert_eq!(client.poll(Mono::ZERO), Action::Event(Event::Ready));
        client.begin(transaction(&["c@d", "e@f"], "x")).unwrap();
        for chunk in [Chunk::Bytes(Bytes::from("x")), Chunk::End] {
            let Action::Event(Event::Need(ticket)) = client.poll(Mono::ZERO) else {
                panic!("{name}")
            };
            client.chunk(ticket, chunk);
        }
        assert_eq!(client.poll(Mono::ZERO), Action::Read);
        let sent = client.wire().output().len();
        assert_eq!(client.wire().output(), b"22:1:x,3:a@b,3:c@d,3:e@f,,");
        client.wire_mut().advance_output(sent);
        client.wire_mut().push(said);
        client.wire_mut().push_eof();
        let Action::Event(Event::Finished(report)) = client.poll(Mono::ZERO) else {
            panic!("{name}")
        };
        let text = String::from_utf8(report.text).unwrap();
        assert_eq!(
            format!("{} {text}", char::from(report.outcome.letter())),
            *expected,
            "{name}"
        );
        assert_eq!(client.poll(Mono::ZERO), Action::Close, "{name}");
        assert!(!client.is_ready());
    }
}
