//! Orders about queued messages: hold, release, reroute, flush, with a server and without (docs/queue.md).

use crate::kit::{FakeDns, FakeServer, Home, Running, until};

fn home(dns: &FakeDns, port: u16) -> Home {
    let home = Home::new();
    home.config(&format!(
        "relay_from = [\"127.0.0.0/8\"]\n[dns]\nnameservers = [\"{}\"]\n\
         [testing]\nremote_port = {port}\nloopback_is_remote = true\n",
        dns.address()
    ));
    home
}

/// Queues a message that cannot be delivered yet, and returns its number.
fn deferred(mtad: &mut Running, to: &str) -> String {
    let before = mtad.log().len();
    let reply = mtad.message("joe@example.org", &[to], "Subject: out\r\n\r\nbody");
    assert!(reply.starts_with("250"), "{reply}");
    let id = reply.rsplit(' ').next().unwrap().to_owned();
    until("its deferral", || {
        let log = mtad.log();
        let line = format!(": msg {id} to remote {to}");
        let start = log[before..].iter().find(|l| l.ends_with(&line))?;
        let number = start
            .strip_prefix("starting delivery ")?
            .split(':')
            .next()?;
        let said = format!("delivery {number}: deferral: ");
        log.iter().find(|l| l.starts_with(&said)).map(|_| ())
    });
    id
}

#[test]
fn a_held_message_stays_over_a_restart_and_goes_when_it_is_released() {
    let [host] = FakeServer::several();
    host.refuses("@", "451 4.2.0 later");
    let dns = FakeDns::start();
    dns.a("far.example", host.ip());
    let home = home(&dns, host.port());
    let mut mtad = Running::start(&home);
    let held = deferred(&mut mtad, "held@far.example");
    let other = deferred(&mut mtad, "other@far.example");
    home.run(&["queue", "hold", &held], "").ok();
    host.refuses("nothing", "");
    mtad.kill();
    let mut mtad = Running::start(&home);
    home.run(&["queue", "retry"], "").ok();
    home.run(&["queue", "retry", &held], "").ok();
    let message = until("the other message", || host.received().pop());
    assert_eq!(message.to, ["other@far.example"]);
    let list = home.run(&["queue", "list"], "").ok();
    assert!(list.contains(&format!("#{held} ")), "{list}");
    assert!(list.contains("\tnext\theld\n"), "{list}");
    until("the end of the other", || {
        let gone = !home
            .run(&["queue", "list"], "")
            .ok()
            .contains(&format!("#{other} "));
        gone.then_some(())
    });
    assert_eq!(host.received().len(), 1, "the held one stays");
    home.run(&["queue", "release", &held], "").ok();
    until("the held message", || {
        (host.received().len() == 2).then_some(())
    });
    until("an empty queue", || (home.queued() == 0).then_some(()));
    assert!(mtad.alive());
}

#[test]
fn mail_goes_another_way_where_it_is_ordered_and_its_usual_way_again() {
    let [usual, dead, other] = FakeServer::several();
    usual.refuses("@", "451 4.2.0 later");
    dead.greets_with("421 busy");
    let dns = FakeDns::start();
    for domain in ["far.example", "near.example"] {
        dns.a(domain, usual.ip());
    }
    dns.a("hub.example", other.ip());
    let home = home(&dns, usual.port());
    let mut mtad = Running::start(&home);
    let one = deferred(&mut mtad, "one@far.example");
    let two = deferred(&mut mtad, "two@far.example");
    let near = deferred(&mut mtad, "three@near.example");
    // The first of the hosts does not serve.
    let dead = format!("[{}]", dead.ip());
    home.run(&["queue", "reroute", &one, &dead, "hub.example"], "")
        .ok();
    let message = until("the first message", || other.received().pop());
    assert_eq!(message.to, ["one@far.example"]);
    // Until then it counts among those that are bound for far.example.
    mtad.logged(&format!("end msg {one}"));
    let hub = format!("{}:{}", other.ip(), other.port());
    let said = home
        .run(&["queue", "reroute", "FAR.example", &hub], "")
        .ok();
    assert_eq!(said, "1 message sent another way\n");
    until("the second message", || {
        let all = other.received();
        all.iter()
            .any(|m| m.to == ["two@far.example"])
            .then_some(())
    });
    assert_ne!(one, two);
    // Held, so that the list can be looked at.
    home.run(&["queue", "hold", &near], "").ok();
    home.run(&["queue", "reroute", &near, &hub], "").ok();
    let list = home.run(&["queue", "list"], "").ok();
    assert!(
        list.contains(&format!("\troute\teverything to {hub}\n")),
        "{list}"
    );
    home.run(&["queue", "reroute", &near], "").ok();
    let list = home.run(&["queue", "list"], "").ok();
    assert!(!list.contains("\troute\t"), "{list}");
    usual.refuses("nothing", "");
    home.run(&["queue", "release", &near], "").ok();
    let message = until("the third message", || usual.received().pop());
    assert_eq!(message.to, ["three@near.example"]);
}

