//! What must hold of an SMTP server session whatever it is fed; needs nothing but the public API,
//! so that fuzz targets include this file (RFC 5321, RFC 2920).
#![allow(dead_code, reason = "each user of this file calls only a part of it")]

use mta_core::Mono;
use mta_proto::smtp::server::{
    AbortReason, Commit, Config, DataStart, Event, Greeting, Hello, LineEnds, Mail, Newline, Rcpt,
    Server, Stand, Verdict,
};
use mta_proto::smtp::{Enhanced, Reply, Told};
use mta_proto::{Action, Machine, Ticket};
use std::collections::VecDeque;
use std::sync::Arc;

/// An event without its ticket; pieces of one body are joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Connected,
    Hello(Vec<u8>, bool),
    Xclient(String),
    Mail(Vec<u8>, String),
    Rcpt(Vec<u8>, String),
    Data,
    Body(Vec<u8>),
    End(u64),
    Abort(AbortReason),
    TlsStarted,
}

/// All that a session showed.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) replies: Vec<u8>,
    pub(crate) seen: Vec<Seen>,
}

impl Trace {
    /// The codes of the replies, each of which must be well formed.
    pub(crate) fn codes(&self) -> Vec<u16> {
        codes(&self.replies)
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "\n{}{:?}",
            String::from_utf8_lossy(&self.replies),
            self.seen
        )
    }
}

/// Reads the codes of complete replies.
pub(crate) fn codes(mut wire: &[u8]) -> Vec<u16> {
    let mut codes = Vec::new();
    let mut begun = None;
    while !wire.is_empty() {
        let end = wire.iter().position(|&b| b == b'\n').expect("whole lines") + 1;
        let (line, rest) = wire.split_at(end);
        wire = rest;
        assert!(
            line.len() <= 512 && line.ends_with(b"\r\n"),
            "{}",
            line.escape_ascii()
        );
        let code = std::str::from_utf8(&line[..3])
            .unwrap()
            .parse::<u16>()
            .unwrap();
        assert!(
            begun.is_none_or(|b| b == code),
            "one code in all lines of a reply"
        );
        match line[3] {
            b'-' => begun = Some(code),
            b' ' => {
                begun = None;
                codes.push(code);
            }
            _ => panic!("{}", line.escape_ascii()),
        }
    }
    assert!(begun.is_none(), "a reply has a last line");
    codes
}

/// When questions are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answering {
    /// As soon as they are asked.
    AtOnce,
    /// When the session can go no further without; the last one first.
    Late,
}

/// A question with the answer it is going to get.
enum Asked {
    Greeting(Ticket<Greeting>),
    Hello(Ticket<Hello>),
    Stand(Ticket<Stand>),
    Mail(Ticket<Mail>),
    Rcpt(Ticket<Rcpt>),
    Data(Ticket<DataStart>),
    Commit(Ticket<Commit>),
}

/// A server session with an application that decides by name: see [`verdict`].
pub(crate) struct Session {
    pub(crate) server: Server,
    pub(crate) now: Mono,
    pub(crate) trace: Trace,
    config: Arc<Config>,
    answering: Answering,
    waiting: VecDeque<(Asked, Verdict)>,
    sender: Vec<u8>,
    in_transaction: bool,
    in_body: bool,
    size: u64,
    steps: usize,
    fed: usize,
    closed: bool,
}

impl Session {
    pub(crate) fn new(config: &Arc<Config>, answering: Answering) -> Self {
        Self {
            server: Server::new(config.clone(), Mono::ZERO),
            now: Mono::ZERO,
            trace: Trace::default(),
            config: config.clone(),
            answering,
            waiting: VecDeque::new(),
            sender: Vec::new(),
            in_transaction: false,
            in_body: false,
            size: 0,
            steps: 0,
            fed: 0,
            closed: false,
        }
    }

    /// Feeds `input` in pieces whose sizes `cuts` gives in turn, and runs until more is needed.
    pub(crate) fn feed(&mut self, mut input: &[u8], cuts: &mut dyn Iterator<Item = usize>) {
        while !self.settle() && !input.is_empty() {
            let most = cuts.next().unwrap_or(input.len()).clamp(1, input.len());
            let room = self.server.wire().room();
            assert!(room > 0, "it asks to read though nothing more fits in");
            let taken = self.server.wire_mut().push(&input[..most]);
            assert_eq!(taken, most.min(room));
            self.fed += taken;
            input = &input[taken..];
        }
    }

    /// Ends the input.
    pub(crate) fn hang_up(&mut self) {
        if !self.settle() {
            self.server.wire_mut().push_eof();
            assert!(self.settle(), "nothing more can come, so it closes");
        }
    }

