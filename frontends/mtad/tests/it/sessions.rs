//! What one client sees: who is taken, who is refused, what is fetched (RFC 5321, RFC 1939).

use crate::kit::{Home, Line, Running, until};

#[test]
fn a_message_is_taken_delivered_and_fetched() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    let reply = mtad.message(
        "a@client.example",
        &["joe@example.org"],
        "Subject: hello\r\n\r\n.. and\r\n..more",
    );
    assert!(reply.starts_with("250 2.0.0 ok "), "{reply}");
    let id = reply.rsplit_once(' ').unwrap().1;
    mtad.logged(&format!("end msg {id}"));
    let mut pop = Line::pop3(mtad.pop3(), "joe@example.org", "joe secret");
    assert!(pop.say("STAT").starts_with("+OK 1 "));
    pop.send(b"RETR 1\r\n");
    assert!(pop.line().starts_with("+OK"));
    let lines = pop.body();
    assert_eq!(lines[0], "Return-Path: <a@client.example>");
    assert_eq!(lines[1], "Delivered-To: joe@example.org");
    assert!(lines[2].starts_with("Received: (qmail "), "{lines:?}");
    assert!(lines[3].starts_with("Received: from unknown (HELO client.example) (127.0.0.1)"));
    assert!(
        lines[4].starts_with("  by mx.example.org with ESMTP; "),
        "{lines:?}"
    );
    // The dots as the client stuffed them; on the wire they are stuffed once more.
    assert_eq!(lines[5..], ["Subject: hello", "", ".. and", "..more"]);
    assert!(pop.say("DELE 1").starts_with("+OK"));
    assert!(pop.say("QUIT").starts_with("+OK"));
    until("an empty mailbox", || {
        home.mail("joe").is_empty().then_some(())
    });
    assert_eq!(home.queued(), 0);
}

#[test]
fn control_files_and_settings_refuse_recipients_in_their_words() {
    let home = Home::new();
    home.control("badmailfrom", "^robot[0-9]+@\n");
    home.control("badmailto", "^trap@\n");
    home.control("badhelo", "^evil\\.\n");
    let ask = |mtad: &mut Running, hello: &str, from: &str, to: &str| {
        let (mut client, _) = Line::greeted(mtad.smtp());
        client.say(&format!("HELO {hello}"));
        client.say(&format!("MAIL FROM:<{from}>"));
        client.say(&format!("RCPT TO:<{to}>"))
    };
    let (hello, from, joe) = ("ok.example", "a@b.example", "joe@example.org");
    #[rustfmt::skip]
    let rows = [
        ("sender", hello, "Robot1@b.example", joe, "553 5.7.1 sorry, your envelope sender has been denied"),
        ("recipient", hello, from, "trap@example.org", "553 5.7.1 sorry, your envelope recipient has been denied"),
        ("helo", "evil.example", from, joe, "553 5.7.1 sorry, your HELO host name has been denied"),
        ("relay-reject", hello, from, "a!joe@example.org", "553 5.7.1 we don't relay"),
        ("nothing", hello, from, joe, "250 "),
    ];
    {
        let mut mtad = Running::start(&home);
        for (name, hello, from, to, want) in rows {
            let reply = ask(&mut mtad, hello, from, to);
            assert!(reply.starts_with(want), "{name}: {reply}");
        }
    }
    home.config("qregex = false\nrelay_reject = false\n");
    home.control("badmailfrom", "robot1@b.example\n");
    let mut mtad = Running::start(&home);
    #[rustfmt::skip]
    let rows = [
        ("literal", hello, "robot1@b.example", joe, "553 5.7.1 sorry, your envelope sender is in my badmailfrom list"),
        ("no pattern", hello, from, "trap@example.org", "550 5.1.1"),
        ("no relay-reject", hello, from, "a!joe@example.org", "550 5.1.1"),
    ];
    for (name, hello, from, to, want) in rows {
        let reply = ask(&mut mtad, hello, from, to);
        assert!(reply.starts_with(want), "{name}: {reply}");
    }
}

#[test]
fn each_recipient_is_judged_by_name_domain_and_network() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    let mut client = Line::smtp(mtad.smtp());
    client.say("MAIL FROM:<a@client.example>");
    let rows = [
        ("a mailbox", "joe@example.org", "250"),
        ("in another case", "JOE@Example.ORG", "250"),
        ("nobody", "nobody@example.org", "550 5.1.1"),
        (
            "no extension of a mailbox",
            "joe-x@example.org",
            "550 5.1.1",
        ),
        ("no such local user", "nobody@mx.example.org", "550 5.1.1"),
        ("an alias of the host", "root@mx.example.org", "250"),
        ("the postmaster alone", "Postmaster", "250"),
        (
            "the postmaster of the host",
            "postmaster@mx.example.org",
            "250",
        ),
        (
            "the postmaster of a virtual domain",
            "postmaster@example.org",
            "250",
        ),
        ("somewhere else", "joe@far.example", "553 5.7.1"),
        (
            "somewhere else through us",
            "joe%far.example@example.org",
            "553 5.7.1",
        ),
        (
            "the domain as a local part",
            "example.org-joe@mx.example.org",
            "550 5.1.1",
        ),
    ];
    for (name, to, want) in rows {
        let reply = client.say(&format!("RCPT TO:<{to}>"));
        assert!(reply.starts_with(want), "{name}: {reply}");
    }
    mtad.logged("rcpt refused: from <a@client.example> to <joe@far.example>: 553_5.7.1");
}

