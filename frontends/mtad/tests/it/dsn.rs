//! Delivery status notifications: passed on, or sent by us where nobody else will (RFC 3461, RFC 3464).

use crate::kit::{FakeDns, FakeServer, Home, Line, Running, until};
use std::fs;

fn home(dns: &FakeDns, port: u16, further: &str) -> Home {
    let home = Home::new();
    home.config(&format!(
        "relay_from = [\"127.0.0.0/8\"]\n[dns]\nnameservers = [\"{}\"]\n\
         [testing]\nremote_port = {port}\nloopback_is_remote = true\n{further}",
        dns.address()
    ));
    home
}

/// Sends a message whose MAIL and RCPT commands have these ends.
fn send(mtad: &mut Running, mail: &str, to: &[&str]) {
    let mut line = Line::smtp(mtad.smtp());
    let reply = line.say(&format!("MAIL FROM:<joe@example.org>{mail}"));
    assert!(reply.starts_with("250"), "{reply}");
    for to in to {
        let reply = line.say(&format!("RCPT TO:{to}"));
        assert!(reply.starts_with("250"), "{to}: {reply}");
    }
    assert!(line.say("DATA").starts_with("354"));
    let reply = line.say("Subject: out\r\n\r\nthe body\r\n.");
    assert!(reply.starts_with("250"), "{reply}");
}

fn report(home: &Home) -> String {
    until("the report", || home.mail("joe").pop())
}

#[test]
fn a_next_host_that_speaks_dsn_gets_the_parameters_and_the_duty() {
    let [host] = FakeServer::several();
    host.speaks_dsn();
    let dns = FakeDns::start();
    dns.a("far.example", host.ip());
    let home = home(&dns, host.port(), "");
    let mut mtad = Running::start(&home);
    let to = [
        "<a@far.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@far.example",
        "<b@far.example> NOTIFY=NEVER",
        "<c@far.example>",
    ];
    send(&mut mtad, " RET=HDRS ENVID=QQ+2B1", &to);
    let message = until("the message", || host.received().pop());
    let wanted = [
        "MAIL FROM:<joe@example.org> RET=HDRS ENVID=QQ+2B1",
        "RCPT TO:<a@far.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@far.example",
        "RCPT TO:<b@far.example> NOTIFY=NEVER",
        "RCPT TO:<c@far.example>",
    ];
    assert_eq!(message.lines, wanted);
    until("an empty queue", || (home.queued() == 0).then_some(()));
    assert!(home.mail("joe").is_empty(), "the next host reports");
}

