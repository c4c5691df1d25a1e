//! Hostile clients, a damaged queue and a full disk end in a clear word and a living daemon (RFC 5321 §4.5.3).

use mta_tests::{Home, LineClient, Mtad, until};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

pub(crate) fn still_works(home: &Home, mtad: &mut Mtad) {
    let before = home.mail().len();
    let reply = LineClient::send_message(
        mtad.smtp(),
        "a@client.example",
        "joe@example.org",
        "Subject: after\r\n\r\nbody",
    );
    assert!(reply.starts_with("250"), "{reply}");
    until("a delivery afterwards", || {
        (home.mail().len() == before + 1).then_some(())
    });
}

#[test]
fn hostile_bytes_end_in_a_reply_and_bounded_memory() {
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    let before = mtad.resident_kib();
    let attacks: [(&str, Vec<u8>); 5] = [
        ("a 100 KB line", [&[b'A'; 100_000][..], b"\r\n"].concat()),
        ("NULs", b"MAIL FROM:<a\0b@c>\r\n".to_vec()),
        ("1e5 commands in one segment", b"NOOP\r\n".repeat(100_000)),
        ("1e5 unknown commands", b"XYZZY\r\n".repeat(100_000)),
        (
            "garbage",
            (0..200_000u32)
                .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
                .collect(),
        ),
    ];
    for (name, bytes) in attacks {
        let mut stream = TcpStream::connect(mtad.smtp()).unwrap();
        // Sent from a thread of its own: a server that stops reading must not stop this test.
        let mut writer = stream.try_clone().unwrap();
        let sender = std::thread::spawn(move || {
            let _ = writer.write_all(&bytes);
            let _ = writer.shutdown(std::net::Shutdown::Write);
        });
        let mut replies = Vec::new();
        let _ = stream.read_to_end(&mut replies);
        sender.join().unwrap();
        let text = String::from_utf8_lossy(&replies);
        let first = text.lines().nth(1).unwrap_or_default();
        assert!(first.starts_with(['2', '4', '5']), "{name}: {first}");
    }
    let grown = mtad.resident_kib().saturating_sub(before);
    assert!(grown < 32 * 1024, "grew by {grown} KiB");
    still_works(&home, &mut mtad);
}

#[test]
fn a_disconnect_inside_data_leaves_nothing_behind() {
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    for _ in 0..20 {
        let mut client = LineClient::connect(mtad.smtp());
        client.reply();
        client.command("HELO client.example");
        client.command("MAIL FROM:<a@client.example>");
        client.command("RCPT TO:<joe@example.org>");
        assert!(client.command("DATA").starts_with("354"));
        client.send(b"Subject: half\r\n\r\nnot the e");
    }
    still_works(&home, &mut mtad);
    assert_eq!(home.mail().len(), 1);
    until("an empty queue", || {
        let mess = home.path().join("queue/mess");
        let left: usize = std::fs::read_dir(mess)
            .ok()?
            .filter_map(|d| Some(std::fs::read_dir(d.ok()?.path()).ok()?.count()))
            .sum();
        (left == 0).then_some(())
    });
}

#[test]
fn a_flood_of_recipients_is_answered_452_and_the_first_ones_are_kept() {
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    let mut client = LineClient::connect(mtad.smtp());
    client.reply();
    client.command("EHLO client.example");
    client.command("MAIL FROM:<a@client.example>");
    let refused = (0..1_100)
        .map(|_| client.command("RCPT TO:<joe@example.org>"))
        .filter(|r| r.starts_with("452 4.5.3"))
        .count();
    assert_eq!(refused, 100);
    assert!(client.command("DATA").starts_with("354"));
    assert!(
        client
            .command("Subject: x\r\n\r\nbody\r\n.")
            .starts_with("250")
    );
}

/// What may stand where a file of the queue was.
const JUNK: [&str; 6] = [
    "garbage",
    "megabytes",
    "directory",
    "symlink",
    "fifo",
    "nothing",
];
/// The files of a message, and whether junk in one has to be named in the log.
const PLACES: [(&str, bool); 8] = [
    ("mess", false),
    ("info", true),
    ("local", true),
    ("remote", true),
    ("bounce", true),
    ("params", true),
    ("todo", true),
    ("intd", false),
];

fn put_junk(kind: &str, at: &Path) {
    let _ = std::fs::remove_file(at);
    match kind {
        "garbage" => std::fs::write(at, b"\xff\0garbage\0\xfe").unwrap(),
        "megabytes" => std::fs::write(at, vec![b'T'; 3 << 20]).unwrap(),
        "directory" => std::fs::create_dir_all(at.join("below")).unwrap(),
        "symlink" => std::os::unix::fs::symlink("/etc/passwd", at).unwrap(),
        "fifo" => {
            let made = std::process::Command::new("mkfifo").arg(at).status();
            assert!(made.unwrap().success());
        }
        _ => {}
    }
}

