//! Runs the SMTP client machine against a dialogue and writes down what came of it.

use bytes::Bytes;
use mta_core::report::Report;
use mta_core::{Address, Mono};
use mta_proto::smtp::client::{Chunk, Client, Config, Event, Extensions, Transaction};
use mta_proto::{Action, Machine};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// A message that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) transaction: Transaction,
    pub(crate) body: &'static str,
    /// Whether reading the body fails at its end.
    pub(crate) fails: bool,
}

/// A session: the settings and the messages for it.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) config: Config,
    pub(crate) mails: Vec<Mail>,
    /// How many bytes of a body a chunk has.
    pub(crate) chunk: usize,
}

pub(crate) fn address(text: &str) -> Address {
    Address::new(text.as_bytes().to_vec()).unwrap()
}

pub(crate) fn mail(from: &str, to: &[&str], body: &'static str) -> Mail {
    Mail {
        transaction: Transaction::new(address(from), to.iter().map(|to| address(to))),
        body,
        fails: false,
    }
}

pub(crate) fn session(mails: &[Mail]) -> Session {
    Session {
        config: Config {
            helo: "me.example".into(),
            ..Config::default()
        },
        mails: mails.to_vec(),
        chunk: 5,
    }
}

/// Runs the dialogue whole, byte by byte and cut at random; each must go as it is written.
///
/// `S:` is what the server sends; `C:` what the client sends; `E:` what the application is told,
/// with `|` for a line end; `S: <eof>` is a server that hangs up, `T: 7` seven seconds of silence,
/// `S+ x` a line without its end.
#[track_caller]
pub(crate) fn check(session: &Session, script: &str) {
    let script: String = script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .fold(String::new(), |all, line| all + line + "\n");
    let whole = Run::new(session).play(&script, &mut || usize::MAX);
    assert_eq!(whole, script, "fed whole");
    let bytewise = Run::new(session).play(&script, &mut || 1);
    assert_eq!(bytewise, script, "fed byte by byte");
    for seed in 1..20 {
        let mut random = Random(seed);
        let mut cut = || 1 + random.below(9);
        let cut = Run::new(session).play(&script, &mut cut);
        assert_eq!(cut, script, "cut at random, seed {seed}");
    }
}

pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

struct Run {
    client: Client,
    session: Session,
    mails: VecDeque<Mail>,
    body: Bytes,
    fails: bool,
    now: Mono,
    record: String,
    /// Output of which the line end is not there yet.
    partial: Vec<u8>,
    closed: bool,
}

impl Run {
    fn new(session: &Session) -> Self {
        let config = Arc::new(session.config.clone());
        Self {
            client: Client::new(config, "192.0.2.1", Mono::ZERO),
            session: session.clone(),
            mails: session.mails.clone().into(),
            body: Bytes::new(),
            fails: false,
            now: Mono::ZERO,
            record: String::new(),
            partial: Vec::new(),
            closed: false,
        }
    }

    fn play(mut self, script: &str, cut: &mut dyn FnMut() -> usize) -> String {
        let mut lines = script.lines().peekable();
        self.settle();
        while let Some(line) = lines.next() {
            let (mark, text) = line.split_at(2);
            let text = text.strip_prefix(' ').unwrap_or(text);
            if mark == "S:" || mark == "S+" {
                // A block of server lines goes out in one piece before it is cut.
                let mut block = Vec::new();
                let mut next = Some((mark, text));
                let mut eof = false;
                while let Some((mark, text)) = next {
                    self.record += format!("{mark} {text}").trim_end();
                    self.record += "\n";
                    match (mark, text) {
                        (_, "<eof>") => eof = true,
                        ("S+", _) => block.extend_from_slice(text.as_bytes()),
                        _ => block.extend_from_slice(format!("{text}\r\n").as_bytes()),
                    }
                    next = lines
                        .next_if(|line| line.starts_with("S:") || line.starts_with("S+"))
                        .map(|line| (&line[..2], line[2..].strip_prefix(' ').unwrap_or("")));
                }
                self.feed(&block, cut);
                if eof {
                    self.client.wire_mut().push_eof();
                    self.settle();
                }
            } else if mark == "T:" {
                self.record += &format!("{line}\n");
                self.now = self.now + Duration::from_secs(text.parse().unwrap());
                self.settle();
            }
        }
        self.finish()
    }

