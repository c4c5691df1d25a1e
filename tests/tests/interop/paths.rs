//! Names from strangers never become paths: at RCPT, at logins, on the command line and in Maildirs (RFC 5321 §4.1.2).

use mta_tests::{Home, LineClient, Mtad};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn everything_below(dir: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            everything_below(&path, found);
        }
        found.insert(path);
    }
}

const LOCALS: [&str; 14] = [
    "../joe",
    "../../../../etc/passwd",
    "joe/../joe",
    "/etc/passwd",
    ".qmail-default",
    ".qmail",
    "default",
    "-default",
    "vpasswd",
    "Maildir",
    "..",
    ".",
    "joe/Maildir",
    "\"a b\"",
];

#[test]
fn recipients_do_not_walk_through_directories() {
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    let long = "x".repeat(250);
    for local in LOCALS.iter().copied().chain([long.as_str()]) {
        for domain in ["example.org", "mx.example.org", "EXAMPLE.ORG"] {
            for quoted in [false, true] {
                let local = if quoted {
                    format!("\"{}\"", local.replace('"', "\\\""))
                } else {
                    local.to_owned()
                };
                let mut client = LineClient::connect(mtad.smtp());
                client.reply();
                client.command("MAIL FROM:<a@client.example>");
                let reply = client.command(&format!("RCPT TO:<{local}@{domain}>"));
                assert!(reply.starts_with('5'), "{local}@{domain}: {reply}");
            }
        }
    }
    for address in [
        "joe@../example.org",
        "joe@example.org/../x",
        "joe@example.org/",
        "joe@",
    ] {
        let mut client = LineClient::connect(mtad.smtp());
        client.reply();
        client.command("MAIL FROM:<a@client.example>");
        let reply = client.command(&format!("RCPT TO:<{address}>"));
        assert!(reply.starts_with('5'), "{address}: {reply}");
    }
}

#[test]
fn logins_do_not_walk_through_directories() {
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    for name in [
        "../joe@example.org",
        "joe/../joe@example.org",
        "joe@../example.org",
        "joe@./example.org",
        "joe@example.org/",
        "joe@example.org/../example.org",
        "joe\u{1b}@example.org",
        "joe%../example.org",
    ] {
        let mut client = LineClient::connect(mtad.pop3());
        client.line();
        client.send(format!("USER {name}\r\nPASS {}\r\n", Home::PASSWORD).as_bytes());
        let _ = client.line();
        let reply = client.line().unwrap();
        assert!(reply.starts_with("-ERR"), "{name}: {reply}");
    }
    let log = mtad.log().join("\n");
    assert!(
        !log.contains(Home::PASSWORD) && !log.contains('\u{1b}'),
        "{log}"
    );
}

#[test]
fn commands_do_not_walk_through_directories() {
    let home = Home::new();
    let above = home.path().parent().unwrap().to_path_buf();
    let mut before = BTreeSet::new();
    everything_below(&above, &mut before);
    let long = format!("{}@example.org", "x".repeat(300));
    let long_domain = format!("{}.example", "x".repeat(300));
    for (command, name) in [
        ("domain", "../evil.example"),
        ("domain", ".."),
        ("domain", "evil/../../x.example"),
        ("domain", "evil.example\nother.example"),
        ("domain", "evil:example.org"),
        ("domain", &long_domain),
        ("user", "../evil@example.org"),
        ("user", "..@example.org"),
        ("user", "a/b@example.org"),
        ("user", "evil@../example.org"),
        ("user", "evil:x@example.org"),
        ("user", "evil\nroot@example.org"),
        ("user", &long),
    ] {
        let args = [command, "add", name];
        let args: Vec<&str> = match command {
            "user" => args.into_iter().chain(["--password-stdin"]).collect(),
            _ => args.to_vec(),
        };
        let ran = home.mtad(&args, b"secret secret\n");
        assert!(!ran.status.success(), "{args:?}");
        assert!(!ran.stderr.is_empty(), "{args:?}");
        let removed = home.mtad(&[command, "remove", name], b"");
        assert!(!removed.status.success(), "remove {name}");
    }
    let mut after = BTreeSet::new();
    everything_below(&above, &mut after);
    let new: Vec<_> = after.difference(&before).collect();
    let lost: Vec<_> = before.difference(&after).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let only_locks = new.iter().all(|p| p.to_string_lossy().contains("lock"));
    assert!(only_locks, "{new:?}");
}

#[test]
fn links_in_a_maildir_hand_out_nothing_from_elsewhere() {
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    let new = home.maildir("joe", "example.org").join("new");
    let secret = home.path().join("secret");
    std::fs::write(&secret, "Subject: secret\n\nsecret\n").unwrap();
    std::fs::write(new.join("1.real.host"), "Subject: real\n\nx\n").unwrap();
    std::os::unix::fs::symlink(&secret, new.join("2.link.host")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", new.join("3.zero.host")).unwrap();
    std::fs::create_dir(new.join("4.dir.host")).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(new.join("5.fifo.host"))
        .status();
    assert!(fifo.unwrap().success());
    let mut client = LineClient::connect(mtad.pop3());
    client.line();
    client.send(
        format!(
            "USER joe@example.org\r\nPASS {}\r\nLIST\r\nQUIT\r\n",
            Home::PASSWORD
        )
        .as_bytes(),
    );
    let said = String::from_utf8(client.rest()).unwrap();
    assert!(said.contains("1 messages ("), "{said}");
    assert!(secret.exists());
}
