//! SCRAM, in the clear and bound to TLS, and logins after STARTTLS and STLS (RFC 7677, RFC 9266, RFC 4954 §4, RFC 5034).

use crate::kit::{Home, Line, Running, until};
use crate::tls::{Secure, begun, certificate};
use base64ct::{Base64, Encoding as _};
use mta_auth::sasl::{ChannelBinding, Client, Credentials, Fresh, Mechanism, Secret};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const KEYS: &str = "domains/example.org/joe/.scram-sha-256";
const OFFER: &str = "[auth]\nscram = \"offer\"\n";

/// Runs an exchange of SMTP over `say`; gives its last reply, and whether the server proved itself.
fn login(
    mut say: impl FnMut(&str) -> String,
    mechanism: Mechanism,
    (name, password): (&str, &str),
    binding: Option<&ChannelBinding>,
) -> (String, bool) {
    let credentials = Credentials {
        name: name.to_owned(),
        password: Secret::new(password),
    };
    let mut client = Client::new(mechanism, credentials, Fresh::from_random([9; 18]), binding);
    let first = Base64::encode_string(&client.first().unwrap_or_default());
    let mut reply = say(&format!("AUTH {} {first}", mechanism.name()));
    while let Some(challenge) = reply.strip_prefix("334 ") {
        let challenge = Base64::decode_vec(challenge.trim_end()).unwrap();
        let response = client.respond(&challenge).unwrap();
        reply = say(&Base64::encode_string(&response));
    }
    (reply, client.accepted().is_ok())
}

fn by_scram(client: &mut Line, name: &str, password: &str) -> (String, bool) {
    login(
        |line| client.say(line),
        Mechanism::ScramSha256,
        (name, password),
        None,
    )
}

fn greeted(mtad: &mut Running) -> Line {
    let (mut client, _) = Line::greeted(mtad.smtp());
    client.say("EHLO client.example");
    client
}

#[test]
fn keys_come_with_the_first_clear_login_and_then_scram_lets_in() {
    let home = Home::new();
    home.config(OFFER);
    let mut mtad = Running::start(&home);
    let right = ("joe@example.org", "joe secret");
    let (reply, _) = by_scram(&mut greeted(&mut mtad), right.0, right.1);
    assert!(reply.starts_with("535 "), "{reply}");
    assert!(!home.path().join(KEYS).exists());
    Line::pop3(mtad.pop3(), right.0, right.1);
    let mode = fs::metadata(home.path().join(KEYS)).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let (reply, proved) = by_scram(&mut greeted(&mut mtad), right.0, right.1);
    assert_eq!((&*reply, proved), ("235 2.7.0 welcome", true));
    mtad.logged("login joe@example.org by SCRAM-SHA-256");
    let (reply, _) = by_scram(&mut greeted(&mut mtad), right.0, "guess");
    assert_eq!(reply, "535 5.7.8 authorization failed");
    mtad.logged("login refused: joe@example.org by SCRAM-SHA-256");
}

#[test]
fn a_changed_password_makes_the_keys_void_and_our_own_change_makes_new_ones() {
    let home = Home::new();
    home.config(OFFER);
    let passwd = |home: &Home, clear: &str| {
        let arguments = ["user", "passwd", "joe@example.org", "--password-stdin"];
        home.run(&arguments, &format!("{clear}\n")).ok();
    };
    passwd(&home, "one");
    let mut mtad = Running::start(&home);
    let mut client = greeted(&mut mtad);
    assert!(by_scram(&mut client, "joe@example.org", "one").1);
    let old = fs::read_to_string(home.path().join(KEYS)).unwrap();
    passwd(&home, "two");
    // As where an original program changed it: the keys are still the old ones.
    fs::write(home.path().join(KEYS), old).unwrap();
    for password in ["one", "two"] {
        let (reply, _) = by_scram(&mut greeted(&mut mtad), "joe@example.org", password);
        assert!(reply.starts_with("535 "), "{reply}");
    }
    passwd(&home, "two");
    let (reply, proved) = by_scram(&mut greeted(&mut mtad), "joe@example.org", "two");
    assert!(reply.starts_with("235 ") && proved, "{reply}");
}

#[test]
fn names_that_are_not_there_are_answered_alike_also_after_a_restart() {
    let home = Home::new();
    home.config(OFFER);
    let salt = |mtad: &mut Running, name: &str| {
        let first = Base64::encode_string(format!("n,,n={name},r=abcdef").as_bytes());
        let reply = greeted(mtad).say(&format!("AUTH SCRAM-SHA-256 {first}"));
        let challenge = Base64::decode_vec(reply.strip_prefix("334 ").unwrap()).unwrap();
        let challenge = String::from_utf8(challenge).unwrap();
        challenge.split_once(",s=").unwrap().1.to_owned()
    };
    let mut mtad = Running::start(&home);
    let one = salt(&mut mtad, "nobody@example.org");
    assert_ne!(salt(&mut mtad, "other@example.org"), one);
    mtad.stop();
    let mut mtad = Running::start(&home);
    assert_eq!(salt(&mut mtad, "nobody@example.org"), one);
    let secret = fs::metadata(home.path().join("scram-secret")).unwrap();
    assert_eq!(secret.permissions().mode() & 0o777, 0o600);
}

