//! AUTH: exchanges before the login (RFC 5034).

use mta_core::Mono;
use mta_proto::pop3::{Admission, AuthAnswer, Config, Event, Listing, Refusal, Server};
use mta_proto::sasl::{Message, Offer};
use mta_proto::{Action, Machine};
use proptest::prelude::*;
use std::sync::Arc;

/// What a session said and told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    output: String,
    events: Vec<String>,
}

struct Session {
    server: Server,
    seen: Seen,
}

fn judge(message: &Message) -> AuthAnswer {
    AuthAnswer::Done(match message.expose() {
        b"" | b"more" => return AuthAnswer::Challenge(b"who?".to_vec()),
        b"sesame" => Admission::Accept(Listing::new(10)),
        b"out" => Admission::Close(Refusal::AUTHORIZATION),
        _ => Admission::Refuse(Refusal::AUTHORIZATION),
    })
}

impl Session {
    fn new(config: Config, offer: Offer) -> Self {
        let mut server = Server::new(Arc::new(config), Mono::ZERO);
        server.offer_auth(offer);
        Self {
            server,
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
                Action::Close => break,
                Action::Event(event) => self.answer(event),
            }
        }
        self.flush();
    }

    fn flush(&mut self) {
        let output = self.server.wire().output().to_vec();
        self.server.wire_mut().advance_output(output.len());
        self.seen.output += &String::from_utf8(output).unwrap();
    }

    fn answer(&mut self, event: Event) {
        match event {
            Event::Auth {
                mechanism,
                initial,
                ticket,
            } => {
                self.seen.events.push(format!("auth {mechanism}"));
                let ask = AuthAnswer::Challenge(Vec::new());
                let answer = initial.as_ref().map_or(ask, judge);
                self.server.answer_auth(ticket, answer);
            }
            Event::AuthResponse { message, ticket } => {
                self.seen.events.push("response".to_owned());
                self.server.answer_auth(ticket, judge(&message));
            }
            Event::AuthCancelled => self.seen.events.push("cancelled".to_owned()),
            Event::Abort(reason) => self.seen.events.push(format!("{reason:?}")),
            Event::TlsStarted => self.server.offer_auth(offer()),
            other => panic!("{other:?}"),
        }
    }

    fn say(&mut self, text: &str) -> String {
        self.feed(text.as_bytes());
        std::mem::take(&mut self.seen.output)
    }
}

fn offer() -> Offer {
    Offer::mechanisms(["SCRAM-SHA-256", "PLAIN"])
}

fn session() -> Session {
    let mut session = Session::new(Config::default(), offer());
    session.say("");
    session
}

const EXCHANGES: &[(&str, &str, &str)] = &[
    (
        "with a response",
        "AUTH PLAIN c2VzYW1l\r\nSTAT\r\n",
        "+OK 0 messages (0 octets)\r\n+OK 0 0\r\n",
    ),
    (
        "in two steps",
        "auth plain\r\nc2VzYW1l\r\n",
        "+ \r\n+OK 0 messages (0 octets)\r\n",
    ),
    (
        "in three",
        "AUTH PLAIN =\r\nbW9yZQ==\r\nc2VzYW1l\r\n",
        "+ d2hvPw==\r\n+ d2hvPw==\r\n+OK 0 messages (0 octets)\r\n",
    ),
    (
        "refused",
        "AUTH PLAIN YQ==\r\n",
        "-ERR [AUTH] authorization failed\r\n",
    ),
    (
        "cancelled",
        "AUTH PLAIN\r\n*\r\nNOOP\r\n",
        "+ \r\n-ERR the login was cancelled\r\n+OK nothing done\r\n",
    ),
    (
        "no base64",
        "AUTH PLAIN\r\nc2V\r\n",
        "+ \r\n-ERR expected base64\r\n",
    ),
    (
        "no base64 at once",
        "AUTH PLAIN c2V\r\n",
        "-ERR expected base64\r\n",
    ),
    (
        "unknown",
        "AUTH X-Y\r\n",
        "-ERR that mechanism is not offered; see CAPA\r\n",
    ),
    ("nothing", "AUTH\r\n", "-ERR syntax error\r\n"),
    (
        "twice",
        "AUTH PLAIN c2VzYW1l\r\nAUTH PLAIN\r\n",
        "+OK 0 messages (0 octets)\r\n-ERR already logged in\r\n",
    ),
    (
        "three guesses",
        "AUTH PLAIN YQ==\r\nAUTH PLAIN YQ==\r\nAUTH PLAIN YQ==\r\nNOOP\r\n",
        "-ERR [AUTH] authorization failed\r\n-ERR [AUTH] authorization failed\r\n-ERR [AUTH] authorization failed\r\n",
    ),
    (
        "a command within",
        "AUTH PLAIN\r\nSTAT\r\n",
        "+ \r\n-ERR [AUTH] authorization failed\r\n",
    ),
];

