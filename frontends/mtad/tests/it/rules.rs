//! Rules about connections and lists in DNS: who is let in, and what is set for whom (tcprules(1), qmail-smtpd(8), rblsmtpd(1)).

use crate::kit::{FakeDns, Home, Line, Running, until};
use mta_core::tcprules::{Parser, Syntax};
use mta_store::atomic::Attributes;
use mta_store::cdb_writer;
use mta_store::files::RealFiles;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;

/// Writes `rules.cdb` into the home, as tcprules does.
fn rules(home: &Home, source: &str) {
    let parsed = Parser::new(source.as_bytes(), Syntax::Original);
    let records = parsed.map(|rule| rule.map(|rule| (rule.key, rule.data)).unwrap());
    let path = home.path().join("rules.cdb");
    let mode = Attributes::mode(0o644);
    cdb_writer::publish(&RealFiles::new(), &path, records, mode).unwrap();
}

const SMTP: &str = "[rules]\nsmtp = \"rules.cdb\"\n";

/// What a recipient elsewhere, and one here, hear.
fn asked(mtad: &mut Running) -> (String, String) {
    let mut line = Line::smtp(mtad.smtp());
    line.say("MAIL FROM:<a@client.example>");
    let far = line.say("RCPT TO:<ann@far.example>");
    (far, line.say("RCPT TO:<joe@example.org>"))
}

#[test]
fn a_new_file_rules_the_next_connection() {
    let home = Home::new();
    home.config(SMTP);
    rules(&home, ":allow\n");
    let mut mtad = Running::start(&home);
    assert!(asked(&mut mtad).0.starts_with("553 5.7.1"));
    rules(&home, "127.:allow,RELAYCLIENT=\"\"\n");
    assert!(asked(&mut mtad).0.starts_with("250 "));
    rules(&home, "127.0.0.1:deny\n:allow\n");
    let mut denied = Line::connect(mtad.smtp());
    assert_eq!(denied.rest(), "");
    mtad.logged("denied by the rule \"127.0.0.1\" of ");
    // POP3 has no rules here.
    assert!(Line::connect(mtad.pop3()).reply().starts_with("+OK"));
}

#[test]
fn relayclient_is_appended_to_recipients() {
    let home = Home::new();
    home.config(SMTP);
    home.control("rcpthosts", "example.org\n");
    rules(&home, "127.:allow,RELAYCLIENT=\"@gate.example\"\n");
    let program = home.path().join("keep");
    fs::write(&program, "#!/bin/sh\ncat >/dev/null; cat <&1 >envelope\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    rules(
        &home,
        "127.:allow,RELAYCLIENT=\"@gate.example\",QMAILQUEUE=\"keep\"\n",
    );
    let mut mtad = Running::start(&home);
    let reply = mtad.message(
        "a@client.example",
        &["ann@far.example"],
        "Subject: x\r\n\r\nx",
    );
    assert!(reply.starts_with("250 "), "{reply}");
    let envelope = fs::read_to_string(home.path().join("envelope")).unwrap();
    assert_eq!(
        envelope,
        "Fa@client.example\0Tann@far.example@gate.example\0\0"
    );
}

#[test]
fn databytes_qmailqueue_and_any_other_variable_count_for_one_client() {
    let home = Home::new();
    home.config(SMTP);
    let program = home.path().join("keep");
    fs::write(&program, "#!/bin/sh\ncat >/dev/null; env >environment\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    rules(
        &home,
        "127.:allow,DATABYTES=\"700\",QMAILQUEUE=\"keep\",FILTER=\"hard\"\n",
    );
    let mut mtad = Running::start(&home);
    let reply = mtad.message(
        "a@client.example",
        &["joe@example.org"],
        "Subject: x\r\n\r\nx",
    );
    assert!(reply.starts_with("250 "), "{reply}");
    let environment = fs::read_to_string(home.path().join("environment")).unwrap();
    for set in ["FILTER=hard", "DATABYTES=700", "QMAILQUEUE=keep"] {
        assert!(environment.lines().any(|line| line == set), "{environment}");
    }
    let large = format!("Subject: x\r\n\r\n{}", "x".repeat(900));
    let reply = mtad.message("a@client.example", &["joe@example.org"], &large);
    assert!(reply.starts_with("552 "), "{reply}");
}

