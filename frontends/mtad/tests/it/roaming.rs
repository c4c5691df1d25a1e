//! Whoever fetched mail may send for a while: the window in a running server, the file and the rules (vchkpw(8), clearopensmtp(8)).

use crate::kit::{Home, Line, Running, until};
use mta_core::cdb::Cdb;
use mta_core::tcprules::{Peer, decide};
use std::fs;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

const FAR: &str = "far@elsewhere.example";

/// Where loopback stands for remote hosts, and fetching opens the relay.
fn roaming(settings: &str) -> Home {
    let home = Home::new();
    home.config("[testing]\nloopback_is_remote = true\n");
    home.vpopmail(settings);
    home
}

impl Home {
    fn vpopmail(&self, settings: &str) {
        fs::create_dir_all(self.path().join("etc")).unwrap();
        fs::write(self.path().join("etc/vpopmail.conf"), settings).unwrap();
    }

    fn open_smtp(&self) -> String {
        fs::read_to_string(self.path().join("etc/open-smtp")).unwrap_or_default()
    }

    /// Writes the list as another program would.
    fn write_open_smtp(&self, address: &str, seen: u64) {
        let line = format!("{address}:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t{seen}\n");
        let scratch = self.path().join("etc/open-smtp.other");
        fs::write(&scratch, line).unwrap();
        fs::rename(scratch, self.path().join("etc/open-smtp")).unwrap();
    }

