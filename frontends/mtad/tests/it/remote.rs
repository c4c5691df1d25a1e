//! Mail for elsewhere: routes, fall-back, reuse and what comes back (RFC 5321 §5, RFC 7505).

use crate::kit::{FakeDns, FakeServer, Home, Line, Running, until};

/// A home that asks this DNS server and finds remote hosts on this port.
fn home(dns: &FakeDns, port: u16) -> Home {
    let home = Home::new();
    home.config(&format!(
        "relay_from = [\"127.0.0.0/8\"]\n[dns]\nnameservers = [\"{}\"]\n\
         [testing]\nremote_port = {port}\nloopback_is_remote = true\n",
        dns.address()
    ));
    home
}

fn send(mtad: &mut Running, to: &[&str]) {
    let reply = mtad.message("joe@example.org", to, "Subject: out\r\n\r\n.dot\r\nbody");
    assert!(reply.starts_with("250"), "{reply}");
}

#[test]
fn the_best_exchanger_gets_all_recipients_in_one_transaction() {
    let [best, other] = FakeServer::several();
    let dns = FakeDns::start();
    dns.mx("far.example", 20, "other.far.example");
    dns.mx("far.example", 10, "best.far.example");
    dns.a("best.far.example", best.ip());
    dns.a("other.far.example", other.ip());
    let home = home(&dns, best.port());
    let mut mtad = Running::start(&home);
    send(&mut mtad, &["a@far.example", "b@FAR.example"]);
    let message = until("the message", || best.received().pop());
    assert_eq!(message.from, "joe@example.org");
    assert_eq!(message.to, ["a@far.example", "b@FAR.example"]);
    // The client said ".dot", which is "dot" on a line; nothing is stuffed on the way out.
    assert!(
        message
            .text
            .ends_with("Subject: out\r\n\r\ndot\r\nbody\r\n"),
        "{}",
        message.text
    );
    assert!(other.received().is_empty());
    let ip = best.ip();
    mtad.logged(&format!("delivery 2: success: {ip}_accepted_message./"));
    until("an empty queue", || (home.queued() == 0).then_some(()));
}

#[test]
fn the_next_exchanger_serves_where_the_first_does_not() {
    for greeting in [None, Some("421 busy"), Some("450 not now")] {
        let [first, second] = FakeServer::several();
        let dns = FakeDns::start();
        dns.mx("far.example", 10, "first.far.example");
        dns.mx("far.example", 20, "second.far.example");
        match greeting {
            Some(greeting) => {
                dns.a("first.far.example", first.ip());
                first.greets_with(greeting);
            }
            // Nobody listens there.
            None => dns.a("first.far.example", [127, 0, 0, 99].into()),
        }
        dns.a("second.far.example", second.ip());
        let home = home(&dns, second.port());
        let mut mtad = Running::start(&home);
        send(&mut mtad, &["a@far.example"]);
        until("the message", || second.received().pop());
        assert!(first.received().is_empty(), "{greeting:?}");
    }
}

#[test]
fn a_domain_that_takes_no_mail_bounces_at_once() {
    let dns = FakeDns::start();
    dns.mx("null.example", 0, ".");
    let home = home(&dns, 1);
    let mut mtad = Running::start(&home);
    send(&mut mtad, &["a@null.example", "a@missing.example"]);
    let bounce = until("the bounce", || home.mail("joe").pop());
    assert!(bounce.contains("<a@null.example>:\n"), "{bounce}");
    assert!(bounce.contains("(#5.1.10)"), "{bounce}");
    assert!(bounce.contains("<a@missing.example>:\n"), "{bounce}");
    assert!(bounce.contains("(#5.1.2)"), "{bounce}");
}

#[test]
fn each_recipient_has_a_fate_of_its_own() {
    let [host] = FakeServer::several();
    host.refuses("nobody", "550 5.1.1 no such box");
    let dns = FakeDns::start();
    dns.a("far.example", host.ip());
    let home = home(&dns, host.port());
    let mut mtad = Running::start(&home);
    send(&mut mtad, &["a@far.example", "nobody@far.example"]);
    until("the message", || host.received().pop());
    let bounce = until("the bounce", || home.mail("joe").pop());
    assert!(bounce.contains("<nobody@far.example>:\n"), "{bounce}");
    assert!(!bounce.contains("<a@far.example>:\n"), "{bounce}");
    assert!(bounce.contains("no such box"), "{bounce}");
}

#[test]
fn a_temporary_refusal_is_tried_again_on_demand() {
    let [host] = FakeServer::several();
    host.refuses("later", "451 4.2.0 greylisted");
    let dns = FakeDns::start();
    dns.a("far.example", host.ip());
    let home = home(&dns, host.port());
    let mut mtad = Running::start(&home);
    send(&mut mtad, &["later@far.example"]);
    mtad.logged("delivery 1: deferral: ");
    host.refuses("nothing", "");
    let id = home.run(&["queue", "list"], "").ok();
    let id = id
        .split_once('#')
        .unwrap()
        .1
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    home.run(&["queue", "retry", &id], "").ok();
    until("the message", || host.received().pop());
    until("an empty queue", || (home.queued() == 0).then_some(()));
}

#[test]
fn one_connection_serves_many_messages() {
    let [host] = FakeServer::several();
    let dns = FakeDns::start();
    dns.a("far.example", host.ip());
    let home = home(&dns, host.port());
    home.control("concurrencyremote", "1\n");
    let mut mtad = Running::start(&home);
    let mut client = Line::smtp(mtad.smtp());
    for _ in 0..5 {
        let reply = client.message("joe@example.org", &["a@far.example"], "x");
        assert!(reply.starts_with("250"), "{reply}");
    }
    until("five messages", || {
        (host.received().len() == 5).then_some(())
    });
    assert_eq!(host.connections(), 1);
}

#[test]
fn a_route_names_host_and_port_and_may_be_ourselves() {
    let relay = FakeServer::start();
    let dns = FakeDns::start();
    dns.a("self.example", [127, 0, 0, 1].into());
    let home = Home::new();
    home.config(&format!(
        "relay_from = [\"127.0.0.0/8\"]\n[dns]\nnameservers = [\"{}\"]\n",
        dns.address()
    ));
    home.control(
        "smtproutes",
        &format!("far.example:127.0.0.1:{}\n", relay.port()),
    );
    let mut mtad = Running::start(&home);
    send(&mut mtad, &["a@far.example", "b@self.example"]);
    until("the message", || relay.received().pop());
    // Without a route a host never sends to itself.
    let bounce = until("the bounce", || home.mail("joe").pop());
    assert!(bounce.contains("<b@self.example>:\n"), "{bounce}");
    assert!(bounce.contains("(#5.4.6)"), "{bounce}");
}

#[test]
fn hup_changes_the_name_that_is_never_sent_to() {
    let [host] = FakeServer::several();
    let dns = FakeDns::start();
    dns.mx("far.example", 10, "new.example");
    dns.a("new.example", host.ip());
    let home = home(&dns, host.port());
    let mut mtad = Running::start(&home);
    send(&mut mtad, &["a@far.example"]);
    until("the message", || host.received().pop());
    home.control("me", "new.example\n");
    mtad.signal(nix::sys::signal::Signal::SIGHUP);
    mtad.logged("control files read again");
    send(&mut mtad, &["b@far.example"]);
    let bounce = until("the bounce", || home.mail("joe").pop());
    assert!(bounce.contains("<b@far.example>:\n"), "{bounce}");
    assert!(bounce.contains("(#5.4.6)"), "{bounce}");
    assert_eq!(host.received().len(), 1);
}