#[test]
fn one_destination_is_flushed_and_no_other() {
    let [far, near] = FakeServer::several();
    for host in [&far, &near] {
        host.refuses("@", "451 4.2.0 later");
    }
    let dns = FakeDns::start();
    dns.a("far.example", far.ip());
    dns.a("near.example", near.ip());
    let home = home(&dns, far.port());
    let mut mtad = Running::start(&home);
    deferred(&mut mtad, "one@far.example");
    deferred(&mut mtad, "two@FAR.example");
    deferred(&mut mtad, "three@near.example");
    for host in [&far, &near] {
        host.refuses("nothing", "");
    }
    let said = home.run(&["queue", "flush", "far.example"], "").ok();
    assert_eq!(said, "2 messages tried now\n");
    until("both messages", || {
        (far.received().len() == 2).then_some(())
    });
    until("their end", || (home.queued() == 1).then_some(()));
    assert!(near.received().is_empty());
    assert_eq!(
        home.run(&["queue", "flush", "far.example"], "").ok(),
        "0 messages tried now\n"
    );
}

#[test]
fn orders_hold_without_a_server_too() {
    let [usual, other] = FakeServer::several();
    usual.refuses("@", "451 4.2.0 later");
    let dns = FakeDns::start();
    dns.a("far.example", usual.ip());
    let home = home(&dns, usual.port());
    let mut mtad = Running::start(&home);
    let held = deferred(&mut mtad, "held@far.example");
    let moved = deferred(&mut mtad, "moved@far.example");
    mtad.kill();
    home.run(&["queue", "hold", &held], "").ok();
    let other_host = format!("[{}]", other.ip());
    home.run(&["queue", "reroute", &moved, &other_host], "")
        .ok();
    let mut mtad = Running::start(&home);
    let message = until("the moved message", || other.received().pop());
    assert_eq!(message.to, ["moved@far.example"]);
    until("its end", || (home.queued() == 1).then_some(()));
    mtad.kill();
    usual.refuses("nothing", "");
    home.run(&["queue", "release", &held], "").ok();
    let _mtad = Running::start(&home);
    until("the held message", || usual.received().pop());
}

#[test]
fn wrong_orders_are_refused() {
    let home = Home::new();
    let table: &[(&str, &[&str], &str)] = &[
        ("no message", &["hold", "4242"], "4242"),
        ("no message to release", &["release", "4242"], "4242"),
        (
            "no message to move",
            &["reroute", "4242", "mx.example"],
            "4242",
        ),
        (
            "no host",
            &["reroute", "far.example", "a b"],
            "expected hosts as HOST",
        ),
        (
            "no port",
            &["reroute", "far.example", "mx:smtp"],
            "expected hosts as HOST",
        ),
        ("no domain", &["flush", "a b"], "or a domain"),
        ("no domain at all", &["flush", ""], "or a domain"),
    ];
    for (name, arguments, said) in table {
        let arguments = [&["queue"], *arguments].concat();
        let ran = home.run(&arguments, "");
        assert_ne!(ran.code, Some(0), "{name}");
        assert!(ran.err.contains(said), "{name}: {}", ran.err);
    }
}

#[test]
fn what_another_program_queued_is_removed_before_anybody_took_it_over() {
    let home = Home::in_qmail_layout();
    home.control("concurrencylocal", "0\n");
    let mut mtad = Running::start(&home);
    mtad.message(
        "a@client.example",
        &["joe@example.org"],
        "Subject: x\r\n\r\nx",
    );
    until("the message", || (home.queued() == 1).then_some(()));
    let list = home.run(&["queue", "list"], "").ok();
    mtad.kill();
    let id = list
        .split('#')
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .unwrap();
    // Now the queue is but a door.
    std::fs::create_dir(home.path().join("queue/log")).unwrap();
    std::fs::write(home.path().join("queue/log/lock"), "").unwrap();
    home.run(&["queue", "remove", id], "").ok();
    let mess = home.path().join("queue/mess");
    assert!(super::kit::files_below(&mess).is_empty());
}

#[test]
fn a_queue_is_converted_there_and_back_with_all_that_is_known() {
    let [usual] = FakeServer::several();
    usual.refuses("@", "451 4.2.0 later");
    let dns = FakeDns::start();
    dns.a("far.example", usual.ip());
    let home = home(&dns, usual.port());
    let mut mtad = Running::start(&home);
    let held = deferred(&mut mtad, "held@far.example");
    let _ = deferred(&mut mtad, "other@far.example");
    let refused = home.run(&["queue", "convert", "qmail"], "");
    assert_eq!(refused.code, Some(111), "a server runs: {}", refused.err);
    home.run(&["queue", "hold", &held], "").ok();
    mtad.kill();
    assert!(
        home.run(&["queue", "fsck"], "")
            .ok()
            .starts_with("2 messages, 0 troubles")
    );
    for (layout, there) in [("qmail", false), ("log", true), ("qmail", false)] {
        let said = home.run(&["queue", "convert", layout], "").ok();
        assert!(said.starts_with("2 messages moved; "), "{said}");
        assert_eq!(home.path().join("queue/log").exists(), there);
        let list = home.run(&["queue", "list"], "").ok();
        assert_eq!(list.matches("\tremote\t").count(), 2, "{list}");
        assert_eq!(list.matches("\tnext\theld\n").count(), 1, "{list}");
    }
    usual.refuses("nothing", "");
    let _mtad = Running::start(&home);
    home.run(&["queue", "retry"], "").ok();
    let message = until("the message that is not held", || usual.received().pop());
    assert_eq!(message.to, ["other@far.example"]);
}
