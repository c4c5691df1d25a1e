//! `mtad why` tells a message's story: queued, deferred, over a restart, and when it is gone (qmail-log(5)).

use crate::kit::{FakeDns, FakeServer, Home, Line, Running, until};

fn home(dns: &FakeDns, port: u16, limits: &str) -> Home {
    let home = Home::new();
    home.config(&format!(
        "relay_from = [\"192.0.2.0/24\", \"127.0.0.0/8\"]\n{limits}[dns]\nnameservers = [\"{}\"]\n\
         [testing]\nremote_port = {port}\nloopback_is_remote = true\n",
        dns.address()
    ));
    home
}

fn send(mtad: &mut Running, to: &[&str]) -> String {
    let mut line = Line::smtp(mtad.smtp());
    let reply = line.message("joe@example.org", to, "Subject: x\r\n\r\nx");
    assert!(reply.starts_with("250"), "{reply}");
    reply.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn a_story_is_told_while_the_message_waits_and_when_it_is_gone() {
    let [host] = FakeServer::several();
    host.refuses("@", "451 4.2.0 greylisted");
    let dns = FakeDns::start();
    dns.a("far.example", host.ip());
    let home = home(&dns, host.port(), "");
    let mut mtad = Running::start(&home);
    let id = send(&mut mtad, &["a@far.example", "joe@example.org"]);
    let why = |part: &str| {
        until(
            &format!("{part:?} in {}", home.run(&["why", &id], "").out),
            || {
                let told = home.run(&["why", &id], "").out;
                told.contains(part).then_some(told)
            },
        )
    };
    let told = why("  next    remote at ");
    for part in [
        "  taken   smtp 1 from 127.0.0.1 that calls itself \"client.example\", may send anywhere: mtad.toml: relay_from has 127.0.0.0/8: <joe@example.org>, 2 recipients, ",
        "  new     queued by uid ",
        "  sorted  a@far.example: control/locals, control/virtualdomains: neither names far.example; so it is remote a@far.example\n",
        "  sorted  joe@example.org: control/virtualdomains:1: example.org belongs to example.org; so it is local example.org-joe@example.org\n",
        "  by      users/assign:1 (+example.org-): user example.org, home ",
        "/.qmail-default:1: program ",
        "  tried   local example.org-joe@example.org: success: ",
        "  tried   remote a@far.example: deferral: 127.0.0.2 does not like recipient./Remote host said: 451 4.2.0 greylisted/",
        "\tremote\ta@far.example\n\tnext\tremote ",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let list = home.run(&["queue", "list"], "").ok();
    let reason = "\tlast\tremote a@far.example: deferral: 127.0.0.2 does not like recipient.";
    assert!(list.contains(reason), "{list}");
    mtad.kill();
    host.refuses("nothing", "");
    let _mtad = Running::start(&home);
    home.run(&["queue", "retry"], "").ok();
    until("an empty queue", || (home.queued() == 0).then_some(()));
    let told = why("  ended   it leaves the queue\n");
    assert!(
        told.contains("  taken   smtp 1 from"),
        "over the restart: {told}"
    );
    assert!(
        told.contains("  tried   remote a@far.example: success: "),
        "{told}"
    );
    assert!(!told.contains("in the queue now"), "{told}");
}

#[test]
fn a_bounce_and_its_cause_name_each_other() {
    let [host] = FakeServer::several();
    host.refuses("@", "550 5.1.1 no such luck");
    let dns = FakeDns::start();
    dns.a("far.example", host.ip());
    let home = home(&dns, host.port(), "");
    let mut mtad = Running::start(&home);
    let id = send(&mut mtad, &["bad@far.example"]);
    until("the bounce", || home.mail("joe").pop());
    until("an empty queue", || (home.queued() == 0).then_some(()));
    let told = until("the end", || {
        let told = home.run(&["why", &id], "").out;
        told.contains("  ended   ").then_some(told)
    });
    assert!(
        told.contains("  tried   remote bad@far.example: failure: 127.0.0.2 does not like"),
        "{told}"
    );
    let bounce = told.split_once("  told    a bounce is msg ").unwrap().1;
    let bounce = bounce.split('\n').next().unwrap();
    let other = home.run(&["why", bounce], "").ok();
    assert!(
        other.contains(&format!("  taken   a bounce about msg {id}\n")),
        "{other}"
    );
}

#[test]
fn without_a_journal_the_queue_tells_what_it_knows() {
    let [host] = FakeServer::several();
    host.refuses("@", "451 4.2.0 greylisted");
    let dns = FakeDns::start();
    dns.a("far.example", host.ip());
    let home = home(&dns, host.port(), "[limits]\njournal = 0\n");
    let mut mtad = Running::start(&home);
    let id = send(&mut mtad, &["a@far.example"]);
    mtad.logged("deferral: ");
    let told = home.run(&["why", &id], "").ok();
    for part in [
        "its header:  Received: from unknown (HELO client.example) (127.0.0.1)\n",
        "in the queue now:\n",
        "\tremote\ta@far.example\n",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!home.path().join("queue/journal").exists());
    let ran = home.run(&["why", "4242"], "");
    assert_ne!(ran.code, Some(0));
    assert!(ran.err.contains("there is no message 4242"), "{}", ran.err);
}