#[test]
fn nobadhelo_and_norelayreject_count_for_one_client() {
    let home = Home::new();
    home.config(SMTP);
    home.control("badhelo", "client\n");
    let odd = |mtad: &mut Running| {
        let mut line = Line::smtp(mtad.smtp());
        line.say("MAIL FROM:<a@client.example>");
        let plain = line.say("RCPT TO:<joe@example.org>");
        (plain, line.say("RCPT TO:<joe%far.example@example.org>"))
    };
    rules(&home, ":allow\n");
    let mut mtad = Running::start(&home);
    let (plain, _) = odd(&mut mtad);
    assert!(plain.contains("HELO host name has been denied"), "{plain}");
    rules(&home, ":allow,NOBADHELO=\"\"\n");
    let (plain, routed) = odd(&mut mtad);
    assert!(plain.starts_with("250 "), "{plain}");
    assert!(routed.contains("we don't relay"), "{routed}");
    rules(&home, ":allow,NOBADHELO=\"\",NORELAYREJECT=\"\"\n");
    let (_, routed) = odd(&mut mtad);
    assert!(!routed.contains("we don't relay"), "{routed}");
}

#[test]
fn rules_that_cannot_be_read_let_nobody_in_for_now() {
    let home = Home::new();
    home.config(
        "relay_from = [\"127.0.0.1\"]\n[rules]\nsmtp = \"rules.cdb\"\npop3 = \"rules.cdb\"\n",
    );
    let mut mtad = Running::start(&home);
    mtad.logged("error: unable to read the rules: ");
    let refused = "unable to read the rules about connections; try again later\r\n";
    let smtp = Line::connect(mtad.smtp()).rest();
    assert_eq!(smtp, format!("421 4.7.0 {refused}"));
    let pop3 = Line::connect(mtad.pop3()).rest();
    assert_eq!(pop3, format!("-ERR [SYS/TEMP] {refused}"));
    fs::write(home.path().join("rules.cdb"), "junk").unwrap();
    assert!(Line::connect(mtad.smtp()).rest().starts_with("421 4.7.0 "));
    let checked = home.run(&["check"], "");
    assert!(
        checked
            .out
            .contains("rules.cdb: error: unable to read the rules: "),
        "{}",
        checked.out
    );
    rules(&home, ":allow\n");
    assert!(asked(&mut mtad).0.starts_with("250 "));
}

#[test]
fn the_command_line_names_rules_for_every_service() {
    let home = Home::new();
    rules(&home, ":deny\n");
    let path = home.path().join("rules.cdb");
    let mut mtad = Running::start_with(&home, &["--rules", path.to_str().unwrap()]);
    assert_eq!(Line::connect(mtad.smtp()).rest(), "");
    assert_eq!(Line::connect(mtad.pop3()).rest(), "");
}

#[test]
fn rblsmtpd_refuses_recipients_with_its_text() {
    let home = Home::new();
    home.config(SMTP);
    rules(&home, ":allow,RBLSMTPD=\"-go away\"\n");
    let mut mtad = Running::start(&home);
    let (far, here) = asked(&mut mtad);
    assert_eq!(
        (&far[..], &here[..]),
        ("553 5.7.1 go away", "553 5.7.1 go away")
    );
    mtad.logged("127.0.0.1 is refused by RBLSMTPD of its rule: 553 go away");
}