    fn finish(mut self) -> String {
        if !self.partial.is_empty() {
            self.record += &format!("C+ {}\n", self.partial.escape_ascii());
        }
        if self.closed {
            assert_eq!(
                self.client.poll(self.now),
                Action::Close,
                "after Close only Close"
            );
            assert_eq!(self.client.deadline(), None);
        }
        self.record
    }

    fn feed(&mut self, mut bytes: &[u8], cut: &mut dyn FnMut() -> usize) {
        while !bytes.is_empty() && !self.closed {
            let end = cut().min(bytes.len());
            let taken = self.client.wire_mut().push(&bytes[..end]);
            assert!(taken > 0, "the input is full");
            bytes = &bytes[taken..];
            self.settle();
        }
    }

    /// Polls until nothing moves any more.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            let action = self.client.poll(self.now);
            let cap = self.session.config.output_high_water + 40_000;
            assert!(
                self.client.wire().output().len() <= cap,
                "output passes its cap"
            );
            let drained = self.drain();
            match action {
                Action::Event(event) => self.handle(event),
                Action::StartTls => {
                    self.record += "E: tls\n";
                    self.client.tls_started(self.now);
                }
                Action::Close => {
                    if !self.closed {
                        self.record += "E: close\n";
                    }
                    self.closed = true;
                    return;
                }
                Action::Write => {}
                Action::Read | Action::Wait if drained == 0 => return,
                Action::Read | Action::Wait => {}
            }
        }
        panic!("the machine makes no progress:\n{}", self.record);
    }

    fn drain(&mut self) -> usize {
        let output = self.client.wire().output().to_vec();
        self.client.wire_mut().advance_output(output.len());
        self.partial.extend_from_slice(&output);
        while let Some(end) = self.partial.windows(2).position(|w| w == b"\r\n") {
            let line: Vec<u8> = self.partial.drain(..end + 2).collect();
            let line = &line[..end];
            assert!(
                !line.contains(&b'\n') && !line.contains(&b'\r'),
                "bare CR or LF"
            );
            self.record += format!("C: {}", String::from_utf8_lossy(line)).trim_end();
            self.record += "\n";
        }
        output.len()
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Ready { extensions } => {
                self.record += format!("E: ready {}", offered(extensions)).trim_end();
                self.record += "\n";
                self.next();
            }
            Event::Need(ticket) => {
                let piece = self.body.split_to(self.session.chunk.min(self.body.len()));
                let chunk = match (piece.is_empty(), self.fails) {
                    (false, _) => Chunk::Bytes(piece),
                    (true, false) => Chunk::End,
                    (true, true) => Chunk::Failed,
                };
                self.client.chunk(ticket, chunk);
            }
            Event::Finished(reports) => {
                reports.iter().for_each(|report| self.note("", report));
                if self.client.is_ready() {
                    self.next();
                }
            }
            Event::Unusable {
                report,
                try_next_mx,
            } => self.note(if try_next_mx { "next " } else { "again " }, &report),
            other => panic!("unknown event {other:?}"),
        }
    }

    fn note(&mut self, what: &str, report: &Report) {
        let letter = char::from(report.outcome.letter());
        let text = String::from_utf8_lossy(&report.text).replace('\n', "|");
        self.record += format!("E: {what}{letter} {text}\n").as_str();
    }

    fn next(&mut self) {
        if let Some(mail) = self.mails.pop_front() {
            self.body = Bytes::from_static(mail.body.as_bytes());
            self.fails = mail.fails;
            self.client.begin(mail.transaction).unwrap();
        } else {
            assert!(self.client.quit());
        }
    }
}

fn offered(e: Extensions) -> String {
    let named = [
        (e.esmtp, "ESMTP"),
        (e.pipelining, "PIPELINING"),
        (e.size.is_some(), "SIZE"),
        (e.eight_bit_mime, "8BITMIME"),
        (e.smtputf8, "SMTPUTF8"),
        (e.dsn, "DSN"),
        (e.starttls, "STARTTLS"),
    ];
    let named = named.iter().filter(|(on, _)| *on).map(|(_, name)| *name);
    named.collect::<Vec<_>>().join(" ")
}
