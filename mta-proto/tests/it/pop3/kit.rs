//! Runs a POP3 server machine against a transcript and a mailbox in memory.

use bytes::Bytes;
use mta_core::Mono;
use mta_proto::pop3::{Admission, Config, Event, Listing, Refusal, Server};
use mta_proto::{Action, Chunk, Machine};
use std::sync::Arc;

/// What an application did and saw.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) output: String,
    pub(crate) events: Vec<String>,
}

/// A mailbox in memory with an application around it.
pub(crate) struct Application {
    pub(crate) messages: Vec<&'static str>,
    /// How many bytes a piece has.
    pub(crate) piece: usize,
    /// The message whose reading fails in the middle, counted from 0.
    pub(crate) fails: Option<u32>,
    pub(crate) events: Vec<String>,
    open: Bytes,
    failing: bool,
}

impl Application {
    pub(crate) fn new(messages: &[&'static str]) -> Self {
        Self {
            messages: messages.to_vec(),
            piece: 7,
            fails: None,
            events: Vec::new(),
            open: Bytes::new(),
            failing: false,
        }
    }

    fn listing(&self) -> Listing {
        let mut listing = Listing::new(1000);
        for (i, message) in self.messages.iter().enumerate() {
            let ends = message.matches('\n').count() - message.matches("\r\n").count();
            let open = if message.ends_with('\n') { 0 } else { 2 };
            let uid = format!("uid{}", i + 1);
            listing
                .push((message.len() + ends + open) as u64, uid.as_bytes())
                .unwrap();
        }
        listing
    }

    fn admission(&self, name: &[u8], word: &[u8]) -> Admission {
        match (name, word) {
            (b"joe", b"sesame" | b"open sesame " | b"0123456789abcdef0123456789ABCDEF") => {
                Admission::Accept(self.listing())
            }
            (b"later", _) => Admission::Refuse(Refusal::UNSURE),
            (b"banned", _) => Admission::Close(Refusal::new(None, "go\r\naway")),
            _ => Admission::Refuse(Refusal::AUTHORIZATION),
        }
    }

    fn open(&mut self, index: u32) -> Result<(), Refusal> {
        let message = self.messages[index as usize];
        self.open = Bytes::from_static(message.as_bytes());
        self.failing = self.fails == Some(index);
        let gone = (message == "gone").then_some(Refusal::NO_MESSAGE);
        gone.map_or(Ok(()), Err)
    }

    pub(crate) fn answer(&mut self, server: &mut Server, event: Event) {
        match event {
            Event::Login {
                name,
                password,
                ticket,
            } => {
                self.events.push(format!("login {}", name.escape_ascii()));
                server.admit(ticket, self.admission(&name, password.expose()));
            }
            Event::Apop {
                name,
                digest,
                ticket,
            } => {
                self.events.push(format!("apop {}", name.escape_ascii()));
                server.admit(ticket, self.admission(&name, digest.expose()));
            }
            Event::Open {
                index,
                lines,
                ticket,
            } => {
                self.events.push(format!("open {index} {lines:?}"));
                server.opened(ticket, self.open(index));
            }
            Event::Need(ticket) => {
                let n = self.piece.min(self.open.len());
                let piece = self.open.split_to(n);
                server.chunk(
                    ticket,
                    match (n, self.failing) {
                        (0, true) => Chunk::Failed,
                        (0, false) => Chunk::End,
                        _ => Chunk::Bytes(piece),
                    },
                );
            }
            Event::Quit { deleted, ticket } => {
                self.events.push(format!("quit {deleted:?}"));
                let stuck = deleted.contains(&3).then_some(Refusal::NOT_REMOVED);
                server.updated(ticket, stuck.map_or(Ok(()), Err));
            }
            Event::TlsStarted => self.events.push("tls".to_owned()),
            Event::Abort(reason) => self.events.push(format!("abort {reason:?}")),
            other => panic!("unknown event {other:?}"),
        }
    }
}

/// Feeds `input` in cuts and returns all that was said and seen.
pub(crate) fn run(
    server: Server,
    application: Application,
    input: &[u8],
    cut: impl FnMut() -> usize,
) -> Seen {
    run_across_tls(server, application, &[input], cut)
}

/// Feeds each of `inputs` in cuts, the next one behind the next handshake.
pub(crate) fn run_across_tls(
    mut server: Server,
    mut application: Application,
    inputs: &[&[u8]],
    mut cut: impl FnMut() -> usize,
) -> Seen {
    let (mut input, mut later) = match inputs {
        [] => (&b""[..], inputs),
        [first, rest @ ..] => (*first, rest),
    };
    let mut output = Vec::new();
    let mut steps = 0;
    loop {
        steps += 1;
        assert!(steps < 200_000, "the machine makes no progress");
        let action = server.poll(Mono::ZERO);
        assert!(server.wire().output().len() <= 16 * 1024 + 600, "output");
        match action {
            Action::Event(event) => application.answer(&mut server, event),
            Action::Read if input.is_empty() => {
                assert!(!server.wire().eof(), "reads behind the end");
                server.wire_mut().push_eof();
            }
            Action::Read => {
                let n = cut().clamp(1, input.len());
                let n = server.wire_mut().push(&input[..n]);
                assert!(n > 0, "asks for input without room");
                input = &input[n..];
            }
            Action::Write | Action::Close => {
                let n = server.wire().output().len();
                output.extend_from_slice(server.wire().output());
                server.wire_mut().advance_output(n);
                if action == Action::Close {
                    assert_eq!(server.poll(Mono::ZERO), Action::Close);
                    break;
                }
            }
            Action::StartTls => {
                assert!(server.wire().output().is_empty(), "the reply left first");
                server.tls_started(Mono::ZERO);
                assert!(server.is_tls());
                assert!(input.is_empty(), "bytes in the clear behind STLS");
                if let [next, rest @ ..] = later {
                    (input, later) = (next, rest);
                }
            }
            Action::Wait => panic!("it waits though nothing is asked"),
        }
    }
    Seen {
        output: String::from_utf8(output).unwrap(),
        events: application.events,
    }
}

/// A greeting of two letters and nothing else out of the ordinary.
pub(crate) fn server() -> Server {
    let config = Config {
        greeting: "hi".into(),
        ..Config::default()
    };
    Server::new(Arc::new(config), Mono::ZERO)
}

/// Splits a transcript into what the client sends and what the server says; `\0`, `\r`, `\n` and
/// `\x` (the line ends without CRLF) may stand in client lines.
pub(crate) fn transcript(text: &str) -> (Vec<u8>, String) {
    let (mut input, mut output) = (String::new(), String::new());
    for line in text.lines().map(str::trim_start) {
        if let Some(said) = line.strip_prefix("C: ") {
            let said = said.replace("\\0", "\0").replace("\\r", "\r");
            input.push_str(&said.replace("\\n", "\n"));
            if let Some(open) = input.strip_suffix("\\x") {
                input = open.to_owned();
            } else {
                input.push_str("\r\n");
            }
        } else if let Some(said) = line.strip_prefix("S: ") {
            output.push_str(said);
            output.push_str("\r\n");
        } else {
            assert!(line.is_empty(), "neither C: nor S: {line:?}");
        }
    }
    (input.into_bytes(), output)
}