#[test]
fn listed_clients_are_refused_where_the_settings_say() {
    let dns = FakeDns::start();
    dns.txt("1.0.0.127.bl.example", "listed");
    dns.a("1.0.0.127.a.example", Ipv4Addr::new(127, 0, 0, 2));
    dns.a("1.0.0.127.white.example", Ipv4Addr::new(127, 0, 0, 2));
    let rows: [(&str, &str, &str, &str); 6] = [
        (
            "listed",
            "deny = [\"bl.example\"]",
            "220 ",
            "451 4.7.1 listed",
        ),
        (
            "for good, with a text of our own",
            "deny = [\"a.example:see %IP%\"]\nrefuse = \"permanent\"",
            "220 ",
            "553 5.7.1 see 127.0.0.1",
        ),
        (
            "allowed",
            "deny = [\"bl.example\"]\nallow = [\"white.example\"]",
            "220 ",
            "250 ",
        ),
        ("not listed", "deny = [\"other.example\"]", "220 ", "250 "),
        (
            "at the greeting",
            "deny = [\"bl.example\"]\nat = \"connect\"",
            "421 4.7.1 listed",
            "",
        ),
        (
            "at the greeting, for good",
            "deny = [\"bl.example\"]\nat = \"connect\"\nrefuse = \"permanent\"",
            "554 5.7.1 listed",
            "",
        ),
    ];
    for (name, settings, greeting, recipient) in rows {
        let home = Home::new();
        let dns = format!("[dns]\nnameservers = [\"{}\"]\n", dns.address());
        home.config(&format!("[dnsbl]\n{settings}\n{dns}"));
        let mut mtad = Running::start(&home);
        let (mut line, said) = Line::greeted(mtad.smtp());
        assert!(said.starts_with(greeting), "{name}: {said}");
        if !recipient.is_empty() {
            line.say("EHLO client.example");
            line.say("MAIL FROM:<a@client.example>");
            let said = line.say("RCPT TO:<joe@example.org>");
            assert!(said.starts_with(recipient), "{name}: {said}");
        }
    }
}

#[test]
fn whoever_may_relay_is_not_looked_up_and_silence_is_what_the_settings_say() {
    // Nobody reads what comes there.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let dns = format!(
        "[dns]\nnameservers = [\"{}\"]\n",
        silent.local_addr().unwrap()
    );
    let home = Home::new();
    let lists = "[dnsbl]\ndeny = [\"bl.example\"]\ntimeout = 1\nunanswered = \"refuse\"\n";
    home.config(&format!("relay_from = [\"127.0.0.1\"]\n{lists}{dns}"));
    let mut mtad = Running::start(&home);
    assert!(asked(&mut mtad).1.starts_with("250 "));
    drop(mtad);
    home.config(&format!("{lists}{dns}"));
    let mut mtad = Running::start(&home);
    let (_, here) = asked(&mut mtad);
    assert_eq!(here, "451 4.7.1 temporary RBL lookup error");
    until("a line about it", || {
        mtad.log()
            .iter()
            .find(|line| line.contains("is refused by bl.example"))
            .map(|_| ())
    });
}

#[test]
fn a_client_that_somebody_speaks_for_has_rules_of_its_own() {
    let home = Home::new();
    home.config(&format!("[proxy]\nxclient_from = [\"127.0.0.1\"]\n{SMTP}"));
    rules(
        &home,
        "127.:allow,RELAYCLIENT=\"\"\n203.0.113.9:deny\n203.0.113.8:allow,RBLSMTPD=\"-go away\"\n",
    );
    let mut mtad = Running::start(&home);
    let mut line = Line::smtp(mtad.smtp());
    let denied = line.say("XCLIENT ADDR=203.0.113.9");
    assert!(denied.starts_with("550 5.7.1 "), "{denied}");
    mtad.logged("denied by the rule \"203.0.113.9\"");
    let mut line = Line::smtp(mtad.smtp());
    line.say("XCLIENT ADDR=203.0.113.8");
    line.say("EHLO client.example");
    line.say("MAIL FROM:<a@client.example>");
    let refused = line.say("RCPT TO:<joe@example.org>");
    assert_eq!(refused, "553 5.7.1 go away");
    let mut line = Line::smtp(mtad.smtp());
    line.say("XCLIENT ADDR=203.0.113.7");
    line.say("EHLO client.example");
    line.say("MAIL FROM:<a@client.example>");
    let far = line.say("RCPT TO:<ann@far.example>");
    assert!(far.starts_with("553 5.7.1 sorry"), "{far}");
}