    /// Runs until the session needs input or has closed; tells whether it has closed.
    pub(crate) fn settle(&mut self) -> bool {
        while !self.closed {
            self.steps += 1;
            assert!(
                self.steps <= 20 * self.fed + 1000,
                "steps are bounded by the input"
            );
            let action = self.server.poll(self.now);
            self.check_caps();
            match action {
                Action::Read => {
                    self.drain();
                    if !self.answer_late() {
                        return false;
                    }
                }
                Action::Write => {
                    assert!(!self.server.wire().output().is_empty());
                    self.drain();
                }
                Action::Wait => assert!(self.answer_late(), "it waits though nothing is asked"),
                Action::Event(event) => self.event(event),
                Action::StartTls => {
                    assert!(self.server.wire().output().is_empty());
                    self.server.tls_started(self.now);
                }
                Action::Close => self.close(),
            }
        }
        true
    }

    fn check_caps(&self) {
        let limits = &self.config.limits;
        let cap = limits.input_buffer.max(limits.command_line).max(512);
        assert!(self.server.wire().room() <= cap);
        let most = limits.output_high_water + 3 * 64 * 512;
        assert!(
            self.server.wire().output().len() <= most,
            "output is bounded"
        );
    }

    fn drain(&mut self) {
        let wire = self.server.wire_mut();
        self.trace.replies.extend_from_slice(wire.output());
        let n = wire.output().len();
        wire.advance_output(n);
    }

    fn close(&mut self) {
        self.drain();
        for _ in 0..3 {
            self.server.wire_mut().push(b"NOOP\r\n");
            assert!(matches!(self.server.poll(self.now), Action::Close));
            assert!(self.server.wire().output().is_empty());
        }
        assert!(!self.in_transaction, "a transaction ends with End or Abort");
        self.closed = true;
    }

    fn answer_late(&mut self) -> bool {
        let some = !self.waiting.is_empty();
        while let Some((asked, verdict)) = self.waiting.pop_back() {
            self.answer(asked, verdict);
        }
        some
    }

    fn answer(&mut self, asked: Asked, verdict: Verdict) {
        let server = &mut self.server;
        match asked {
            Asked::Greeting(ticket) => server.answer(ticket, verdict),
            Asked::Hello(ticket) => server.answer(ticket, verdict),
            Asked::Stand(ticket) => server.answer(ticket, verdict),
            Asked::Rcpt(ticket) => server.answer(ticket, verdict),
            Asked::Commit(ticket) => server.answer(ticket, verdict),
            Asked::Mail(ticket) => {
                self.in_transaction = verdict == Verdict::Accept;
                server.answer(ticket, verdict);
            }
            Asked::Data(ticket) => {
                self.in_body = verdict == Verdict::Accept;
                server.answer(ticket, verdict);
            }
        }
    }

    fn event(&mut self, event: Event) {
        let body = matches!(event, Event::Body(_) | Event::End { .. } | Event::Abort(_));
        assert!(
            !self.in_body || body,
            "nothing happens within a body but its end: {event:?}"
        );
        let verdict = verdict(&event, &self.sender);
        let (seen, asked) = self.see(event);
        // Whoever looks ahead sees recipients behind one at which the session is going to close.
        let doomed = self
            .waiting
            .iter()
            .any(|(_, v)| matches!(v, Verdict::Close(_)));
        match (self.trace.seen.last_mut(), seen) {
            _ if doomed => {}
            (Some(Seen::Body(all)), Seen::Body(more)) => all.extend_from_slice(&more),
            (_, seen) => self.trace.seen.push(seen),
        }
        if let Some(asked) = asked {
            match self.answering {
                Answering::AtOnce => self.answer(asked, verdict),
                Answering::Late => {
                    let most = self.config.limits.open_questions.max(1);
                    self.waiting.push_back((asked, verdict));
                    assert!(self.waiting.len() <= most, "no more questions than allowed");
                }
            }
        }
    }

    fn see(&mut self, event: Event) -> (Seen, Option<Asked>) {
        match event {
            Event::Connected(ticket) => (Seen::Connected, Some(Asked::Greeting(ticket))),
            Event::Hello {
                name,
                extended,
                ticket,
            } => {
                assert!(!self.in_transaction, "the old transaction is aborted first");
                (
                    Seen::Hello(name.to_vec(), extended),
                    Some(Asked::Hello(ticket)),
                )
            }
            Event::Xclient { client, ticket } => {
                assert!(self.config.xclient, "only where it is offered");
                assert!(!self.in_transaction, "a message has one client");
                let told = format!("{:?} {:?}", client.addr, client.helo);
                (Seen::Xclient(told), Some(Asked::Stand(ticket)))
            }
            Event::Mail {
                from,
                params,
                size,
                ticket,
            } => {
                assert!(!self.in_transaction, "transactions do not nest");
                self.sender = from.as_bytes().to_vec();
                self.size = 0;
                let params = format!("{params:?} {size:?}");
                (
                    Seen::Mail(self.sender.clone(), params),
                    Some(Asked::Mail(ticket)),
                )
            }
            Event::Rcpt { to, params, ticket } => {
                assert!(self.in_transaction);
                let params = format!("{params:?}");
                (
                    Seen::Rcpt(to.as_bytes().to_vec(), params),
                    Some(Asked::Rcpt(ticket)),
                )
            }
            Event::Data(ticket) => {
                assert!(self.in_transaction);
                (Seen::Data, Some(Asked::Data(ticket)))
            }
            Event::Body(text) => {
                self.body(&text);
                (Seen::Body(text.to_vec()), None)
            }
            Event::End { size, ticket } => {
                assert!(std::mem::take(&mut self.in_transaction));
                assert!(std::mem::take(&mut self.in_body));
                assert_eq!(size, self.size, "the size is that of the pieces");
                (Seen::End(size), Some(Asked::Commit(ticket)))
            }
            other => (self.see_news(&other), None),
        }
    }

