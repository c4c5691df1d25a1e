//! Ten thousand idle connections beside a live one: the live one does not feel them (RFC 5321 §4.5.3.2).

use crate::kit::{Home, Line, Running};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const WANTED: usize = 10_000;
/// What the server keeps from sessions, and this process for itself.
const OTHERS: usize = 1024;

/// Raises the limit of open files for this process and the server that it starts; returns how many
/// idle connections there is room for. The server counts two descriptors for each.
fn room() -> usize {
    let wanted = (2 * (WANTED + 100) + OTHERS) as u64;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // Root may go beyond the hard limit, as far as the kernel goes.
    let limit = [wanted.max(most), most]
        .into_iter()
        .find(|&limit| setrlimit(Resource::RLIMIT_NOFILE, limit, limit).is_ok());
    let files = usize::try_from(limit.unwrap_or(most)).unwrap_or(usize::MAX);
    ((files.saturating_sub(OTHERS)) / 2)
        .saturating_sub(100)
        .min(WANTED)
}

#[test]
fn ten_thousand_idle_connections_do_not_slow_a_live_one() {
    let held = room();
    if held < WANTED {
        let said = format!("room for {held} of {WANTED} connections");
        let said = writeln!(std::io::stderr(), "skipped: open files leave {said}");
        said.unwrap();
    }
    let most = held + 50;
    let home = Home::new();
    home.config(&format!(
        "[limits]\nsmtp_sessions = {most}\npop3_sessions = 10\nsessions_per_client = {most}\nsessions_per_network = {most}\n"
    ));
    let mut mtad = Running::start(&home);
    let to = mtad.smtp();
    let idle: Vec<TcpStream> = (0..held)
        .map(|n| {
            let mut stream = TcpStream::connect(to).unwrap();
            let patience = Some(Duration::from_secs(60));
            stream.set_read_timeout(patience).unwrap();
            let mut greeting = [0; 3];
            stream.read_exact(&mut greeting).unwrap();
            assert_eq!(&greeting, b"220", "connection {n}");
            stream
        })
        .collect();
    // Whatever else this machine does, one of these is not held up by it.
    let quickest = (0..20).map(|_| {
        let begin = Instant::now();
        let mut live = Line::smtp(to);
        assert!(live.say("NOOP").starts_with("250 "));
        begin.elapsed()
    });
    let quickest = quickest.min().unwrap();
    assert!(quickest < Duration::from_secs(1), "{quickest:?}");
    drop(idle);
}