    /// Whether tcpserver would let an address relay.
    fn rules_let(&self, address: &str) -> bool {
        let Ok(bytes) = fs::read(self.path().join("etc/tcp.smtp.cdb")) else {
            return false;
        };
        let peer = Peer::new(address.parse::<IpAddr>().unwrap());
        let decision = decide(&Cdb::new(&bytes).unwrap(), &peer).unwrap();
        decision.variable(b"RELAYCLIENT").is_some()
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn may_relay(mtad: &mut Running) -> bool {
    let (mut client, _) = Line::greeted(mtad.smtp());
    client.say("HELO client.example");
    client.say("MAIL FROM:<joe@example.org>");
    let reply = client.say(&format!("RCPT TO:<{FAR}>"));
    assert!(
        reply.starts_with("250 ") || reply.starts_with("553 "),
        "{reply}"
    );
    reply.starts_with("250 ")
}

#[test]
fn fetching_mail_opens_the_relay_and_its_end_closes_it() {
    let home = roaming("roaming-users=y\n");
    let mut mtad = Running::start(&home);
    assert!(!may_relay(&mut mtad), "nobody fetched anything");
    Line::pop3(mtad.pop3(), "joe@example.org", "joe secret");
    assert!(may_relay(&mut mtad));
    let open = home.open_smtp();
    assert!(
        open.starts_with("127.0.0.1:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t"),
        "{open}"
    );
    assert!(home.rules_let("127.0.0.1"));
    let last = home.path().join("domains/example.org/joe/lastauth");
    assert_eq!(fs::read_to_string(last).unwrap(), "127.0.0.1");
    mtad.logged("127.0.0.1 may send for 10 minutes: joe@example.org fetched mail");
    // As old as it is ten minutes later.
    home.write_open_smtp("127.0.0.1", now() - 600);
    assert!(!may_relay(&mut mtad), "the window is over");
    until("the rules without it", || {
        (!home.rules_let("127.0.0.1")).then_some(())
    });
    until("the list without it", || {
        home.open_smtp().is_empty().then_some(())
    });
}

#[test]
fn windows_survive_a_restart_and_other_programs_logins_count() {
    let home = roaming("--enable-roaming-users=y\n--enable-relay-clear-minutes=15\n");
    let mut mtad = Running::start(&home);
    home.write_open_smtp("127.0.0.1", now() - 700);
    assert!(may_relay(&mut mtad), "vchkpw wrote that");
    home.write_open_smtp("192.0.2.1", now());
    assert!(!may_relay(&mut mtad), "and took it away");
    Line::pop3(mtad.pop3(), "joe@example.org", "joe secret");
    assert!(may_relay(&mut mtad));
    assert_eq!(home.open_smtp().lines().count(), 2, "{}", home.open_smtp());
    drop(mtad);
    let mut mtad = Running::start(&home);
    assert!(may_relay(&mut mtad));
}

#[test]
fn addresses_of_ipv6_have_windows_too() {
    let home = roaming("roaming-users=y\n");
    let listeners = ["--smtp", "[::1]:0", "--pop3", "[::1]:0"];
    let mut mtad = Running::start_with(&home, &listeners);
    let (smtp, pop3) = (mtad.listening_v6("smtp"), mtad.listening_v6("pop3"));
    Line::pop3(pop3, "joe@example.org", "joe secret");
    assert!(
        home.open_smtp().starts_with("[::1]:allow"),
        "{}",
        home.open_smtp()
    );
    assert!(home.rules_let("::1"));
    let (mut client, _) = Line::greeted(smtp);
    client.say("HELO client.example");
    client.say("MAIL FROM:<joe@example.org>");
    assert!(client.say(&format!("RCPT TO:<{FAR}>")).starts_with("250 "));
}

#[test]
fn nothing_opens_where_it_is_not_wanted() {
    let rows = [
        ("roaming-users=n\n", "joe secret", "-", "not wanted"),
        ("roaming-users=y\n", "guess", "-", "a wrong password"),
        (
            "roaming-users=y\n",
            "joe secret",
            "disable_external_relay\n",
            "the domain's limits",
        ),
    ];
    for (settings, password, limits, name) in rows {
        let home = roaming(settings);
        if limits != "-" {
            let path = home.path().join("domains/example.org/.qmailadmin-limits");
            fs::write(path, limits).unwrap();
        }
        let mut mtad = Running::start(&home);
        let (mut client, _) = Line::greeted(mtad.pop3());
        client.say("USER joe@example.org");
        client.say(&format!("PASS {password}"));
        assert!(!may_relay(&mut mtad), "{name}");
        assert_eq!(home.open_smtp(), "", "{name}");
    }
}

#[test]
fn a_list_that_cannot_be_written_opens_the_relay_all_the_same() {
    let home = roaming("roaming-users=y\n");
    // What stands in its place cannot be locked.
    fs::create_dir_all(home.path().join("etc/open-smtp.lock/x")).unwrap();
    let mut mtad = Running::start(&home);
    Line::pop3(mtad.pop3(), "joe@example.org", "joe secret");
    mtad.logged("unable to record that 127.0.0.1 may send");
    assert!(may_relay(&mut mtad));
}

#[test]
fn check_shows_every_setting_with_its_origin() {
    let home = roaming("# ours\nroaming-users=y\nrelay-clear-minutes=15\nroaming-users=y\n");
    let said = home.run(&["check", "--no-dns"], "").out;
    for line in [
        "etc/vpopmail.conf:4: roaming-users = y\n",
        "etc/vpopmail.conf:3: relay-clear-minutes = 15\n",
        "etc/vpopmail.conf: tcprules-prog = (compiled here) (default)\n",
        "etc/vpopmail.conf: clear-passwd = n (default)\n",
        "etc/vpopmail.conf: qmail-ext = n (default)\n",
        "/etc/tcp.smtp (default)\n",
    ] {
        assert!(said.contains(line), "{line}{said}");
    }
    home.vpopmail("roaming-users=y\nroaming=y\n");
    let ran = home.run(&["check", "--no-dns"], "");
    assert_ne!(ran.code, Some(0));
    assert!(
        ran.out
            .contains("etc/vpopmail.conf:2: expected roaming-users, "),
        "{}",
        ran.out
    );
    let ran = home.run(&["serve"], "");
    assert!(ran.err.contains("vpopmail.conf"), "{}", ran.err);
}

#[test]
fn clear_passwords_are_kept_where_the_settings_want_them() {
    let home = roaming("clear-passwd=y\n");
    home.run(
        &["user", "passwd", "joe@example.org", "--password-stdin"],
        "new one\n",
    )
    .ok();
    let file = fs::read_to_string(home.path().join("domains/example.org/vpasswd")).unwrap();
    assert!(file.contains(":NOQUOTA:new one\n"), "{file}");
    let mut mtad = Running::start(&home);
    let (_, greeting) = Line::greeted(mtad.pop3());
    assert!(greeting.contains('<'), "APOP is offered: {greeting}");
}

#[test]
fn deleting_over_pop3_is_taken_out_of_the_running_sum() {
    let home = Home::new();
    let maildir = home.maildir("joe");
    fs::write(maildir.join("new/1.1.mx,S=6"), "A: b\n\n").unwrap();
    fs::write(maildir.join("cur/2.1.mx:2,S"), "A: bc\n\n").unwrap();
    fs::write(maildir.join("maildirsize"), "1000S\n13 2\n").unwrap();
    let mut mtad = Running::start(&home);
    let mut client = Line::pop3(mtad.pop3(), "joe@example.org", "joe secret");
    assert!(client.say("DELE 1").starts_with("+OK"));
    assert!(client.say("QUIT").starts_with("+OK"));
    let sum = fs::read_to_string(maildir.join("maildirsize")).unwrap();
    assert_eq!(sum, "1000S\n13 2\n-6 -1\n");
}
