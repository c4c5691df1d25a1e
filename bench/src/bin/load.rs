//! A load client for SMTP and POP3 that prints one JSON line: rate and latency (RFC 5321, RFC 1939).
//!
//! `load smtp HOST:PORT CONC COUNT SIZE new|keep FROM TO [pipeline]`
//! `load pop3 HOST:PORT CONC COUNT USER PASSWORD login|all`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measuring tool run by hand: it stops with what went wrong"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

struct Lines(BufReader<TcpStream>);

impl Lines {
    fn connect(to: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self(BufReader::with_capacity(32 * 1024, stream)))
    }

    fn say(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    fn line(&mut self) -> std::io::Result<Vec<u8>> {
        let mut line = Vec::with_capacity(128);
        self.0.read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line)
    }

    /// Reads one reply and wants its first digit.
    fn expect(&mut self, first: u8) -> std::io::Result<()> {
        loop {
            let line = self.line()?;
            if line.get(3) == Some(&b'-') {
                continue;
            }
            if line[0] == first {
                return Ok(());
            }
            return Err(std::io::Error::other(
                String::from_utf8_lossy(&line).into_owned(),
            ));
        }
    }
}

struct Smtp {
    to: SocketAddr,
    keep: bool,
    pipeline: bool,
    envelope: [String; 2],
    message: Vec<u8>,
}

impl Smtp {
    fn message(size: usize) -> Vec<u8> {
        let mut message = b"From: <load@load.example>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-Id: <load@load.example>\r\nSubject: load\r\n\r\n".to_vec();
        while message.len() < size {
            message.extend_from_slice(&[b'X'; 76]);
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(b".\r\n");
        message
    }

    fn one(&self, connection: &mut Option<Lines>) -> std::io::Result<()> {
        let lines = match connection {
            Some(lines) => lines,
            None => {
                let mut lines = Lines::connect(self.to)?;
                lines.expect(b'2')?;
                lines.say(b"EHLO load.example\r\n")?;
                lines.expect(b'2')?;
                connection.insert(lines)
            }
        };
        let [from, to] = &self.envelope;
        let commands = [
            format!("MAIL FROM:<{from}>\r\n"),
            format!("RCPT TO:<{to}>\r\n"),
            "DATA\r\n".to_owned(),
        ];
        if self.pipeline {
            lines.say(commands.concat().as_bytes())?;
        }
        for (command, first) in commands.iter().zip([b'2', b'2', b'3']) {
            if !self.pipeline {
                lines.say(command.as_bytes())?;
            }
            lines.expect(first)?;
        }
        lines.say(&self.message)?;
        lines.expect(b'2')?;
        if !self.keep {
            lines.say(b"QUIT\r\n")?;
            *connection = None;
        }
        Ok(())
    }
}

struct Pop3 {
    to: SocketAddr,
    user: String,
    password: String,
    all: bool,
}

impl Pop3 {
    /// Logs in and, where wanted, retrieves every message; returns how many.
    fn one(&self) -> std::io::Result<usize> {
        let mut lines = Lines::connect(self.to)?;
        lines.line()?;
        for command in [
            format!("USER {}\r\n", self.user),
            format!("PASS {}\r\n", self.password),
            "STAT\r\n".to_owned(),
        ] {
            lines.say(command.as_bytes())?;
            let line = lines.line()?;
            if line[0] != b'+' {
                return Err(std::io::Error::other(
                    String::from_utf8_lossy(&line).into_owned(),
                ));
            }
            if command == "STAT\r\n" && self.all {
                let text = String::from_utf8_lossy(&line).into_owned();
                let count: usize = text
                    .split(' ')
                    .nth(1)
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(0);
                self.retrieve(&mut lines, count)?;
                return Ok(count);
            }
        }
        lines.say(b"QUIT\r\n")?;
        lines.line()?;
        Ok(1)
    }

    fn retrieve(&self, lines: &mut Lines, count: usize) -> std::io::Result<()> {
        for n in 1..=count {
            lines.say(format!("RETR {n}\r\n").as_bytes())?;
            while lines.line()? != b".\r\n" {}
        }
        lines.say(b"QUIT\r\n")?;
        lines.line().map(drop)
    }
}

/// Runs `count` pieces of work on `threads` threads; returns seconds, latencies and failures.
fn measure(
    threads: usize,
    count: usize,
    work: impl Fn(&mut Option<Lines>) -> std::io::Result<usize> + Sync,
) {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let begin = Instant::now();
    let mut latencies: Vec<Duration> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = None;
                    let mut latencies = Vec::new();
                    while next.fetch_add(1, Ordering::Relaxed) < count {
                        let start = Instant::now();
                        match work(&mut connection) {
                            Ok(n) => {
                                done.fetch_add(n, Ordering::Relaxed);
                                latencies.push(start.elapsed());
                            }
                            Err(e) => {
                                eprintln_once(&e);
                                connection = None;
                            }
                        }
                    }
                    latencies
                })
            })
            .collect();
        handles
            .into_iter()
            .flat_map(|h| h.join().unwrap())
            .collect()
    });
    let seconds = begin.elapsed().as_secs_f64();
    latencies.sort();
    let at = |p: usize| {
        latencies
            .get((latencies.len() * p / 100).min(latencies.len().saturating_sub(1)))
            .map_or(0.0, |d| d.as_secs_f64() * 1000.0)
    };
    let (good, all) = (latencies.len(), done.load(Ordering::Relaxed));
    println!(
        "{{\"rate\":{:.1},\"seconds\":{seconds:.3},\"ok\":{good},\"failed\":{},\"p50_ms\":{:.3},\"p99_ms\":{:.3}}}",
        all as f64 / seconds,
        count - good,
        at(50),
        at(99)
    );
}

#[expect(
    clippy::print_stderr,
    reason = "the first failure is told where a person sees it"
)]
fn eprintln_once(error: &std::io::Error) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| eprintln!("load: {error}"));
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [
            "smtp",
            to,
            threads,
            count,
            size,
            mode,
            from,
            rcpt,
            ref rest @ ..,
        ] => {
            let smtp = Smtp {
                to: to.parse().expect("HOST:PORT"),
                keep: mode == "keep",
                pipeline: rest.contains(&"pipeline"),
                envelope: [from.to_owned(), rcpt.to_owned()],
                message: Smtp::message(size.parse().expect("SIZE")),
            };
            measure(
                threads.parse().expect("CONC"),
                count.parse().expect("COUNT"),
                |c| smtp.one(c).map(|()| 1),
            );
        }
        ["pop3", to, threads, count, user, password, mode] => {
            let pop3 = Pop3 {
                to: to.parse().expect("HOST:PORT"),
                user: user.to_owned(),
                password: password.to_owned(),
                all: mode == "all",
            };
            measure(
                threads.parse().expect("CONC"),
                count.parse().expect("COUNT"),
                |_| pop3.one(),
            );
        }
        _ => panic!(
            "usage: load smtp HOST:PORT CONC COUNT SIZE new|keep FROM TO [pipeline] | load pop3 HOST:PORT CONC COUNT USER PASSWORD login|all"
        ),
    }
}
