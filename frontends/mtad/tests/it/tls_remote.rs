//! Mail to other hosts under TLS: where it can be had, where it must be had, and what is said where it fails (RFC 3207 §4.1).

use crate::kit::{FakeDns, FakeServer, Home, Running, until};
use std::net::Ipv4Addr;

/// A home that sends example.org's mail to a port of 127.0.0.1 by the name mx.example.org.
fn sender(dns: &FakeDns, port: u16, tls: &str) -> Home {
    let home = Home::nowhere();
    home.run(&["init", "--me", "out.example.net"], "").ok();
    home.control(
        "smtproutes",
        &format!("example.org:mx.example.org:{port}\n"),
    );
    dns.a("mx.example.org", Ipv4Addr::LOCALHOST);
    home.config(&format!(
        "relay_from = [\"127.0.0.0/8\"]\n[tls]\n{tls}\n[dns]\nnameservers = [\"{}\"]\n\
         [testing]\nloopback_is_remote = true\n",
        dns.address()
    ));
    home
}

fn send(mtad: &mut Running) {
    let reply = mtad.message("", &["joe@example.org"], "Subject: out\r\n\r\nx");
    assert!(reply.starts_with("250"), "{reply}");
}

#[test]
fn what_a_route_asks_for_is_what_it_gets() {
    let there = Home::new();
    let mut receiver = Running::start(&there);
    let port = receiver.smtp().port();
    let authorities = there.path().join("control/servercert.pem");
    let authorities = format!("authorities = \"{}\"\n", authorities.display());
    let rows = [
        ("may", "", true, "not verified"),
        ("none", "outgoing = \"none\"\n", true, ""),
        ("encrypt", "outgoing = \"encrypt\"\n", true, "not verified"),
        (
            "verify",
            "routes = { \"example.org\" = \"verify\" }\n",
            true,
            "verified as mx.example.org",
        ),
        (
            "stranger",
            "routes = { \".org\" = \"verify\" }\n",
            false,
            "TLS_failed:_invalid_peer_certificate",
        ),
    ];
    for (name, tls, arrives, said) in rows {
        let dns = FakeDns::start();
        // The stranger's authority is another one than the receiver's.
        let stranger = Home::new();
        let other = stranger.path().join("control/servercert.pem");
        let trusted = match arrives {
            true => authorities.clone(),
            false => format!("authorities = \"{}\"\n", other.display()),
        };
        let home = sender(&dns, port, &format!("{tls}{trusted}"));
        let mut mtad = Running::start(&home);
        let before = there.mail("joe").len();
        send(&mut mtad);
        if arrives {
            until("the message", || {
                (there.mail("joe").len() > before).then_some(())
            });
            mtad.logged("success: ");
        }
        mtad.logged(said);
        if !arrives {
            mtad.logged("deferral: ");
            assert_eq!(there.mail("joe").len(), before, "{name}");
        }
        let log = mtad.log().join("\n");
        assert_eq!(
            log.contains(": TLSv1.3 "),
            arrives && name != "none",
            "{name}: {log}"
        );
    }
}

#[test]
fn a_broken_handshake_costs_only_those_their_mail_who_insist() {
    for (name, tls, arrives, said) in [
        ("may", "", true, "TLS failed, going on in the clear"),
        (
            "encrypt",
            "outgoing = \"encrypt\"\n",
            false,
            "but_TLS_failed:_",
        ),
    ] {
        let dns = FakeDns::start();
        let host = FakeServer::start();
        host.breaks_tls();
        let home = sender(&dns, host.port(), tls);
        let mut mtad = Running::start(&home);
        send(&mut mtad);
        mtad.logged(said);
        if arrives {
            until("the message", || host.received().pop());
        } else {
            mtad.logged("deferral: ");
            assert_eq!(host.connections(), 1, "{name}");
            assert!(host.received().is_empty(), "{name}");
        }
    }
}

#[test]
fn a_host_without_tls_gets_nothing_where_tls_must_be_had() {
    let dns = FakeDns::start();
    let host = FakeServer::start();
    let home = sender(&dns, host.port(), "outgoing = \"encrypt\"\n");
    let mut mtad = Running::start(&home);
    send(&mut mtad);
    mtad.logged("deferral: Connected_to_127.0.0.1_but_STARTTLS_failed._(#4.7.0)/");
    assert!(host.received().is_empty());
}

#[test]
fn authorities_that_cannot_be_had_keep_the_server_from_starting() {
    let home = Home::new();
    for (name, tls, said) in [
        ("missing", "authorities = \"nowhere.pem\"\n", "nowhere.pem"),
        (
            "empty",
            "authorities = \"control/me\"\n",
            "expected certificates in PEM, found none",
        ),
    ] {
        home.config(&format!("[tls]\noutgoing = \"verify\"\n{tls}"));
        let ran = home.run(&["serve", "--smtp", "127.0.0.1:0"], "");
        assert_eq!(ran.code, Some(100), "{name}");
        assert!(ran.err.contains(said), "{name}: {}", ran.err);
    }
}