#[test]
fn where_the_next_host_cannot_report_a_success_is_told_as_relayed() {
    let [host] = FakeServer::several();
    let dns = FakeDns::start();
    dns.a("far.example", host.ip());
    let home = home(&dns, host.port(), "");
    let mut mtad = Running::start(&home);
    let to = [
        "<a@far.example> NOTIFY=SUCCESS ORCPT=rfc822;x+2By@far.example",
        "<b@far.example> NOTIFY=FAILURE",
    ];
    send(&mut mtad, " RET=FULL ENVID=QQ+2B1", &to);
    let report = report(&home);
    for part in [
        "\nSubject: delivery notice\n",
        "\nContent-Type: multipart/report; report-type=delivery-status;",
        "\nOriginal-Envelope-Id: QQ+1\n",
        "\n\nOriginal-Recipient: rfc822; x+y@far.example\nFinal-Recipient: rfc822; a@far.example\n\
         Action: relayed\nStatus: 2.0.0\n",
        "\nSubject: out\n",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    // RET is for failures only, and b did not ask.
    assert!(!report.contains("the body"), "{report}");
    assert!(!report.contains("b@far.example"), "{report}");
    until("an empty queue", || (home.queued() == 0).then_some(()));
    assert_eq!(home.mail("joe").len(), 1);
}

#[test]
fn a_failure_is_told_unless_it_is_not_wanted() {
    let [host] = FakeServer::several();
    host.refuses("no-", "550 5.1.1 no such box");
    let dns = FakeDns::start();
    dns.a("far.example", host.ip());
    let home = home(&dns, host.port(), "");
    let mut mtad = Running::start(&home);
    let to = [
        "<no-a@far.example> NOTIFY=NEVER",
        "<no-b@far.example> NOTIFY=SUCCESS",
        "<no-c@far.example> NOTIFY=FAILURE ORCPT=rfc822;first@far.example",
        "<no-d@far.example>",
    ];
    send(&mut mtad, " RET=HDRS", &to);
    let report = report(&home);
    for (name, told) in [("a", false), ("b", false), ("c", true), ("d", true)] {
        let field = format!("Final-Recipient: rfc822; no-{name}@far.example\n");
        assert_eq!(report.contains(&field), told, "{name}: {report}");
    }
    let field = "Original-Recipient: rfc822; first@far.example\n";
    assert!(report.contains(field), "{report}");
    assert!(!report.contains("the body"), "only the header is wanted");
    until("an empty queue", || (home.queued() == 0).then_some(()));
}

#[test]
fn local_mail_is_told_of_as_delivered_and_an_alias_hands_the_wish_on() {
    let [host] = FakeServer::several();
    let dns = FakeDns::start();
    dns.a("far.example", host.ip());
    let home = home(&dns, host.port(), "");
    let alias = home.path().join("alias");
    fs::write(alias.join(".qmail-one"), "&x@far.example\n").unwrap();
    fs::write(alias.join(".qmail-two"), "&y@far.example\n&z@far.example\n").unwrap();
    let mut mtad = Running::start(&home);
    let to = [
        "<postmaster@example.org> NOTIFY=SUCCESS",
        "<one@mx.example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;one@mx.example.org",
        "<two@mx.example.org> NOTIFY=SUCCESS",
    ];
    send(&mut mtad, " ENVID=abc", &to);
    let all = until("three reports", || {
        let all = home.mail("joe").join("\n");
        let count = all.matches("\nOriginal-Envelope-Id: abc\n").count();
        let told = all.matches("\nAction: ").count();
        (told == 3 && count >= 1).then_some(all)
    });
    for part in [
        "Final-Recipient: rfc822; postmaster@example.org\nAction: delivered\n",
        "Final-Recipient: rfc822; two@mx.example.org\nAction: expanded\n",
        // The alias is one address, so whoever comes last reports about it.
        "Original-Recipient: rfc822; one@mx.example.org\nFinal-Recipient: rfc822; x@far.example\n\
         Action: relayed\n",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    until("an empty queue", || (home.queued() == 0).then_some(()));
}

#[test]
fn a_delay_is_told_once_and_not_again_after_a_restart() {
    let [host] = FakeServer::several();
    host.refuses("@", "451 4.2.0 greylisted");
    let dns = FakeDns::start();
    dns.a("far.example", host.ip());
    let home = home(&dns, host.port(), "[notices]\ndelay_asked = 1\n");
    let mut mtad = Running::start(&home);
    let to = [
        "<a@far.example> NOTIFY=DELAY,FAILURE",
        "<b@far.example> NOTIFY=FAILURE",
        "<c@far.example>",
    ];
    send(&mut mtad, " ENVID=abc", &to);
    let report = until("the report", || {
        home.run(&["queue", "retry"], "").ok();
        home.mail("joe").pop()
    });
    for part in [
        "\nSubject: delayed mail\n",
        "Final-Recipient: rfc822; a@far.example\nAction: delayed\nStatus: 4.2.0\n",
        "\nWill-Retry-Until: ",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    assert!(!report.contains("b@far.example"), "{report}");
    assert!(!report.contains("c@far.example"), "{report}");
    // Killed before the notice is marked as delivered, it would be delivered again.
    until("the notice's end", || (home.queued() == 1).then_some(()));
    mtad.kill();
    let mut mtad = Running::start(&home);
    let before = host.connections();
    home.run(&["queue", "retry"], "").ok();
    until("another attempt", || {
        (host.connections() > before).then_some(())
    });
    mtad.logged("deferral: ");
    host.refuses("nothing", "");
    home.run(&["queue", "retry"], "").ok();
    until("an empty queue", || (home.queued() == 0).then_some(()));
    assert_eq!(home.mail("joe").len(), 1, "{:?}", home.mail("joe"));
    assert_eq!(mtad.stop().code(), Some(0));
}

#[test]
fn of_a_bounce_nobody_hears_a_success() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    let mut line = Line::smtp(mtad.smtp());
    assert!(line.say("MAIL FROM:<> ENVID=x").starts_with("250"));
    let reply = line.say("RCPT TO:<joe@example.org> NOTIFY=SUCCESS");
    assert!(reply.starts_with("250"), "{reply}");
    assert!(line.say("DATA").starts_with("354"));
    assert!(line.say("x\r\n.").starts_with("250"));
    until("an empty queue", || (home.queued() == 0).then_some(()));
    assert_eq!(home.mail("joe").len(), 1);
}
