//! Hosts in front that speak for their clients, and others that try (Postfix's XCLIENT_README).

use crate::kit::{Home, Line, Running, until};

const FROM_HERE: &str = "[proxy]\nxclient_from = [\"127.0.0.1\"]\n";

fn hello(line: &mut Line) -> String {
    line.send(b"EHLO front.example\r\n");
    let mut all = String::new();
    loop {
        let next = line.line();
        all += &next;
        if next.starts_with("250 ") {
            return all;
        }
        all.push('\n');
    }
}

#[test]
fn the_client_that_is_told_rules_relay_limits_log_and_received() {
    let home = Home::new();
    home.config(&format!(
        "relay_from = [\"203.0.113.0/24\"]\n[limits]\nsessions_per_client = 1\n{FROM_HERE}"
    ));
    let mut mtad = Running::start(&home);
    let (mut front, _) = Line::greeted(mtad.smtp());
    assert!(hello(&mut front).contains("250-XCLIENT NAME ADDR "));
    let told = "XCLIENT NAME=spike.example ADDR=203.0.113.9 PORT=40000 PROTO=ESMTP HELO=spike";
    assert!(front.say(told).starts_with("220 "));
    mtad.logged("speaks for 203.0.113.9:40000");
    // The front's own place is free again, and that client's is taken.
    let (mut second, greeting) = Line::greeted(mtad.smtp());
    assert!(greeting.starts_with("220 "), "{greeting}");
    let refused = second.say("XCLIENT ADDR=203.0.113.9");
    assert!(
        refused.starts_with("421 4.7.0 too many connections from your address"),
        "{refused}"
    );
    assert_eq!(second.rest(), "", "421 closes");

    let taken = front.message(
        "a@client.example",
        &["joe@example.org"],
        "Subject: x\r\n\r\nx",
    );
    assert!(taken.starts_with("250"), "{taken}");
    let mail = until("the mail", || home.mail("joe").pop());
    assert!(
        mail.contains("Received: from spike.example (HELO spike) (203.0.113.9)"),
        "{mail}"
    );
    assert!(mail.contains("with ESMTP"), "{mail}");
    front.say("MAIL FROM:<a@client.example>");
    assert!(
        front.say("RCPT TO:<joe@far.example>").starts_with("250"),
        "it may relay"
    );
    front.say("RSET");
}

#[test]
fn each_xclient_begins_the_session_anew() {
    let home = Home::new();
    home.config(&format!("relay_from = [\"203.0.113.0/24\"]\n{FROM_HERE}"));
    let mut mtad = Running::start(&home);
    let (mut front, _) = Line::greeted(mtad.smtp());
    assert!(front.say("XCLIENT ADDR=203.0.113.9").starts_with("220 "));
    front.say("MAIL FROM:<a@client.example>");
    assert!(front.say("XCLIENT ADDR=203.0.113.8").starts_with("503 "));
    front.say("RSET");
    assert!(
        front
            .say("XCLIENT ADDR=IPV6:2001:db8::9")
            .starts_with("220 ")
    );
    front.say("MAIL FROM:<a@client.example>");
    assert!(
        front
            .say("RCPT TO:<joe@far.example>")
            .starts_with("553 5.7.1"),
        "this one not"
    );
    front.say("RSET");
    assert!(
        front
            .say("XCLIENT ADDR=[UNAVAILABLE]")
            .starts_with("550 5.7.0")
    );
    assert!(
        front
            .say("XCLIENT LOGIN=joe@example.org")
            .starts_with("220 ")
    );
    front.say("MAIL FROM:<a@client.example>");
    assert!(
        front.say("RCPT TO:<joe@far.example>").starts_with("250"),
        "it is logged in"
    );
}

#[test]
fn others_are_neither_offered_nor_allowed_it() {
    let home = Home::new();
    home.config("[proxy]\nxclient_from = [\"192.0.2.1\"]\n");
    let mut mtad = Running::start(&home);
    let (mut client, _) = Line::greeted(mtad.smtp());
    assert!(!hello(&mut client).contains("XCLIENT"));
    let refused = client.say("XCLIENT ADDR=203.0.113.9 LOGIN=joe@example.org");
    assert_eq!(refused, "502 5.5.1 unimplemented");
    client.say("MAIL FROM:<a@client.example>");
    assert!(
        client
            .say("RCPT TO:<joe@far.example>")
            .starts_with("553 5.7.1")
    );
}
