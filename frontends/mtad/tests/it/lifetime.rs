//! Start, signals, crash and end: nothing that was acknowledged is lost (RFC 5321 §6.1, qmail-send(8)).

use crate::kit::{Home, Line, Running, until};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn the_first_start_makes_a_home_that_works() {
    let home = Home::nowhere();
    let mut mtad = Running::start(&home);
    let file = home.path().join("first-user");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = fs::read_to_string(&file).unwrap();
    let [address, password] = text.lines().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(address, "postmaster@localhost");
    mtad.logged(file.to_str().unwrap());
    assert!(!mtad.log().iter().any(|line| line.contains(password)));
    let reply = mtad.message("a@client.example", &[address], "Subject: first\r\n\r\nx");
    assert!(reply.starts_with("250"), "{reply}");
    mtad.logged("end msg ");
    let mut pop = Line::pop3(mtad.pop3(), address, password);
    assert!(pop.say("STAT").starts_with("+OK 1 "));
    assert!(
        home.run(&["check", "--no-dns"], "")
            .out
            .contains("not an open relay")
    );
}

#[test]
fn everything_accepted_before_a_kill_is_delivered_after_the_restart() {
    let home = Home::new();
    let accepted = Mutex::new(BTreeSet::new());
    for round in 0..3 {
        let mut mtad = Running::start(&home);
        let (to, count) = (mtad.smtp(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for n in 0..6 {
                let (accepted, count) = (&accepted, &count);
                scope.spawn(move || load(to, &format!("r{round}-s{n}"), accepted, count));
            }
            until("accepted messages", || {
                (count.load(Ordering::SeqCst) >= 60).then_some(())
            });
            mtad.kill();
        });
    }
    let _mtad = Running::start(&home);
    let accepted = accepted.into_inner().unwrap();
    until("every accepted message", || {
        let mail = home.mail("joe");
        let name = |text: &String| Some(text.split_once("Subject: ")?.1.lines().next()?.to_owned());
        let there: BTreeSet<String> = mail.iter().filter_map(name).collect();
        accepted.is_subset(&there).then_some(())
    });
    until("an empty queue", || {
        home.run(&["queue", "list"], "")
            .ok()
            .is_empty()
            .then_some(())
    });
}