#[test]
fn only_listed_networks_relay() {
    let home = Home::new();
    home.config("relay_from = [\"10.0.0.0/8\"]\n");
    let mut mtad = Running::start(&home);
    let reply = mtad.message("joe@example.org", &["x@far.example"], "x");
    assert!(reply.starts_with("553"), "{reply}");
    drop(mtad);
    home.config("relay_from = [\"10.0.0.0/8\", \"127.0.0.0/8\"]\n");
    home.control("concurrencyremote", "0\n");
    let mut mtad = Running::start(&home);
    let reply = mtad.message("joe@example.org", &["x@far.example"], "x");
    assert!(reply.starts_with("250"), "{reply}");
    // Relaying does not make unknown names of our own domains known.
    let reply = mtad.message("joe@example.org", &["nobody@example.org"], "x");
    assert!(reply.starts_with("550"), "{reply}");
}

#[test]
fn a_mailbox_is_open_in_one_session_at_a_time() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    let first = Line::pop3(mtad.pop3(), "joe@example.org", "joe secret");
    let (mut second, _) = Line::greeted(mtad.pop3());
    second.say("USER joe@example.org");
    let refused = second.say("PASS joe secret");
    assert!(refused.starts_with("-ERR [IN-USE]"), "{refused}");
    drop(first);
    until("the mailbox to be free", || {
        second.say("USER joe@example.org");
        second
            .say("PASS joe secret")
            .starts_with("+OK")
            .then_some(())
    });
}

#[test]
fn a_wrong_password_is_refused_like_an_unknown_name() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    let (mut pop, _) = Line::greeted(mtad.pop3());
    let mut replies = Vec::new();
    for (user, password) in [
        ("joe@example.org", "wrong"),
        ("nobody@example.org", "joe secret"),
    ] {
        pop.say(&format!("USER {user}"));
        replies.push(pop.say(&format!("PASS {password}")));
    }
    assert!(replies[0].starts_with("-ERR"), "{replies:?}");
    assert_eq!(replies[0], replies[1]);
    let log = mtad.log().join("\n");
    assert!(
        !log.contains("wrong") && !log.contains("joe secret"),
        "{log}"
    );
}

#[test]
fn dates_are_local_where_the_file_says_so() {
    let home = Home::new();
    home.config("local_dates = true\n");
    let mut mtad = Running::start_in(&home, &[("TZ", "XXX-5:45")]);
    let to = ["joe@example.org"];
    mtad.message("a@client.example", &to, "Subject: x\r\n\r\nx");
    let mail = until("the message", || home.mail("joe").pop());
    let zones: Vec<_> = mail
        .lines()
        .filter(|line| line.contains("; "))
        .map(|line| line.rsplit(' ').next().unwrap())
        .collect();
    assert_eq!(zones, ["+0545", "+0545"], "{mail}");
}

#[test]
fn clients_that_flood_share_a_small_budget_and_all_are_served() {
    let home = Home::new();
    home.config("[limits]\nincoming_bytes = 0\n");
    let mut mtad = Running::start(&home);
    let to = mtad.smtp();
    let text = format!("Subject: x\r\n\r\n{}", "many words\r\n".repeat(20_000));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let text = text.clone();
            std::thread::spawn(move || {
                Line::smtp(to).message("a@client.example", &["joe@example.org"], &text)
            })
        })
        .collect();
    for client in clients {
        let reply = client.join().unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
    }
    let whole = until("all messages", || {
        Some(home.mail("joe")).filter(|mail| mail.len() == 8)
    });
    assert!(whole.iter().all(|mail| mail.len() > 20_000 * 11));
}

#[test]
fn beyond_the_limit_clients_are_told_to_come_again() {
    let home = Home::new();
    home.config("[limits]\nsessions_per_client = 2\n");
    let mut mtad = Running::start(&home);
    let _first = Line::smtp(mtad.smtp());
    let second = Line::smtp(mtad.smtp());
    let (_, refused) = Line::greeted(mtad.smtp());
    assert!(
        refused.starts_with("421 4.7.0 too many connections from your address"),
        "{refused}"
    );
    // POP3 has places of its own.
    let (_pop, greeting) = Line::greeted(mtad.pop3());
    assert!(greeting.starts_with("+OK"), "{greeting}");
    drop(second);
    until("a free place", || {
        Line::greeted(mtad.smtp())
            .1
            .starts_with("220")
            .then_some(())
    });
}
