//! AUTH: exchanges that succeed, fail, are cancelled or never end (RFC 4954).

use super::config;
use mta_core::Mono;
use mta_proto::sasl::{Message, Offer};
use mta_proto::smtp::server::{AuthVerdict, Config, Event, LineEnds, Server, StartTls, Verdict};
use mta_proto::smtp::{Enhanced, Reply};
use mta_proto::{Action, Machine};
use proptest::prelude::*;
use std::sync::Arc;

/// What a session said and told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    replies: String,
    events: Vec<String>,
    closed: bool,
}

/// A session with an application that lets in whoever says `sesame` in the end.
struct Session {
    server: Server,
    offer: Offer,
    seen: Seen,
}

fn judge(message: &Message) -> AuthVerdict {
    let refusal = |code| Reply::fixed(code, "no").with(Enhanced::new(7, 8));
    match message.expose() {
        b"sesame" => AuthVerdict::Accept,
        b"" | b"more" => AuthVerdict::Challenge(b"who?".to_vec()),
        b"out" => AuthVerdict::Close(refusal(421)),
        b"later" => AuthVerdict::Refuse(refusal(454)),
        b"odd" => AuthVerdict::Refuse(refusal(250)),
        _ => AuthVerdict::Refuse(refusal(535)),
    }
}

impl Session {
    fn new(config: &Arc<Config>, offer: Offer) -> Self {
        let mut server = Server::new(Arc::clone(config), Mono::ZERO);
        server.offer_auth(offer.clone());
        Self {
            server,
            offer,
            seen: Seen::default(),
        }
    }

    fn feed(&mut self, mut bytes: &[u8]) {
        loop {
            match self.server.poll(Mono::ZERO) {
                Action::Read if bytes.is_empty() => break,
                Action::Read => {
                    let taken = self.server.wire_mut().push(bytes);
                    assert!(taken > 0, "asks to read without room");
                    bytes = &bytes[taken..];
                }
                Action::Write => self.flush(),
                Action::Wait => panic!("waits although everything was answered"),
                Action::StartTls => {
                    self.flush();
                    self.server.tls_started(Mono::ZERO);
                }
                Action::Close => {
                    self.seen.closed = true;
                    break;
                }
                Action::Event(event) => self.answer(event),
            }
        }
        self.flush();
    }

    fn flush(&mut self) {
        let output = self.server.wire().output().to_vec();
        self.server.wire_mut().advance_output(output.len());
        self.seen.replies += &String::from_utf8(output).unwrap();
    }

    fn answer(&mut self, event: Event) {
        match event {
            Event::Connected(ticket) => self.server.answer(ticket, Verdict::Accept),
            Event::Hello { ticket, .. } => self.server.answer(ticket, Verdict::Accept),
            Event::Mail { ticket, .. } => self.server.answer(ticket, Verdict::Accept),
            Event::TlsStarted => self.server.offer_auth(self.offer.clone()),
            Event::Auth {
                mechanism,
                initial,
                ticket,
            } => {
                self.seen.events.push(format!("auth {mechanism}"));
                let verdict = initial.as_ref().map(judge);
                let ask = AuthVerdict::Challenge(Vec::new());
                self.server.answer_auth(ticket, verdict.unwrap_or(ask));
            }
            Event::AuthResponse { message, ticket } => {
                self.seen.events.push("response".to_owned());
                self.server.answer_auth(ticket, judge(&message));
            }
            Event::AuthCancelled => self.seen.events.push("cancelled".to_owned()),
            Event::Abort(_) => {}
            other => panic!("{other:?}"),
        }
    }

    /// What is said to one piece of input.
    fn say(&mut self, text: &str) -> String {
        self.feed(text.as_bytes());
        std::mem::take(&mut self.seen.replies)
    }
}

fn offer() -> Offer {
    Offer::mechanisms(["SCRAM-SHA-256", "PLAIN"])
}

fn session() -> Session {
    let mut session = Session::new(&config(|_| {}), offer());
    let said = session.say("EHLO c\r\n");
    assert!(
        said.contains("\r\n250-AUTH SCRAM-SHA-256 PLAIN\r\n"),
        "{said}"
    );
    session
}

const WELCOME: &str = "235 2.7.0 welcome\r\n";
const NOT_BASE64: &str = "501 5.5.2 expected base64\r\n";

#[test]
fn an_initial_response_can_be_enough() {
    let mut session = session();
    assert_eq!(session.say("auth plain c2VzYW1l\r\n"), WELCOME);
    assert_eq!(session.seen.events, ["auth PLAIN"]);
    let again = "503 5.5.1 you are logged in already\r\n";
    assert_eq!(session.say("AUTH PLAIN c2VzYW1l\r\n"), again);
    assert!(!session.say("EHLO c\r\n").contains("AUTH"));
    assert_eq!(
        session.say("MAIL FROM:<a@b> AUTH=<>\r\n"),
        "250 2.1.0 ok\r\n"
    );
}

