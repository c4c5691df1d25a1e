//! POP3 sessions of any order and size: nothing that was remembered or read ahead is ever wrong (RFC 1939 §5).

use crate::kit::{Home, Line, Running, until};
use std::fs;
use std::time::{Duration, SystemTime};

fn text(n: usize) -> String {
    // Around the size of a piece, beyond it, beyond what is read ahead, and nothing at all.
    let lines = [1, 3, 0, 40, 163, 164, 165, 500, 2, 1300, 5, 6][n % 12];
    (0..lines).fold(String::new(), |all, line| {
        all + &format!("{n:05} {line:05} {}\n", "x".repeat(87))
    })
}

/// Puts messages where a delivery would, some with sizes in their names and some without.
fn fill(home: &Home, from: usize, to: usize) {
    for n in from..to {
        let text = text(n);
        let sizes = match n % 3 {
            0 => String::new(),
            _ => {
                let wire = text.len() + text.matches('\n').count();
                format!(",S={},W={wire}", text.len())
            }
        };
        let path = home
            .maildir("joe")
            .join(format!("cur/{}.{n}.mx{sizes}:2,", 1_700_000_000 + n));
        fs::write(&path, &text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + n as u64);
        fs::File::open(&path).unwrap().set_modified(time).unwrap();
    }
}

/// The directories look as if nothing had happened for long, so that a listing is remembered.
fn settle(home: &Home) {
    for folder in ["new", "cur"] {
        let time = SystemTime::now() - Duration::from_secs(60);
        let dir = fs::File::open(home.maildir("joe").join(folder)).unwrap();
        dir.set_modified(time).unwrap();
    }
}

fn login(mtad: &mut Running) -> Line {
    Line::pop3(mtad.pop3(), "joe@example.org", "joe secret")
}

#[track_caller]
fn retrieve(client: &mut Line, command: &str, want: &str) {
    client.send(format!("{command}\r\n").as_bytes());
    assert!(client.line().starts_with("+OK"), "{command}");
    let got = client.body();
    let want: Vec<&str> = want.lines().collect();
    assert!(
        got == want,
        "{command}: {} of {} lines",
        got.len(),
        want.len()
    );
}

#[test]
fn messages_come_whole_in_any_order() {
    let home = Home::new();
    fill(&home, 0, 36);
    let mut mtad = Running::start(&home);
    let mut client = login(&mut mtad);
    let all = |n: usize| text(n);
    for n in 0..36 {
        retrieve(&mut client, &format!("RETR {}", n + 1), &all(n));
    }
    for n in (0..36).rev() {
        retrieve(&mut client, &format!("RETR {}", n + 1), &all(n));
    }
    for n in [0, 1, 5, 6, 2, 3, 4, 4, 20, 21, 22, 0, 1] {
        retrieve(&mut client, &format!("RETR {}", n + 1), &all(n));
    }
    // The lines of a header without an empty line are all header: TOP sends them whole.
    for n in 0..12 {
        retrieve(&mut client, &format!("TOP {} 0", n + 1), &all(n));
    }
    let commands: String = (1..=36).map(|n| format!("RETR {n}\r\n")).collect();
    client.send(commands.as_bytes());
    for n in 0..36 {
        assert!(client.line().starts_with("+OK"));
        assert!(client.body() == all(n).lines().collect::<Vec<_>>(), "{n}");
    }
}

#[test]
fn a_remembered_listing_ends_with_any_change() {
    let home = Home::new();
    fill(&home, 0, 12);
    settle(&home);
    let mut mtad = Running::start(&home);
    let stat = |mtad: &mut Running| {
        let mut client = login(mtad);
        let reply = client.say("STAT");
        client.say("QUIT");
        reply
    };
    let octets = |range: std::ops::Range<usize>| -> usize {
        let wire = |n| text(n).len() + text(n).matches('\n').count();
        range.map(wire).sum()
    };
    for _ in 0..3 {
        assert_eq!(stat(&mut mtad), format!("+OK 12 {}", octets(0..12)));
    }
    fill(&home, 12, 13);
    assert_eq!(stat(&mut mtad), format!("+OK 13 {}", octets(0..13)));
    settle(&home);
    assert_eq!(stat(&mut mtad), format!("+OK 13 {}", octets(0..13)));
    let mut client = login(&mut mtad);
    assert!(client.say("DELE 13").starts_with("+OK"));
    assert!(client.say("QUIT").starts_with("+OK"));
    assert_eq!(stat(&mut mtad), format!("+OK 12 {}", octets(0..12)));
    settle(&home);
    assert_eq!(stat(&mut mtad), format!("+OK 12 {}", octets(0..12)));
    mtad.message(
        "a@client.example",
        &["joe@example.org"],
        "Subject: x\r\n\r\nx",
    );
    until("the message", || {
        stat(&mut mtad).starts_with("+OK 13 ").then_some(())
    });
}