    /// What is told without a question.
    fn see_news(&mut self, event: &Event) -> Seen {
        match event {
            Event::Abort(reason) => {
                assert!(std::mem::take(&mut self.in_transaction), "{reason:?}");
                self.in_body = false;
                Seen::Abort(*reason)
            }
            Event::TlsStarted => {
                assert!(!self.in_transaction, "nothing said in the clear counts");
                Seen::TlsStarted
            }
            other => panic!("{other:?}"),
        }
    }

    fn body(&mut self, text: &[u8]) {
        let limits = &self.config.limits;
        assert!(self.in_body && self.in_transaction);
        assert!(!text.is_empty(), "no empty pieces");
        assert!(!text.contains(&0), "no NUL is handed out");
        if self.config.newline == Newline::Lf {
            assert!(!text.contains(&b'\r'), "no CR is handed out");
        }
        if self.config.line_ends == LineEnds::Strict {
            assert!(text.len() <= limits.input_buffer.max(limits.command_line).max(512));
        }
        self.size += text.len() as u64;
        assert!(limits.message_size == 0 || self.size <= limits.message_size);
    }
}

/// Decides by name: local parts say what becomes of them.
pub(crate) fn verdict(event: &Event, sender: &[u8]) -> Verdict {
    let refuse = |code, subject, detail| {
        Verdict::Reply(Reply::fixed(code, "as you wished").with(Enhanced::new(subject, detail)))
    };
    match event {
        Event::Hello { name, .. } if name == "refused" => refuse(550, 7, 1),
        Event::Xclient { client, .. } if client.login != Told::Unsaid => refuse(550, 7, 0),
        Event::Mail { from, .. } if from.local() == b"spammer" => refuse(550, 7, 1),
        Event::Rcpt { to, .. } => match to.local() {
            b"nobody" => refuse(550, 1, 1),
            b"later" => refuse(451, 7, 1),
            b"leave" => Verdict::Close(Reply::fixed(421, "go away").with(Enhanced::new(7, 0))),
            _ => Verdict::Accept,
        },
        Event::Data(_) if sender.starts_with(b"full@") => refuse(452, 3, 1),
        Event::End { .. } if sender.starts_with(b"broken@") => refuse(451, 3, 0),
        _ => Verdict::Accept,
    }
}

/// Feeds one whole session in pieces and hangs up.
pub(crate) fn run(
    config: &Arc<Config>,
    input: &[u8],
    answering: Answering,
    cuts: &mut dyn Iterator<Item = usize>,
) -> Trace {
    let mut session = Session::new(config, answering);
    session.feed(input, cuts);
    session.hang_up();
    session.trace
}

/// Checks that neither the cuts of the input nor the moment of the answers can be seen from the
/// outside.
pub(crate) fn check(config: &Arc<Config>, input: &[u8], cuts: &[usize]) -> Trace {
    let whole = run(config, input, Answering::AtOnce, &mut std::iter::empty());
    let bytes = run(config, input, Answering::AtOnce, &mut std::iter::repeat(1));
    assert_eq!(whole, bytes, "whole and byte by byte");
    if !cuts.is_empty() {
        let cut = run(
            config,
            input,
            Answering::Late,
            &mut cuts.iter().copied().cycle(),
        );
        assert_eq!(whole, cut, "whole and cut");
    }
    let late = run(config, input, Answering::Late, &mut std::iter::empty());
    assert_eq!(whole, late, "answered at once and late");
    whole.codes();
    whole
}

/// A session whose first bytes choose the settings: the property that fuzz targets feed.
pub(crate) fn fuzz(data: &[u8]) {
    let Some((&[choice, size, cut], input)) = data.split_first_chunk::<3>() else {
        return;
    };
    let mut config = Config::new("mx.example.org");
    let bit = |n: u8| choice >> n & 1 == 1;
    if bit(0) {
        config.newline = Newline::Crlf;
    }
    if bit(1) {
        config.line_ends = LineEnds::Normalise;
    }
    if bit(2) {
        config.limits.message_size = u64::from(size);
    }
    if bit(3) {
        config.limits.open_questions = 4;
    }
    if bit(4) {
        config.limits.input_buffer = 512;
        config.limits.command_line = 512;
        config.limits.output_high_water = 64;
    }
    config.dsn = bit(5);
    config.xclient = bit(5);
    config.smtputf8 = bit(6);
    config.limits.errors = if bit(7) { 0 } else { 5 };
    config.limits.recipients = 3;
    config.limits.header_size = 200;
    config.limits.hops = 3;
    check(
        &Arc::new(config),
        input,
        &[usize::from(cut) + 1, usize::from(size) + 1],
    );
}