/// Sends until the connection breaks and notes what was accepted.
fn load(
    to: std::net::SocketAddr,
    name: &str,
    accepted: &Mutex<BTreeSet<String>>,
    count: &AtomicUsize,
) {
    let mut client = Line::smtp(to);
    for n in 0..10_000 {
        let subject = format!("{name}-{n}");
        let text = "MAIL FROM:<a@client.example>\r\nRCPT TO:<joe@example.org>\r\nDATA\r\n";
        if !client.try_send(text.as_bytes()) {
            return;
        }
        let replies = [client.reply(), client.reply(), client.reply()];
        let text = format!("Subject: {subject}\r\n\r\nbody\r\n.\r\n");
        if !replies[2].starts_with("354") || !client.try_send(text.as_bytes()) {
            return;
        }
        if !client.reply().starts_with("250") {
            return;
        }
        accepted.lock().unwrap().insert(subject);
        count.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn term_ends_idle_sessions_at_once_and_busy_ones_after_their_time() {
    let home = Home::new();
    home.config("[timeouts]\nstop = 1\n");
    let mut mtad = Running::start(&home);
    let mut idle = Line::smtp(mtad.smtp());
    let mut pop = Line::pop3(mtad.pop3(), "joe@example.org", "joe secret");
    let mut busy = Line::smtp(mtad.smtp());
    busy.say("MAIL FROM:<a@client.example>");
    busy.say("RCPT TO:<joe@example.org>");
    assert!(busy.say("DATA").starts_with("354"));
    busy.send(b"Subject: half\r\n\r\nnot the e");
    let begin = Instant::now();
    mtad.signal(Signal::SIGTERM);
    assert!(idle.reply().starts_with("421 4.3.2 "));
    assert!(pop.rest().starts_with("-ERR [SYS/TEMP] "));
    assert!(busy.reply().starts_with("421 4.3.2 "));
    assert!(mtad.ended().success());
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    mtad.logged("status: exiting");
    assert_eq!(home.queued(), 0);
}

#[test]
fn a_message_under_way_is_finished_after_term() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    let mut busy = Line::smtp(mtad.smtp());
    busy.say("MAIL FROM:<a@client.example>");
    busy.say("RCPT TO:<joe@example.org>");
    busy.say("DATA");
    mtad.signal(Signal::SIGTERM);
    until("the listener to go", || {
        std::net::TcpStream::connect(mtad.smtp())
            .is_err()
            .then_some(())
    });
    assert!(busy.say("Subject: late\r\n\r\nx\r\n.").starts_with("250"));
    assert!(busy.reply().starts_with("421"));
    assert!(mtad.ended().success());
    let _mtad = Running::start(&home);
    until("the message", || home.mail("joe").pop());
}

#[test]
fn hup_reads_the_control_files_again_and_bad_ones_change_nothing() {
    let home = Home::new();
    let mut mtad = Running::start(&home);
    let rcpt = |mtad: &mut Running, to: &str| {
        let mut client = Line::smtp(mtad.smtp());
        client.say("MAIL FROM:<>");
        client.say(&format!("RCPT TO:<{to}>"))
    };
    assert!(rcpt(&mut mtad, "root@new.example").starts_with("553"));
    home.control("locals", "mx.example.org\nnew.example\n");
    home.control("rcpthosts", "mx.example.org\nexample.org\nnew.example\n");
    mtad.signal(Signal::SIGHUP);
    mtad.logged("control files read again");
    assert!(rcpt(&mut mtad, "root@new.example").starts_with("250"));
    home.control("concurrencylocal", "3\n");
    mtad.signal(Signal::SIGHUP);
    mtad.logged("status: local 0/3 remote 0/20");
    fs::remove_file(home.path().join("control/locals")).unwrap();
    fs::create_dir(home.path().join("control/locals")).unwrap();
    mtad.signal(Signal::SIGHUP);
    let said = mtad.logged("alert: unable to reread controls: ");
    assert!(said.contains("control/locals"), "{said}");
    assert!(rcpt(&mut mtad, "root@new.example").starts_with("250"));
}

#[test]
fn a_queue_that_is_gone_is_made_anew_and_one_that_is_elsewhere_is_not() {
    let home = Home::new();
    let queue = home.path().join("queue");
    fs::remove_dir_all(&queue).unwrap();
    let mut mtad = Running::start(&home);
    mtad.logged("queue was gone; it is made anew and empty");
    let to = ["joe@example.org"];
    let reply = mtad.message("a@client.example", &to, "Subject: x\r\n\r\nx");
    assert!(reply.starts_with("250"), "{reply}");
    until("the message", || home.mail("joe").pop());
    assert!(mtad.stop().success());
    fs::remove_dir_all(&queue).unwrap();
    let said = home.run(&["init"], "").ok();
    assert!(said.contains("anew and empty"), "{said}");
    assert!(queue.join("mess").is_dir());
    fs::remove_dir_all(&queue).unwrap();
    std::os::unix::fs::symlink("/nowhere/queue", &queue).unwrap();
    let refused = home.run(
        &["serve", "--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0"],
        "",
    );
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.err.contains("unable to open the queue"),
        "{}",
        refused.err
    );
}

#[test]
fn alarm_tries_everything_again() {
    let home = Home::new();
    fs::write(home.path().join("alias/.qmail-box"), "./box/\n").unwrap();
    let mut mtad = Running::start(&home);
    mtad.message("a@client.example", &["box@mx.example.org"], "x");
    mtad.logged("delivery 1: deferral: Unable_to_chdir_to_maildir.");
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(home.path().join("alias/box").join(part)).unwrap();
    }
    mtad.signal(Signal::SIGALRM);
    mtad.logged("delivery 2: success: did_1+0+0/");
}

#[test]
fn two_servers_do_not_drain_one_queue() {
    let home = Home::new();
    let _mtad = Running::start(&home);
    let second = home.run(
        &["serve", "--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0"],
        "",
    );
    assert_eq!(second.code, Some(111));
    assert!(second.err.contains("already running"), "{}", second.err);
}

#[test]
fn a_remote_host_that_hangs_does_not_hold_the_end() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let home = Home::new();
    home.config("relay_from = [\"127.0.0.0/8\"]\n[timeouts]\nstop = 1\n");
    home.control("smtproutes", &format!(":127.0.0.1:{port}\n"));
    let mut mtad = Running::start(&home);
    mtad.message("joe@example.org", &["a@far.example"], "x");
    let _held = silent.accept().unwrap();
    let begin = Instant::now();
    assert!(mtad.stop().success());
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    let list = home.run(&["queue", "list"], "").ok();
    assert!(list.contains("\tremote\ta@far.example\n"), "{list}");
}