#[test]
fn challenges_and_responses_take_turns() {
    let mut session = session();
    assert_eq!(session.say("AUTH PLAIN\r\n"), "334 \r\n");
    assert_eq!(session.say("bW9yZQ==\r\n"), "334 d2hvPw==\r\n");
    assert_eq!(session.say("\r\n"), "334 d2hvPw==\r\n");
    assert_eq!(session.say("c2VzYW1l\r\n"), WELCOME);
    let mut session = self::session();
    assert_eq!(session.say("AUTH PLAIN =\r\n"), "334 d2hvPw==\r\n");
}

#[test]
fn a_command_within_an_exchange_is_no_command() {
    let mut session = session();
    assert_eq!(session.say("AUTH PLAIN\r\n"), "334 \r\n");
    assert_eq!(session.say("QUIT\r\n"), "535 5.7.8 no\r\n");
    assert_eq!(session.say("AUTH PLAIN\r\n"), "334 \r\n");
    assert_eq!(session.say("MAIL FROM:<a@b>\r\n"), NOT_BASE64);
    assert_eq!(session.say("NOOP\r\n"), "250 2.0.0 ok\r\n");
    assert_eq!(session.seen.events.last().unwrap(), "cancelled");
}

#[test]
fn refusals_tell_why() {
    let rows = [
        (
            "unknown mechanism",
            "AUTH CRAM-MD5\r\n",
            "504 5.5.4 that mechanism is not offered; see the reply to EHLO\r\n",
        ),
        (
            "no mechanism",
            "AUTH\r\n",
            "501 5.5.4 syntax: AUTH mechanism [initial-response]\r\n",
        ),
        ("no base64", "AUTH PLAIN c2Vz*\r\n", NOT_BASE64),
        (
            "cancelled",
            "AUTH PLAIN\r\n*\r\n",
            "334 \r\n501 5.7.0 the login was cancelled\r\n",
        ),
        ("wrong", "AUTH PLAIN YQ==\r\n", "535 5.7.8 no\r\n"),
        ("not now", "AUTH PLAIN bGF0ZXI=\r\n", "454 4.7.8 no\r\n"),
        (
            "a refusal that is none",
            "AUTH PLAIN b2Rk\r\n",
            "451 4.3.0 sorry, that failed here; try again later\r\n",
        ),
        ("closed", "AUTH PLAIN b3V0\r\nNOOP\r\n", "421 4.7.8 no\r\n"),
        (
            "within a transaction",
            "MAIL FROM:<a@b>\r\nAUTH PLAIN\r\n",
            "250 2.1.0 ok\r\n503 5.5.1 a transaction is open; log in before MAIL\r\n",
        ),
        (
            "after HELO",
            "HELO c\r\nAUTH PLAIN\r\n",
            "250 mx.example.org\r\n503 5.5.1 EHLO first\r\n",
        ),
        (
            "a NUL",
            "AUTH PLAIN\r\nc2Vz\0YW1l\r\n",
            "334 \r\n501 5.5.2 expected base64\r\n",
        ),
        (
            "a bare LF",
            "AUTH PLAIN\r\nc2VzYW1l\n",
            "334 \r\n501 5.5.2 expected base64\r\n",
        ),
    ];
    for (name, input, wanted) in rows {
        assert_eq!(session().say(input), wanted, "{name}");
    }
}

#[test]
fn nothing_is_offered_before_it_may_be() {
    let mut none = Session::new(&config(|_| {}), Offer::None);
    assert!(!none.say("EHLO c\r\n").contains("AUTH"));
    assert_eq!(none.say("AUTH PLAIN\r\n"), "502 5.5.1 unimplemented\r\n");
    assert!(none.say("MAIL FROM:<a@b> AUTH=<>\r\n").starts_with("555 "));
    let tls = config(|c| c.starttls = StartTls::Offered);
    let mut later = Session::new(&tls, Offer::NeedsTls);
    assert!(!later.say("EHLO c\r\n").contains("AUTH"));
    let said = later.say("AUTH PLAIN c2VzYW1l\r\n");
    assert_eq!(
        said,
        "538 5.7.11 logins are encrypted here; send STARTTLS first\r\n"
    );
    later.offer = offer();
    later.say("STARTTLS\r\n");
    assert!(later.say("EHLO c\r\n").contains("AUTH SCRAM"));
    assert_eq!(later.say("AUTH PLAIN c2VzYW1l\r\n"), WELCOME);
}