#[test]
fn exchanges_let_in_as_a_password_does() {
    for (name, input, wanted) in EXCHANGES {
        assert_eq!(session().say(input), *wanted, "{name}");
    }
}

#[test]
fn capabilities_name_the_mechanisms_before_the_login_only() {
    let mut session = session();
    assert!(
        session
            .say("CAPA\r\n")
            .contains("\r\nSASL SCRAM-SHA-256 PLAIN\r\n")
    );
    session.say("AUTH PLAIN c2VzYW1l\r\n");
    assert!(!session.say("CAPA\r\n").contains("SASL"));
    let mut none = Session::new(Config::default(), Offer::None);
    assert!(!none.say("CAPA\r\n").contains("SASL"));
    let said = none.say("AUTH PLAIN\r\n");
    assert_eq!(said, "-ERR that mechanism is not offered; see CAPA\r\n");
}

#[test]
fn where_tls_is_needed_the_client_is_told() {
    let config = Config {
        stls: true,
        ..Config::default()
    };
    let mut session = Session::new(config, Offer::NeedsTls);
    session.say("");
    let said = session.say("AUTH PLAIN c2VzYW1l\r\n");
    assert_eq!(said, "-ERR logins are encrypted here; say STLS first\r\n");
    session.say("STLS\r\n");
    let said = session.say("AUTH PLAIN c2VzYW1l\r\n");
    assert_eq!(said, "+OK 0 messages (0 octets)\r\n");
}

#[test]
fn where_tls_is_needed_no_command_takes_a_password_in_the_clear() {
    let needed = || {
        let mut session = Session::new(Config::default(), Offer::NeedsTls);
        session.say("");
        session
    };
    let refused = "-ERR logins are encrypted here\r\n";
    for command in [
        "USER joe",
        "PASS sesame",
        "APOP joe 0123456789abcdef0123456789abcdef",
        "AUTH PLAIN c2VzYW1l",
    ] {
        assert_eq!(needed().say(&format!("{command}\r\n")), refused);
    }
    assert!(!needed().say("CAPA\r\n").contains("USER"));
    let config = Config {
        stls: true,
        ..Config::default()
    };
    let mut session = Session::new(config, Offer::NeedsTls);
    session.say("");
    assert!(session.say("USER joe\r\n").ends_with("say STLS first\r\n"));
    session.say("STLS\r\n");
    assert!(session.say("CAPA\r\n").contains("USER"));
    // The name that was refused is not remembered.
    assert_eq!(session.say("PASS sesame\r\n"), "-ERR USER first\r\n");
}

#[test]
fn long_lines_are_taken_up_to_the_limit_of_the_standard() {
    let refused = "-ERR [AUTH] authorization failed\r\n";
    let long = "QUJD".repeat(3000);
    let longer = "QUJD".repeat(3080);
    assert_eq!(session().say(&format!("AUTH PLAIN {long}\r\n")), refused);
    let mut session = session();
    session.say("AUTH PLAIN\r\n");
    assert_eq!(session.say(&format!("{long}\r\n")), refused);
    session.say("AUTH PLAIN\r\n");
    let said = session.say(&format!("{longer}\r\nNOOP\r\n"));
    assert_eq!(said, "-ERR line too long\r\n+OK nothing done\r\n");
}

#[test]
fn a_thousand_exchanges_begun_and_cancelled_leave_nothing_behind() {
    let mut config = Config::default();
    config.limits.errors = u32::MAX;
    let mut session = Session::new(config, offer());
    session.say("");
    for _ in 0..1000 {
        let said = session.say("AUTH PLAIN\r\nbW9yZQ==\r\n*\r\n");
        assert_eq!(said, "+ \r\n+ d2hvPw==\r\n-ERR the login was cancelled\r\n");
    }
    let said = session.say("AUTH PLAIN c2VzYW1l\r\n");
    assert_eq!(said, "+OK 0 messages (0 octets)\r\n");
    let said = self::session().say(&"AUTH PLAIN\r\n*\r\n".repeat(1000));
    assert_eq!(said.matches("+ ").count(), 20);
}

proptest! {
    #[test]
    fn how_the_input_is_cut_does_not_matter(
        lines in prop::collection::vec(prop::sample::select(vec![
            "AUTH PLAIN\r\n", "AUTH PLAIN c2VzYW1l\r\n", "AUTH PLAIN bW9yZQ==\r\n", "CAPA\r\n",
            "bW9yZQ==\r\n", "\r\n", "*\r\n", "c2VzYW1l\r\n", "YQ==\r\n", "NOOP\r\n", "rubbish\n",
        ]), 0..20),
        cut in 1_usize..40,
    ) {
        let input = lines.concat();
        let run = |size: usize| {
            let mut session = Session::new(Config::default(), offer());
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
