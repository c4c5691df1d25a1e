//! kill -9 in the middle of a load: whatever got its 250 is delivered after the restart (RFC 5321 §6.1).

use mta_tests::{Home, LineClient, Mtad, until};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Sends numbered messages on one connection until it breaks; notes each that was accepted.
fn sender(to: SocketAddr, first: usize, accepted: &Mutex<BTreeSet<String>>, count: &AtomicUsize) {
    let mut client = LineClient::connect(to);
    client.reply();
    client.send(b"EHLO client.example\r\n");
    client.reply();
    for n in first..first + 10_000 {
        let name = format!("message-{n}");
        client.send(b"MAIL FROM:<a@client.example>\r\nRCPT TO:<joe@example.org>\r\nDATA\r\n");
        let ready = [client.reply(), client.reply(), client.reply()];
        if !ready[2].as_ref().is_some_and(|r| r.starts_with("354")) {
            return;
        }
        client.send(format!("Subject: {name}\r\n\r\nbody\r\n.\r\n").as_bytes());
        match client.reply() {
            Some(reply) if reply.starts_with("250") => {
                accepted.lock().unwrap().insert(name);
                count.fetch_add(1, Ordering::SeqCst);
            }
            _ => return,
        }
    }
}

fn delivered(home: &Home) -> BTreeSet<String> {
    home.mail()
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .filter_map(|text| Some(text.split("Subject: ").nth(1)?.lines().next()?.to_owned()))
        .collect()
}

#[test]
fn everything_accepted_before_a_kill_is_delivered_after_the_restart() {
    survive_kills(&Home::new());
}

#[test]
fn everything_accepted_into_qmails_layout_before_a_kill_is_delivered_after_the_restart() {
    survive_kills(&Home::in_qmail_layout());
}

fn survive_kills(home: &Home) {
    let accepted = Arc::new(Mutex::new(BTreeSet::new()));
    for round in 0..3 {
        let mut mtad = Mtad::start(home);
        let count = Arc::new(AtomicUsize::new(0));
        let to = mtad.smtp();
        let senders: Vec<_> = (0..8)
            .map(|i| {
                let (accepted, count) = (Arc::clone(&accepted), Arc::clone(&count));
                std::thread::spawn(move || {
                    sender(to, round * 1_000_000 + i * 10_000, &accepted, &count)
                })
            })
            .collect();
        until("80 accepted messages", || {
            (count.load(Ordering::SeqCst) >= 80).then_some(())
        });
        mtad.kill9();
        for sender in senders {
            sender.join().unwrap();
        }
    }
    let _mtad = Mtad::start(home);
    let accepted = accepted.lock().unwrap().clone();
    until("every accepted message", || {
        accepted.is_subset(&delivered(home)).then_some(())
    });
    until("an empty queue", || {
        home.mtad(&["queue", "list"], b"")
            .ok()
            .trim()
            .is_empty()
            .then_some(())
    });
}

#[test]
fn sigterm_ends_within_its_time_and_loses_nothing() {
    let home = Home::new();
    home.control("concurrencylocal", "0\n");
    let mut mtad = Mtad::start(&home);
    let mut idle = LineClient::connect(mtad.smtp());
    assert!(idle.reply().unwrap().starts_with("220"));
    let reply = LineClient::send_message(
        mtad.smtp(),
        "a@client.example",
        "joe@example.org",
        "Subject: kept\r\n\r\nbody",
    );
    assert!(reply.starts_with("250"), "{reply}");
    let begin = std::time::Instant::now();
    assert!(mtad.stop().success());
    assert!(begin.elapsed().as_secs() < 10, "took {:?}", begin.elapsed());
    assert!(idle.reply().is_some_and(|r| r.starts_with("421")));
    home.control("concurrencylocal", "10\n");
    let _mtad = Mtad::start(&home);
    until("the kept message", || {
        (home.mail().len() == 1).then_some(())
    });
}
