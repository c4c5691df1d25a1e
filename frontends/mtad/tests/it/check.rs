//! What `mtad check` says of names, secrets, hashes and rules (RFC 5321 §5.1, crypt(5), tcprules(1)).

use crate::kit::{FakeDns, Home};
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const FIRST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 25);
const SECOND: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 25);

fn asking(dns: &FakeDns) -> Home {
    let home = Home::new();
    home.config(&format!("[dns]\nnameservers = [\"{}\"]\n", dns.address()));
    home
}

fn named(dns: &FakeDns) {
    dns.a("mx.example.org", FIRST);
    dns.ptr(FIRST, "mx.example.org");
    dns.mx("example.org", 10, "mx.example.org");
}

#[test]
fn every_mx_is_judged_by_preference_with_its_addresses_and_names() {
    let dns = FakeDns::start();
    named(&dns);
    dns.mx("example.org", 20, "mx2.example.net");
    dns.a("mx2.example.net", SECOND);
    dns.ptr(SECOND, "customer-25.example.net");
    let judged = asking(&dns).run(&["check"], "").ok();
    let said: Vec<&str> = judged.lines().filter(|l| l.starts_with("dns: ")).collect();
    let want = [
        "dns: example.org: MX 10 mx.example.org: 192.0.2.25",
        "dns: example.org: MX 20 mx2.example.net: 198.51.100.25",
        "dns: warning: mx2.example.net: 198.51.100.25: expected a PTR record with that name, found customer-25.example.net",
    ];
    assert_eq!(said, want, "{judged}");
}

#[test]
fn names_that_are_missing_or_wrong_are_said_and_no_errors() {
    type Records<'a> = &'a dyn Fn(&FakeDns);
    let rows: [(&str, Records<'_>, &str); 8] = [
        (
            "no address",
            &|_| {},
            "dns: warning: mx.example.org: expected an A or AAAA record",
        ),
        (
            "no reverse name",
            &|dns| dns.a("mx.example.org", FIRST),
            "dns: warning: mx.example.org: 192.0.2.25: expected a PTR record, found none",
        ),
        (
            "no MX",
            &|_| {},
            "dns: warning: example.org: expected an MX record, found none",
        ),
        (
            "null MX",
            &|dns| dns.mx("example.org", 0, "."),
            "dns: warning: example.org: its null MX says that it takes no mail",
        ),
        (
            "an MX without address",
            &|dns| dns.mx("example.org", 5, "gone.example.org"),
            "dns: warning: example.org: MX 5 gone.example.org: expected an address, found none",
        ),
        (
            "elsewhere",
            &|dns| {
                dns.mx("example.org", 5, "other.example.net");
                dns.a("other.example.net", SECOND);
            },
            "dns: warning: example.org: no MX leads to this host",
        ),
        (
            "one MX",
            &named,
            "dns: note: example.org: there is no second MX",
        ),
        (
            "a second that is the first",
            &|dns| {
                named(dns);
                dns.mx("example.org", 20, "mx2.example.org");
                dns.a("mx2.example.org", FIRST);
            },
            "dns: warning: example.org: every further MX leads to the addresses of mx.example.org",
        ),
    ];
    for (name, records, want) in rows {
        let dns = FakeDns::start();
        records(&dns);
        let judged = asking(&dns).run(&["check"], "").ok();
        assert!(judged.contains(want), "{name}: {judged}");
    }
}

#[test]
fn a_dns_that_does_not_answer_is_reported_and_not_fatal() {
    let home = Home::new();
    // Nobody listens on a port that was just given back.
    let gone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    home.config(&format!("[dns]\nnameservers = [\"{address}\"]\n"));
    let judged = home.run(&["check"], "").ok();
    assert!(
        judged.contains("dns: note: names are not judged: mx.example.org: "),
        "{judged}"
    );
    assert!(!home.run(&["check", "--no-dns"], "").ok().contains("dns: "));
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn secrets_that_others_read_are_errors() {
    let home = Home::new();
    let check = || home.run(&["check", "--no-dns"], "");
    check().ok();
    let domain = home.path().join("domains/example.org");
    for (name, path, want) in [
        (
            "accounts",
            domain.join("vpasswd"),
            "vpasswd: expected mode 0640",
        ),
        (
            "their cdb",
            domain.join("vpasswd.cdb"),
            "vpasswd.cdb: expected mode 0640",
        ),
    ] {
        open(&path, 0o644);
        let judged = check();
        assert_eq!(judged.code, Some(100), "{name}");
        assert!(judged.out.contains(want), "{name}: {}", judged.out);
        open(&path, 0o600);
        check().ok();
    }
    let first = home.path().join("first-user");
    fs::write(&first, "joe@example.org secret\n").unwrap();
    open(&first, 0o640);
    let judged = check();
    assert!(
        judged.out.contains("first-user: expected mode 0600"),
        "{}",
        judged.out
    );
    open(&first, 0o600);
    assert!(
        check()
            .ok()
            .contains("first-user: note: a password stands in it")
    );
}

#[test]
fn weak_and_clear_passwords_are_counted_and_not_named() {
    let home = Home::new();
    let path = home.path().join("domains/example.org/vpasswd");
    let mut text = fs::read_to_string(&path).unwrap();
    let lines = [
        "des:abJnggxhB/yWI:1:0:d:/nowhere:NOQUOTA",
        "md5:$1$zBH9xrzu$avSvfiVfbp3E5/TrgB.4m.:1:0:m:/nowhere:NOQUOTA",
        "odd:nothing known:1:0:o:/nowhere:NOQUOTA",
        "bare:$6$a$b:1:0:b:/nowhere:NOQUOTA:clear words",
    ];
    text += &(lines.join("\n") + "\n");
    fs::write(&path, text).unwrap();
    let judged = home.run(&["check", "--no-dns"], "").ok();
    for want in [
        "vpasswd: warning: 2 passwords are hashed with DES or $1$; they are replaced when",
        "vpasswd: warning: 1 passwords are in no form of crypt(3)",
        "vpasswd: warning: 1 passwords are also kept in the clear",
    ] {
        assert!(judged.contains(want), "{want}: {judged}");
    }
    assert!(
        !judged.contains("clear words") && !judged.contains("zBH9"),
        "{judged}"
    );
}

#[test]
fn rules_that_open_the_relay_are_errors() {
    let home = Home::new();
    let etc = home.path().join("etc");
    fs::create_dir_all(&etc).unwrap();
    let put = |text: &str| fs::write(etc.join("tcp.smtp"), text).unwrap();
    put("127.:allow,RELAYCLIENT=\"\"\n:allow\n");
    home.run(&["check", "--no-dns"], "").ok();
    put("127.:allow,RELAYCLIENT=\"\"\n:allow,RELAYCLIENT=\"\"\n");
    let judged = home.run(&["check", "--no-dns"], "");
    assert_eq!(judged.code, Some(100));
    let want = "etc/tcp.smtp: OPEN RELAY: the rule \"\" sets RELAYCLIENT for strangers";
    assert!(judged.out.contains(want), "{}", judged.out);
    put("192.0.2.1:perhaps\n");
    let judged = home.run(&["check", "--no-dns"], "");
    assert!(judged.out.contains("etc/tcp.smtp: "), "{}", judged.out);
}
