//! Limits against abuse: what is refused, in which words, and which rule the log names (RFC 5321 §7.8).

use crate::kit::{Home, Line, Running};
use base64ct::{Base64, Encoding as _};
use std::time::{Duration, Instant};

const ME: &str = "a@client.example";

#[test]
fn connections_beyond_the_rate_are_refused_by_name() {
    let home = Home::new();
    home.config("[abuse]\nexempt = []\nconnections_per_minute = 2\n");
    let mut mtad = Running::start(&home);
    // One of them was the kit's own where it waits for the server.
    let refused = (0..5).find_map(|_| {
        let (_, greeting) = Line::greeted(mtad.smtp());
        (!greeting.starts_with("220 ")).then_some(greeting)
    });
    assert_eq!(
        refused.as_deref(),
        Some("421 4.7.0 too many connections in a short time from your address; try again later")
    );
    mtad.logged("(rule connections_per_minute)");
}

#[test]
fn sessions_of_one_network_are_bounded_by_name() {
    let home = Home::new();
    home.config("[limits]\nsessions_per_network = 1\n");
    let mut mtad = Running::start(&home);
    let (first, greeting) = Line::greeted(mtad.smtp());
    assert!(greeting.starts_with("220 "), "{greeting}");
    let (_, greeting) = Line::greeted(mtad.smtp());
    assert!(
        greeting.starts_with("421 4.7.0 too many connections from your network"),
        "{greeting}"
    );
    mtad.logged("(rule sessions_per_network)");
    drop(first);
}

#[test]
fn messages_and_commands_have_their_rates_and_this_machine_none() {
    let home = Home::new();
    let settings = "messages_per_minute = 1\ncommands_per_minute = 20\n";
    home.config(&format!("[abuse]\nexempt = []\n{settings}"));
    {
        let mut mtad = Running::start(&home);
        let mut client = Line::smtp(mtad.smtp());
        assert!(client.say(&format!("MAIL FROM:<{ME}>")).starts_with("250 "));
        client.say("RSET");
        assert_eq!(
            client.say(&format!("MAIL FROM:<{ME}>")),
            "450 4.7.1 too many messages in a short time from your address"
        );
        mtad.logged("message refused by messages_per_minute");
        let last = (0..30).map(|_| client.say("NOOP"));
        let last = last.into_iter().find(|reply| !reply.starts_with("250 "));
        let said = "421 4.7.0 too many commands in a short time, closing";
        assert_eq!(last.as_deref(), Some(said));
        mtad.logged("(rule commands_per_minute)");
    }
    home.config(&format!("[abuse]\n{settings}"));
    let mut mtad = Running::start(&home);
    let mut client = Line::smtp(mtad.smtp());
    for _ in 0..30 {
        assert!(client.say(&format!("MAIL FROM:<{ME}>")).starts_with("250 "));
        assert!(client.say("RSET").starts_with("250 "));
    }
}

#[test]
fn an_account_has_so_many_recipients_a_day() {
    let home = Home::new();
    home.config("[abuse]\nrecipients_per_day = 2\n");
    let mut mtad = Running::start(&home);
    let login = Base64::encode_string(b"\0joe@example.org\0joe secret");
    let mut replies = Vec::new();
    for far in ["a", "b", "c"] {
        let mut client = Line::smtp(mtad.smtp());
        let reply = client.say(&format!("AUTH PLAIN {login}"));
        assert!(reply.starts_with("235 "), "{reply}");
        client.say("MAIL FROM:<joe@example.org>");
        replies.push(client.say(&format!("RCPT TO:<{far}@far.example>")));
    }
    let used_up = "450 4.7.1 your account has used up its recipients of this day";
    assert_eq!(replies[2], used_up);
    assert!(
        replies[..2].iter().all(|r| r.starts_with("250 ")),
        "{replies:?}"
    );
    mtad.logged("recipient of joe@example.org refused by recipients_per_day");
}

#[test]
fn guesses_at_mailboxes_cost_time() {
    let home = Home::new();
    home.config("[abuse]\nexempt = []\ntarpit_after = 2\ntarpit_delay = 1\n");
    let mut mtad = Running::start(&home);
    let mut client = Line::smtp(mtad.smtp());
    client.say(&format!("MAIL FROM:<{ME}>"));
    let begin = Instant::now();
    for name in ["a", "b", "c", "d"] {
        let reply = client.say(&format!("RCPT TO:<{name}@example.org>"));
        assert!(reply.starts_with("550 5.1.1 "), "{reply}");
    }
    assert!(begin.elapsed() >= Duration::from_secs(2));
    mtad.logged("refusal delayed by tarpit_after");
    assert!(client.say("RCPT TO:<joe@example.org>").starts_with("250 "));
}
