//! Logins by SMTP and POP3: who is offered what, who gets in, and what that allows (RFC 4954, RFC 5034).

use crate::kit::{Home, Line, Running, until};
use base64ct::{Base64, Encoding as _};
use mta_auth::password::{Recipe, Salt};
use mta_auth::sasl::{apop_digest, cram_md5_digest};
use std::fs;

const RIGHT: &str = "\0joe@example.org\0joe secret";

fn base64(text: &str) -> String {
    Base64::encode_string(text.as_bytes())
}

fn greeted(mtad: &mut Running) -> (Line, String) {
    let (mut client, _) = Line::greeted(mtad.smtp());
    client.send(b"EHLO client.example\r\n");
    let mut offered = String::new();
    loop {
        let line = client.line();
        offered += &format!("{line}\n");
        if !line.starts_with("250-") {
            return (client, offered);
        }
    }
}

fn relay(client: &mut Line) -> String {
    client.say("MAIL FROM:<joe@example.org>");
    let reply = client.say("RCPT TO:<far@elsewhere.example>");
    client.say("RSET");
    reply
}

/// Puts a line into vpasswd in place of joe's, with this crypt string and clear password.
fn store(home: &Home, crypt: &str, clear: Option<&str>) {
    let dir = home.path().join("domains/example.org");
    let path = dir.join("vpasswd");
    let old = fs::read_to_string(&path).unwrap();
    let mut new = String::new();
    for line in old.lines() {
        let mut fields: Vec<&str> = line.split(':').collect();
        if fields[0] == "joe" {
            fields[1] = crypt;
            fields.truncate(7);
            fields.extend(clear);
        }
        new += &(fields.join(":") + "\n");
    }
    fs::write(&path, new).unwrap();
    // The look-up makes it anew.
    fs::remove_file(dir.join("vpasswd.cdb")).unwrap();
}

#[test]
fn whoever_logs_in_may_send_to_anywhere_and_nobody_else() {
    let home = Home::new();
    home.config("[auth]\nname_account = true\n");
    let mut mtad = Running::start(&home);
    let (mut client, offered) = greeted(&mut mtad);
    assert!(offered.contains("250-AUTH PLAIN LOGIN\n"), "{offered}");
    assert!(relay(&mut client).starts_with("553 5.7.1 "));
    let wrong = client.say(&format!(
        "AUTH PLAIN {}",
        base64("\0joe@example.org\0guess")
    ));
    assert_eq!(wrong, "535 5.7.8 authorization failed");
    assert!(relay(&mut client).starts_with("553 5.7.1 "));
    let right = client.say(&format!("AUTH PLAIN {}", base64(RIGHT)));
    assert_eq!(right, "235 2.7.0 welcome");
    assert!(relay(&mut client).starts_with("250 "));
    let reply = client.message(
        "joe@example.org",
        &["joe@example.org"],
        "Subject: x\r\n\r\nx",
    );
    assert!(reply.starts_with("250 "), "{reply}");
    until("the message", || {
        (home.mail("joe").len() == 1).then_some(())
    });
    let mail = home.mail("joe").remove(0);
    assert!(
        mail.contains("(joe@example.org@127.0.0.1)\n  by mx.example.org with ESMTPA; "),
        "{mail}"
    );
    mtad.logged("login joe@example.org by PLAIN");
    mtad.logged("login refused: joe@example.org by PLAIN");
    let log = mtad.log().join("\n");
    assert!(
        !log.contains("joe secret") && !log.contains("guess"),
        "{log}"
    );
}

#[test]
fn login_takes_two_steps_and_can_be_cancelled() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    let (mut client, _) = greeted(&mut mtad);
    assert_eq!(client.say("AUTH LOGIN"), "334 VXNlcm5hbWU6");
    assert!(client.say("*").starts_with("501 "));
    assert_eq!(client.say("AUTH LOGIN"), "334 VXNlcm5hbWU6");
    assert_eq!(client.say(&base64("joe@example.org")), "334 UGFzc3dvcmQ6");
    assert_eq!(client.say(&base64("joe secret")), "235 2.7.0 welcome");
}

#[test]
fn pop3_lets_in_by_auth_as_by_user() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    let (mut client, _) = Line::greeted(mtad.pop3());
    client.send(b"CAPA\r\n");
    client.line();
    let capabilities = client.body();
    assert!(
        capabilities.contains(&"SASL PLAIN LOGIN".to_owned()),
        "{capabilities:?}"
    );
    let wrong = client.say(&format!(
        "AUTH PLAIN {}",
        base64("\0joe@example.org\0guess")
    ));
    assert!(wrong.starts_with("-ERR [AUTH] "), "{wrong}");
    assert_eq!(client.say("AUTH PLAIN"), "+");
    assert!(client.say(&base64(RIGHT)).starts_with("+OK 0 messages"));
    mtad.logged("login joe@example.org by PLAIN");
}