#[test]
fn a_login_in_the_clear_does_not_outlive_starttls() {
    let tls = config(|c| c.starttls = StartTls::Offered);
    let mut session = Session::new(&tls, offer());
    session.say("EHLO c\r\n");
    assert_eq!(session.say("AUTH PLAIN c2VzYW1l\r\n"), WELCOME);
    session.say("STARTTLS\r\n");
    assert!(session.say("EHLO c\r\n").contains("AUTH SCRAM"));
}

#[test]
fn long_lines_are_taken_up_to_the_limit_of_the_standard() {
    let long = "QUJD".repeat(3000);
    let mut session = session();
    let said = session.say(&format!("AUTH PLAIN {long}\r\n"));
    assert_eq!(said, "535 5.7.8 no\r\n");
    session.say("AUTH PLAIN\r\n");
    assert_eq!(session.say(&format!("{long}\r\n")), "535 5.7.8 no\r\n");
    session.say("AUTH PLAIN\r\n");
    let longer = "QUJD".repeat(3080);
    let said = session.say(&format!("{longer}\r\nNOOP\r\n"));
    assert_eq!(said, "500 5.5.2 command line too long\r\n250 2.0.0 ok\r\n");
    assert_eq!(session.seen.events.last().unwrap(), "cancelled");
    let said = session.say(&format!("AUTH PLAIN {longer}\r\nNOOP\r\n"));
    assert_eq!(said, "500 5.5.2 command line too long\r\n250 2.0.0 ok\r\n");
}

#[test]
fn guesses_are_counted() {
    let mut session = session();
    for _ in 0..2 {
        assert_eq!(session.say("AUTH PLAIN YQ==\r\n"), "535 5.7.8 no\r\n");
    }
    let last = session.say("AUTH PLAIN YQ==\r\n");
    assert_eq!(
        last,
        "535 5.7.8 no\r\n421 4.7.0 too many failed logins, closing\r\n"
    );
    assert!(session.seen.closed);
}

#[test]
fn a_thousand_exchanges_begun_and_cancelled_leave_nothing_behind() {
    let unbounded = config(|c| {
        c.limits.errors = 0;
        c.limits.failed_logins = 0;
    });
    let mut session = Session::new(&unbounded, offer());
    session.say("EHLO c\r\n");
    for _ in 0..1000 {
        let said = session.say("AUTH PLAIN\r\nbW9yZQ==\r\n*\r\n");
        assert!(
            said.ends_with("501 5.7.0 the login was cancelled\r\n"),
            "{said}"
        );
        assert!(session.server.wire().output().is_empty());
    }
    assert_eq!(session.say("AUTH PLAIN c2VzYW1l\r\n"), WELCOME);
    let mut bounded = self::session();
    let said = bounded.say(&"AUTH PLAIN\r\n*\r\n".repeat(1000));
    assert!(
        said.ends_with("421 4.7.0 too many errors, closing\r\n"),
        "{said}"
    );
    assert_eq!(said.matches("334 ").count(), 20);
}

#[test]
fn a_server_that_shuts_down_ends_an_exchange() {
    let mut session = session();
    session.say("AUTH PLAIN\r\n");
    session.server.shutdown(Reply::fixed(421, "bye"));
    assert_eq!(session.say(""), "421 bye\r\n");
    assert!(session.seen.closed);
}

#[test]
fn a_client_that_falls_silent_within_an_exchange_is_dropped() {
    let mut session = session();
    session.say("AUTH PLAIN\r\n");
    let deadline = session.server.deadline().unwrap();
    while let Action::Event(_) | Action::Write = session.server.poll(deadline) {}
    session.flush();
    assert_eq!(session.seen.replies, "421 4.4.2 timeout, closing\r\n");
}

proptest! {
    #[test]
    fn how_the_input_is_cut_does_not_matter(
        lines in prop::collection::vec(prop::sample::select(vec![
            "EHLO c\r\n", "AUTH PLAIN\r\n", "AUTH PLAIN c2VzYW1l\r\n", "AUTH PLAIN bW9yZQ==\r\n",
            "bW9yZQ==\r\n", "\r\n", "*\r\n", "c2VzYW1l\r\n", "YQ==\r\n", "MAIL FROM:<a@b>\r\n",
            "RSET\r\n", "rubbish\n", "AUTH X *\r\n",
        ]), 0..20),
        cut in 1_usize..40,
        normalise in any::<bool>(),
    ) {
        let config = config(|c| if normalise { c.line_ends = LineEnds::Normalise });
        let input = lines.concat();
        let run = |size: usize| {
            let mut session = Session::new(&config, offer());
            for piece in input.as_bytes().chunks(size) {
                session.feed(piece);
            }
            session.seen
        };
        let whole = run(usize::MAX);
        prop_assert_eq!(&run(cut), &whole);
        prop_assert_eq!(&run(1), &whole);
    }
}