/// Queues a message for joe and for a remote host, with parameters that need a file of their own.
fn queue_one(client: &mut LineClient, name: &str) -> u64 {
    for line in [
        "MAIL FROM:<a@client.example> BODY=8BITMIME",
        "RCPT TO:<joe@example.org>",
        "RCPT TO:<jane@remote.example>",
    ] {
        let reply = client.command(line);
        assert!(reply.starts_with("250"), "{line}: {reply}");
    }
    client.command("DATA");
    let reply = client.command(&format!("Subject: {name}\r\n\r\nbody\r\n."));
    reply.rsplit(' ').next().unwrap().parse().unwrap()
}

/// A message whose file of the kind `place` was replaced by `junk`.
struct Damaged {
    id: u64,
    place: &'static str,
    named: bool,
    junk: &'static str,
}

impl Damaged {
    fn all(client: &mut LineClient) -> Vec<Self> {
        let each = |&(place, named): &(&'static str, bool)| JUNK.map(|junk| (place, named, junk));
        let queue = |(place, named, junk)| Self {
            id: queue_one(client, &format!("{place}-{junk}")),
            place,
            named,
            junk,
        };
        PLACES.iter().flat_map(each).map(queue).collect()
    }

    fn put_junk(&self, queue: &Path) {
        let (id, place) = (self.id, self.place);
        let spread = ["mess", "info", "local", "remote"].contains(&place);
        let name = if spread {
            format!("{}/{id}", id % 23)
        } else {
            id.to_string()
        };
        put_junk(self.junk, &queue.join(place).join(name));
    }

    fn wait_for_a_word(&self, mtad: &Mtad) {
        // A file that may be absent says nothing by being absent.
        if !self.named || self.junk == "nothing" {
            return;
        }
        let id = self.id.to_string();
        let (junk, place) = (self.junk, self.place);
        until(&format!("a word about {junk} in {place}/{id}"), || {
            let told = |line: &String| {
                let words = ["put aside", "quarantine", "removed what", "mended what"];
                line.contains(&id) && words.iter().any(|word| line.contains(word))
            };
            mtad.log().iter().any(told).then_some(())
        });
    }
}

/// A home that holds what it takes for joe and for elsewhere.
fn home_that_holds() -> Home {
    let home = Home::in_qmail_layout();
    // Nobody listens on port 1, so what is remote is deferred at once.
    let config = "relay_from = [\"127.0.0.0/8\"]\n[testing]\nloopback_is_remote = true\n";
    std::fs::write(home.path().join("mtad.toml"), config).unwrap();
    home.control("smtproutes", ":127.0.0.1:1\n");
    home.control("concurrencylocal", "0\n");
    home.control("concurrencyremote", "0\n");
    home
}

/// Fills its queue with a sound message and one for each kind of damage, and damages them.
fn damage(home: &Home) -> Vec<Damaged> {
    let mut mtad = Mtad::start(home);
    let mut client = LineClient::connect(mtad.smtp());
    client.reply();
    client.command("EHLO client.example");
    let damaged = Damaged::all(&mut client);
    let _ = queue_one(&mut client, "sound");
    until("all to be sorted", || {
        let log = mtad.log();
        let sorted = log.iter().filter(|l| l.starts_with("info msg "));
        (sorted.count() == damaged.len() + 1).then_some(())
    });
    drop(client);
    assert!(mtad.stop().success());
    let queue = home.path().join("queue");
    damaged.iter().for_each(|one| one.put_junk(&queue));
    std::fs::write(queue.join("info/0/\u{1b}[2Jforeign\nalert: forged"), b"?").unwrap();
    for lock in ["trigger", "tcpto", "sendmutex"] {
        put_junk("garbage", &queue.join("lock").join(lock));
    }
    damaged
}

#[test]
fn junk_in_place_of_any_queue_file_is_named_and_stops_nobody_else() {
    let home = home_that_holds();
    let damaged = damage(&home);
    home.control("concurrencylocal", "10\n");
    home.control("concurrencyremote", "20\n");
    let mut mtad = Mtad::start(&home);
    let before = mtad.resident_kib();
    still_works_among(&home, &mut mtad);
    until("the sound message", || {
        // Some of the others are no text any more.
        let mut texts = home
            .mail()
            .into_iter()
            .filter_map(|f| std::fs::read(f).ok());
        texts.find(|text| text.windows(14).any(|part| part == b"Subject: sound"))
    });
    damaged.iter().for_each(|one| one.wait_for_a_word(&mtad));
    let forged = |line: &String| line.contains('\u{1b}') || line.starts_with("alert: forged");
    assert!(!mtad.log().iter().any(forged), "{:?}", mtad.log());
    let grown = mtad.resident_kib().saturating_sub(before);
    assert!(grown < 32 * 1024, "grew by {grown} KiB");
    assert!(mtad.stop().success());
}

fn still_works_among(home: &Home, mtad: &mut Mtad) {
    let reply = LineClient::send_message(
        mtad.smtp(),
        "a@client.example",
        "joe@example.org",
        "Subject: after-damage\r\n\r\nbody",
    );
    assert!(reply.starts_with("250"), "{reply}");
    until("the message sent afterwards", || {
        home.mail().iter().find_map(|f| {
            std::fs::read_to_string(f)
                .ok()
                .filter(|t| t.contains("after-damage"))
        })
    });
}

#[test]
fn an_unreadable_control_file_is_named() {
    let home = Home::new();
    let path = home.path().join("control/locals");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let ran = home.mtad(
        &["serve", "--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0"],
        b"",
    );
    assert!(!ran.status.success());
    assert!(ran.stderr.contains("control/locals"), "{}", ran.stderr);
}

#[test]
fn an_unreadable_control_file_at_sighup_changes_nothing_and_is_named() {
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    let path = home.path().join("control/rcpthosts");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    home.control("databytes", "1\n");
    mtad.signal("HUP");
    let said = mtad.logged("unable to reread controls");
    assert!(said.contains("control/rcpthosts"), "{said}");
    // Neither the broken file nor the sound one that was changed with it is in force.
    still_works(&home, &mut mtad);
}

#[test]
fn control_files_of_any_bytes_give_a_start_or_a_reason() {
    let home = Home::new();
    let everything: Vec<u8> = (0..=255).chain(b"\n".repeat(3)).collect();
    for name in [
        "locals",
        "virtualdomains",
        "smtproutes",
        "badmailfrom",
        "databytes",
        "smtpgreeting",
    ] {
        std::fs::write(home.path().join("control").join(name), &everything).unwrap();
    }
    let mut mtad = Mtad::start(&home);
    let mut client = LineClient::connect(mtad.smtp());
    let greeting = client.reply().unwrap();
    assert!(greeting.starts_with("220 "), "{greeting}");
    assert!(greeting.chars().all(|c| !c.is_control()), "{greeting:?}");
    assert!(client.command("QUIT").starts_with("221"));
    assert!(mtad.alive());
}

#[test]
fn signals_sent_as_soon_as_it_listens_are_obeyed() {
    let home = Home::new();
    for _ in 0..5 {
        let mut mtad = Mtad::start(&home);
        mtad.signal("HUP");
        mtad.signal("ALRM");
        let _ = mtad.logged("control files read again");
        assert!(mtad.stop().success());
    }
}

#[test]
fn half_a_command_and_a_body_without_end_are_cut() {
    let home = Home::new();
    home.control("timeoutsmtpd", "1\n");
    let config = "[limits]\nbody_rate = 1000000000\nrefused_size = 100000\n";
    std::fs::write(home.path().join("mtad.toml"), config).unwrap();
    let mut mtad = Mtad::start(&home);
    let begin = |mtad: &mut Mtad| {
        let mut client = LineClient::connect(mtad.smtp());
        client.reply();
        client.command("MAIL FROM:<a@client.example>");
        client.command("RCPT TO:<joe@example.org>");
        assert!(client.command("DATA").starts_with("354"));
        client
    };
    let mut half = LineClient::connect(mtad.smtp());
    half.reply();
    half.send(b"MAIL FR");
    assert!(half.reply().unwrap().starts_with("421 4.4.2"));
    let mut trickle = begin(&mut mtad);
    until("the end of a body that trickles", || {
        (!trickle.send(b"x\r\n")).then_some(())
    });
    // The last words may be lost with the connection; the log has them.
    let _ = mtad.logged("end: timeout");
    let mut refused = begin(&mut mtad);
    refused.send(b"a NUL: \0\r\n");
    refused.send(&b"and no end\r\n".repeat(20_000));
    let reply = refused.reply().unwrap();
    assert!(reply.starts_with("554 5.6.0"), "{reply}");
    assert_eq!(refused.reply(), None);
    still_works(&home, &mut mtad);
}

#[test]
fn a_client_that_ends_its_side_early_gets_its_replies() {
    let home = Home::new();
    let mut mtad = Mtad::start(&home);
    let mut stream = TcpStream::connect(mtad.smtp()).unwrap();
    stream
        .write_all(b"EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<joe@example.org>\r\nDATA\r\nSubject: early\r\n\r\nx\r\n.\r\n")
        .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).unwrap();
    assert!(
        replies.lines().last().unwrap().contains(" queued as "),
        "{replies}"
    );
    until("the message", || (home.mail().len() == 1).then_some(()));
}