#[test]
fn digests_let_in_where_clear_passwords_are_kept() {
    let home = Home::new();
    home.config("[auth]\nclear_passwords = true\n");
    store(&home, "", Some("tanstaaf"));
    let mut mtad = Running::start(&home);
    let (mut client, offered) = greeted(&mut mtad);
    assert!(
        offered.contains("250-AUTH CRAM-MD5 PLAIN LOGIN"),
        "{offered}"
    );
    for (clear, code) in [("guess", "535 "), ("tanstaaf", "235 ")] {
        let challenge = client.say("AUTH CRAM-MD5");
        let challenge = challenge.trim_end().strip_prefix("334 ").unwrap();
        let challenge = Base64::decode_vec(challenge).unwrap();
        let digest = cram_md5_digest(clear.as_bytes(), &challenge);
        let reply = client.say(&base64(&format!("joe@example.org {digest}")));
        assert!(reply.starts_with(code), "{reply}");
    }
    for (clear, answer) in [("guess", "-ERR [AUTH]"), ("tanstaaf", "+OK 0 ")] {
        let (mut pop, greeting) = Line::greeted(mtad.pop3());
        let stamp = greeting.trim_end().rsplit_once(' ').unwrap().1.to_owned();
        let digest = apop_digest(clear.as_bytes(), stamp.as_bytes());
        let reply = pop.say(&format!("APOP joe@example.org {digest}"));
        assert!(reply.starts_with(answer), "{reply}");
    }
}

#[test]
fn a_weaker_password_is_hashed_anew_by_the_login_that_shows_it() {
    let home = Home::new();
    let old = Recipe::Sha512 { rounds: 1000 };
    let old = old.hash(b"joe secret", Salt::from_random([1; 16])).unwrap();
    store(&home, &old, None);
    let path = home.path().join("domains/example.org/vpasswd");
    let mut mtad = Running::start(&home);
    let (mut client, _) = greeted(&mut mtad);
    client.say(&format!(
        "AUTH PLAIN {}",
        base64("\0joe@example.org\0guess")
    ));
    assert!(fs::read_to_string(&path).unwrap().contains(&old));
    let reply = client.say(&format!("AUTH PLAIN {}", base64(RIGHT)));
    assert!(reply.starts_with("235 "), "{reply}");
    let file = fs::read_to_string(&path).unwrap();
    assert!(
        !file.contains(&old) && file.contains("joe:$6$rounds=50000$"),
        "{file}"
    );
    Line::pop3(mtad.pop3(), "joe@example.org", "joe secret");
    mtad.logged("password of joe@example.org hashed anew");
}

#[test]
fn the_settings_say_how_passwords_are_written_and_whether_old_ones_stay() {
    let home = Home::new();
    let path = home.path().join("domains/example.org/vpasswd");
    home.config("[auth]\nscheme = \"argon2id\"\nrehash = false\n");
    home.run(
        &["user", "passwd", "joe@example.org", "--password-stdin"],
        "new one\n",
    )
    .ok();
    let file = fs::read_to_string(&path).unwrap();
    assert!(
        file.contains("joe:$argon2id$v=19$m=19456,t=2,p=1$"),
        "{file}"
    );
    let mut mtad = Running::start(&home);
    Line::pop3(mtad.pop3(), "joe@example.org", "new one");
    let weak = Recipe::Sha512 { rounds: 1000 };
    let weak = weak.hash(b"weak", Salt::from_random([1; 16])).unwrap();
    store(&home, &weak, None);
    Line::pop3(mtad.pop3(), "joe@example.org", "weak");
    assert!(fs::read_to_string(&path).unwrap().contains(&weak));
}

#[test]
fn without_tls_nothing_is_offered_where_the_settings_say_so() {
    let home = Home::new();
    home.config("[auth]\nwithout_tls = \"never\"\n");
    let mut mtad = Running::start(&home);
    let (mut client, offered) = greeted(&mut mtad);
    assert!(!offered.contains("AUTH"), "{offered}");
    let reply = client.say(&format!("AUTH PLAIN {}", base64(RIGHT)));
    assert!(reply.starts_with("538 5.7.11 "), "{reply}");
    let (mut client, _) = Line::greeted(mtad.pop3());
    let reply = client.say("USER joe@example.org");
    assert_eq!(reply, "-ERR logins are encrypted here; say STLS first");
}

#[test]
fn guesses_are_delayed_and_end_the_session() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    let guess = format!("AUTH PLAIN {}", base64("\0joe@example.org\0guess"));
    let (mut client, _) = greeted(&mut mtad);
    for _ in 0..3 {
        assert!(client.say(&guess).starts_with("535 "));
    }
    assert_eq!(client.line(), "421 4.7.0 too many failed logins, closing");
    let (mut client, _) = greeted(&mut mtad);
    assert!(client.say(&guess).starts_with("535 "));
    let asked = std::time::Instant::now();
    assert!(client.say(&guess).starts_with("535 "));
    assert!(asked.elapsed().as_millis() >= 900, "{:?}", asked.elapsed());
}