#[test]
fn it_is_offered_only_where_the_settings_say_so() {
    for (settings, offered) in [
        ("", "250-AUTH PLAIN LOGIN"),
        ("[auth]\nscram = \"keep\"\n", "250-AUTH PLAIN LOGIN"),
        (OFFER, "250-AUTH SCRAM-SHA-256 PLAIN LOGIN"),
        (
            "[auth]\nscram = \"offer\"\nprogram = [\"/bin/false\"]\n",
            "250-AUTH PLAIN LOGIN",
        ),
    ] {
        let home = Home::new();
        home.config(settings);
        let mut mtad = Running::start(&home);
        let (mut client, _) = Line::greeted(mtad.smtp());
        client.send(b"EHLO client.example\r\n");
        let mut lines = Vec::new();
        while lines
            .last()
            .is_none_or(|line: &String| line.starts_with("250-"))
        {
            lines.push(client.line());
        }
        assert!(lines.contains(&offered.to_owned()), "{settings}: {lines:?}");
    }
}

#[test]
fn under_tls_an_exchange_is_bound_to_the_connection() {
    let home = Home::new();
    home.config(OFFER);
    let pem = certificate(&home);
    let mut mtad = Running::start_with(&home, &["--smtps", "127.0.0.1:0"]);
    Line::pop3(mtad.pop3(), "joe@example.org", "joe secret");
    let smtps = mtad.listening("smtps");
    let right = ("joe@example.org", "joe secret");
    let open = || {
        let mut client = Secure::connect(smtps, "mx.example.org", &pem).unwrap();
        client.reply();
        client.say("EHLO client.example");
        let exporter = ChannelBinding::Exporter(client.exporter().unwrap());
        (client, exporter)
    };
    let plus = Mechanism::ScramSha256Plus;
    let (mut client, binding) = open();
    let (reply, proved) = login(|line| client.say(line), plus, right, Some(&binding));
    assert_eq!((&*reply, proved), ("235 2.7.0 welcome", true));
    // Somebody between two connections has the data of another one.
    let (mut other, _) = open();
    let (reply, _) = login(|line| other.say(line), plus, right, Some(&binding));
    assert!(reply.starts_with("535 "), "{reply}");
    mtad.logged("an exchange bound to this very channel was expected");
}

#[test]
fn who_logs_in_after_starttls_sends_as_esmtpsa_and_what_was_before_is_forgotten() {
    let home = Home::new();
    home.config("[auth]\nwithout_tls = \"never\"\n");
    let pem = certificate(&home);
    let mut mtad = Running::start(&home);
    let plain = Base64::encode_string(b"\0joe@example.org\0joe secret");
    let stream = begun(mtad.smtp(), &["STARTTLS"]);
    let mut client = Secure::on(stream, "mx.example.org", &pem).unwrap();
    // The greeting of before does not count.
    assert!(
        client
            .say(&format!("AUTH PLAIN {plain}"))
            .starts_with("503 ")
    );
    client.say("EHLO client.example");
    let reply = client.say(&format!("AUTH PLAIN {plain}"));
    assert_eq!(reply, "235 2.7.0 welcome");
    client.say("MAIL FROM:<joe@example.org>");
    assert!(client.say("RCPT TO:<joe@example.org>").starts_with("250 "));
    client.say("DATA");
    assert!(client.say("Subject: x\r\n\r\nx\r\n.").starts_with("250 "));
    until("the message", || home.mail("joe").pop());
    let mail = home.mail("joe").concat();
    assert!(mail.contains(" with ESMTPSA (TLSv1.3 "), "{mail}");
}

#[test]
fn a_login_in_the_clear_does_not_outlive_starttls() {
    let home = Home::new();
    let pem = certificate(&home);
    let mut mtad = Running::start(&home);
    let plain = Base64::encode_string(b"\0joe@example.org\0joe secret");
    let mut clear = greeted(&mut mtad);
    assert!(
        clear
            .say(&format!("AUTH PLAIN {plain}"))
            .starts_with("235 ")
    );
    clear.say("MAIL FROM:<joe@example.org>");
    let reply = clear.say("RCPT TO:<far@elsewhere.example>");
    assert!(reply.starts_with("250 "), "{reply}");
    assert!(clear.say("RSET").starts_with("250 "));
    assert!(clear.say("STARTTLS").starts_with("220 "));
    let stream = clear.into_stream();
    let mut client = Secure::on(stream, "mx.example.org", &pem).unwrap();
    client.say("EHLO client.example");
    client.say("MAIL FROM:<joe@example.org>");
    let reply = client.say("RCPT TO:<far@elsewhere.example>");
    assert!(reply.starts_with("553 5.7.1 "), "{reply}");
}

#[test]
fn pop3_takes_logins_after_stls_only_where_the_settings_say_so() {
    let home = Home::new();
    home.config("[auth]\nwithout_tls = \"never\"\n");
    let pem = certificate(&home);
    let mut mtad = Running::start(&home);
    let stream = begun(mtad.pop3(), &["USER joe@example.org", "STLS"]);
    let mut client = Secure::on(stream, "mx.example.org", &pem).unwrap();
    assert_eq!(client.say("PASS joe secret"), "-ERR USER first");
    assert!(client.say("USER joe@example.org").starts_with("+OK"));
    assert!(client.say("PASS joe secret").starts_with("+OK 0 messages"));
    let stream = begun(mtad.pop3(), &["STLS"]);
    let mut client = Secure::on(stream, "mx.example.org", &pem).unwrap();
    let plain = Base64::encode_string(b"\0joe@example.org\0joe secret");
    let reply = client.say(&format!("AUTH PLAIN {plain}"));
    assert!(
        reply.starts_with("+OK 0 messages") || reply.contains("IN-USE"),
        "{reply}"
    );
}
