//! `mtad route` names the deciding lines, and what it says is what a delivery does (qmail-send(8), qmail-local(8)).

use crate::kit::{FakeDns, FakeServer, Home, Running, messages, until};
use std::fs;

fn home(dns: &FakeDns, port: u16) -> Home {
    let home = Home::new();
    home.config(&format!(
        "relay_from = [\"127.0.0.0/8\"]\n[dns]\nnameservers = [\"{}\"]\n\
         [testing]\nremote_port = {port}\nloopback_is_remote = true\n",
        dns.address()
    ));
    home.control("percenthack", "# old\nmx.example.org\n");
    let alias = home.path().join("alias");
    fs::write(alias.join(".qmail-box"), "# a comment\n./box/\n").unwrap();
    fs::write(
        alias.join(".qmail-on"),
        "&x@far.example\n&joe@example.org\n",
    )
    .unwrap();
    fs::write(alias.join(".qmail-loop"), "&loop@mx.example.org\n").unwrap();
    fs::write(alias.join(".qmail-bad"), "\n").unwrap();
    for folder in ["box", "box/new", "box/cur", "box/tmp"] {
        fs::create_dir(alias.join(folder)).unwrap();
    }
    home
}

/// What is looked at, the address, the exit code, and what is told.
#[rustfmt::skip]
const TOLD: &[(&str, &str, i32, &[&str])] = &[
    (
        "a mailbox of a virtual domain",
        "joe@Example.org",
        0,
        &[
            "by SMTP: taken from everybody\n",
            "  control/virtualdomains:1: example.org belongs to example.org\n",
            "  local: example.org-joe@Example.org\n",
            "  users/assign:1 (+example.org-): user example.org, home ",
            ", extension joe\n",
            "/.qmail-default:1: program",
            "  mailbox joe@example.org: Maildir ",
        ],
    ),
    (
        "no such mailbox",
        "nobody@example.org",
        100,
        &["  would bounce: Sorry, no mailbox here by that name. (#5.1.1)\n"],
    ),
    (
        "an alias with a Maildir, by percents",
        "box%mx.example.org@mx.example.org",
        0,
        &[
            "  control/percenthack:2: it means box@mx.example.org\n",
            "  control/locals:1: mx.example.org is delivered here\n",
            "  nobody else has it: user alias, home ",
            "/.qmail-box:2: Maildir ./box/\n",
        ],
    ),
    (
        "forwards are followed",
        "on",
        0,
        &[
            "  control/envnoathost, else control/me: mx.example.org is added\n",
            "/.qmail-on:2: forward to joe@example.org\n",
            "\n  x@far.example\n    control/locals, control/virtualdomains: neither names far.example\n",
            "    control/smtproutes: no line: by its MX records\n    1. best.far.example (MX 10): 127.0.0.2 port ",
            "\n    2. other.far.example (MX 20): 127.0.0.3 port ",
            "\n  joe@example.org\n    control/virtualdomains:1: ",
        ],
    ),
    (
        "a loop ends",
        "loop@mx.example.org",
        0,
        &["… further forwards are not followed\n"],
    ),
    (
        "a blank first line",
        "bad@mx.example.org",
        0,
        &["would be tried again later: "],
    ),
    (
        "a route",
        "x@HUB.example",
        0,
        &[
            "by SMTP: strangers are told: sorry, that domain isn't in my list of allowed rcpthosts",
            "  control/smtproutes:2: by [192.0.2.7]\n  1. [192.0.2.7] (MX 0): 192.0.2.7 port 26\n",
        ],
    ),
    (
        "no such domain",
        "x@missing.example",
        100,
        &["would bounce: "],
    ),
];

#[test]
fn each_step_is_named_with_its_line() {
    let [best, other] = FakeServer::several();
    let dns = FakeDns::start();
    dns.mx("far.example", 20, "other.far.example");
    dns.mx("far.example", 10, "best.far.example");
    dns.a("best.far.example", best.ip());
    dns.a("other.far.example", other.ip());
    let home = home(&dns, best.port());
    home.control(
        "smtproutes",
        "a.example:b.example\nhub.example:[192.0.2.7]:26\n",
    );
    let route = |to: &str| home.run(&["route", to], "");
    let dir = home.path().display();
    for (name, to, code, parts) in TOLD {
        let ran = route(to);
        assert_eq!(ran.code, Some(*code), "{name}: {}{}", ran.out, ran.err);
        for part in *parts {
            assert!(
                ran.out.contains(part),
                "{name}: {part} in {dir}: {}",
                ran.out
            );
        }
    }
    assert!(
        best.received().is_empty() && home.queued() == 0,
        "nothing is sent"
    );
}

#[test]
fn what_is_told_is_what_a_delivery_does() {
    let [host] = FakeServer::several();
    let dns = FakeDns::start();
    dns.a("far.example", host.ip());
    let home = home(&dns, host.port());
    let mut mtad = Running::start(&home);
    let alias = home.path().join("alias");
    let before = |what: &str| match what {
        "joe" => home.mail("joe").len(),
        "box" => messages(&alias.join("box")).len(),
        _ => host.received().len(),
    };
    let table = [
        ("joe@example.org", "mailbox joe@example.org: Maildir", "joe"),
        ("box@mx.example.org", "Maildir ./box/", "box"),
        ("box%mx.example.org@mx.example.org", "Maildir ./box/", "box"),
        ("x@far.example", ": 127.0.0.2 port ", "far"),
        ("on@mx.example.org", ": 127.0.0.2 port ", "far"),
        ("nobody@far.missing", "would bounce", "joe"),
    ];
    for (to, told, place) in table {
        let said = home.run(&["route", to], "").out;
        assert!(said.contains(told), "{to}: {said}");
        let had = before(place);
        let reply = mtad.message("joe@example.org", &[to], "Subject: x\r\n\r\nx");
        if reply.starts_with("250") {
            until(&format!("the message to {to}"), || {
                (before(place) > had).then_some(())
            });
        } else {
            // What relay_reject keeps out is still routed where it comes from elsewhere.
            assert!(to.contains('%'), "{to}: {reply}");
        }
    }
    until("an empty queue", || (home.queued() == 0).then_some(()));
}
