//! The submission service: after a login, as oneself, and complete (RFC 6409).

use crate::kit::{Home, Line, Running, until};
use base64ct::{Base64, Encoding as _};
use std::fs;

const ADDRESS: [&str; 2] = ["--submission", "127.0.0.1:0"];

fn client(mtad: &mut Running) -> Line {
    let mut client = Line::smtp(mtad.listening("submission"));
    let login = Base64::encode_string(b"\0joe@example.org\0joe secret");
    let reply = client.say(&format!("AUTH PLAIN {login}"));
    assert!(reply.starts_with("235 "), "{reply}");
    client
}

#[test]
fn nothing_is_taken_before_a_login() {
    let home = Home::new();
    home.config("relay_from = [\"127.0.0.0/8\"]\n");
    let mut mtad = Running::start_with(&home, &ADDRESS);
    let mut client = Line::smtp(mtad.listening("submission"));
    let reply = client.say("MAIL FROM:<joe@example.org>");
    assert_eq!(reply, "530 5.7.0 log in first");
}

#[test]
fn senders_are_those_of_the_account() {
    let home = Home::new();
    let domain = home.path().join("domains/example.org");
    let own = home.maildir("joe");
    fs::write(domain.join(".qmail-sales"), "&joe@example.org\n").unwrap();
    fs::write(
        domain.join(".qmail-first:last"),
        format!("{}/\n", own.display()),
    )
    .unwrap();
    fs::write(domain.join(".qmail-others"), "&ann@example.org\n").unwrap();
    let mut mtad = Running::start_with(&home, &ADDRESS);
    let mut client = client(&mut mtad);
    let rows = [
        ("oneself", "joe@example.org", "250 "),
        ("in capitals", "Joe@Example.ORG", "250 "),
        ("nobody, as receipts have it", "", "250 "),
        ("an alias to one's address", "sales@example.org", "250 "),
        (
            "an alias to one's Maildir",
            "first.last@example.org",
            "250 ",
        ),
        (
            "an alias to somebody else",
            "others@example.org",
            "553 5.7.1 ",
        ),
        ("somebody else", "postmaster@example.org", "553 5.7.1 "),
        ("another domain", "joe@elsewhere.example", "553 5.7.1 "),
        ("no domain", "joe", "553 5.7.1 "),
        ("the catch-all", "default@example.org", "553 5.7.1 "),
        ("a path", "a/b@example.org", "553 5.7.1 "),
    ];
    for (name, sender, wanted) in rows {
        let reply = client.say(&format!("MAIL FROM:<{sender}>"));
        assert!(reply.starts_with(wanted), "{name}: {reply}");
        client.say("RSET");
    }
    mtad.logged("sender refused: <others@example.org> is not of joe@example.org");
}

#[test]
fn what_a_message_lacks_is_added() {
    let home = Home::new();
    let mut mtad = Running::start_with(&home, &ADDRESS);
    let mut client = client(&mut mtad);
    let bare = "Subject: bare\r\n\r\nDate: in the body";
    let whole = "Subject: whole\r\nDate: today\r\nMessage-ID: <mine@x>\r\n\r\nx";
    for text in [bare, whole] {
        let reply = client.message("joe@example.org", &["joe@example.org"], text);
        assert!(reply.starts_with("250 "), "{reply}");
    }
    until("two messages", || {
        (home.mail("joe").len() == 2).then_some(())
    });
    for mail in home.mail("joe") {
        let (header, body) = mail.split_once("\n\n").unwrap();
        assert!(header.contains(" with ESMTPA; "), "{header}");
        assert_eq!(header.matches("\nDate: ").count(), 1, "{header}");
        assert_eq!(header.matches("\nMessage-ID: <").count(), 1, "{header}");
        if header.contains("Subject: whole") {
            assert!(
                header.contains("\nDate: today\nMessage-ID: <mine@x>"),
                "{header}"
            );
            assert_eq!(body, "x\n");
        } else {
            assert!(header.contains("@mx.example.org>"), "{header}");
            assert_eq!(body, "Date: in the body\n");
        }
    }
}

#[test]
fn lines_may_end_as_the_clients_system_likes() {
    let home = Home::new();
    let mut mtad = Running::start_with(&home, &ADDRESS);
    let mut client = client(&mut mtad);
    client.say("MAIL FROM:<joe@example.org>");
    client.say("RCPT TO:<joe@example.org>");
    assert!(client.say("DATA").starts_with("354 "));
    let reply = client.say("Subject: x\n\none\ntwo\r\n.");
    assert!(reply.starts_with("250 "), "{reply}");
    until("the message", || {
        (home.mail("joe").len() == 1).then_some(())
    });
    assert!(home.mail("joe").remove(0).ends_with("\n\none\ntwo\n"));
}
