//! What the targets share: a session fed in pieces and everything it did, for comparison (RFC 5321, RFC 1939).

use bytes::Bytes;
use mta_core::Mono;
use mta_proto::smtp::Reply;
use mta_proto::sasl::{Message, Offer};
use mta_proto::smtp::server::{AuthVerdict, Config, Event, Server, Verdict};
use mta_proto::{Action, Machine};
use std::sync::Arc;
use std::time::Duration;

/// Everything a session did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// All bytes it sent.
    pub output: Vec<u8>,
    /// Its events, bodies left out.
    pub events: Vec<String>,
    /// The body of each transaction, taken together.
    pub bodies: Vec<Vec<u8>>,
    /// Whether it closed.
    pub closed: bool,
    /// Whether bytes in the clear were still to come when the handshake was due: what becomes of
    /// them depends on how fast they come, so that such runs are not compared.
    pub injected: bool,
}

/// Cuts `bytes` at lengths that `cuts` tells, over and over; no cuts leave it whole.
pub fn pieces<'a>(bytes: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut found = Vec::new();
    let mut lengths = cuts.iter().cycle();
    while !rest.is_empty() {
        let n = lengths.next().map_or(rest.len(), |&c| usize::from(c).max(1)).min(rest.len());
        let (piece, tail) = rest.split_at(n);
        found.push(piece);
        rest = tail;
    }
    found
}

/// What is said in the clear, and what behind the handshake: a byte that no command has stands
/// between them.
pub fn across_tls(input: &[u8]) -> (&[u8], &[u8]) {
    let at = input.iter().position(|&b| b == 0xff);
    at.map_or((input, &[]), |at| (&input[..at], &input[at + 1..]))
}

/// How an application answers: each byte decides one question, over and over.
#[derive(Clone, Copy, Debug)]
pub struct Answers<'a>(pub &'a [u8]);

impl Answers<'_> {
    fn verdict(self, nth: usize) -> Verdict {
        let choice = if self.0.is_empty() { 0 } else { self.0[nth % self.0.len()] };
        match choice {
            250 => Verdict::Reply(Reply::fixed(450, "later")),
            251 => Verdict::Reply(Reply::fixed(550, "never")),
            252 => Verdict::Close(Reply::fixed(421, "closing")),
            // A reply that fits no question: the machine must turn it into one that does.
            253 => Verdict::Reply(Reply::fixed(199, "odd\r\nworld")),
            _ => Verdict::Accept,
        }
    }
}

/// Runs a server session on `input` in the given pieces and notes all it does.
///
/// # Panics
/// Panics where a permanent oracle is broken: caps, bounded steps, nothing but Close after Close.
pub fn serve(config: &Arc<Config>, input: &[&[u8]], answers: Answers<'_>) -> Transcript {
    serve_across_tls(config, input, &[], answers)
}

/// The same; `secret` comes behind the handshake.
///
/// # Panics
/// As [`serve`] does.
pub fn serve_across_tls(
    config: &Arc<Config>,
    input: &[&[u8]],
    secret: &[&[u8]],
    answers: Answers<'_>,
) -> Transcript {
    let mut now = Mono::ZERO;
    let mut server = Server::new(Arc::clone(config), now);
    server.offer_auth(Offer::mechanisms(["PLAIN", "X"]));
    let mut seen = Transcript::default();
    let mut questions = 0;
    let total: usize = input.iter().chain(secret).map(|p| p.len()).sum();
    let mut steps = 0;
    let mut waiting = input.iter().copied();
    let mut piece: &[u8] = &[];
    loop {
        steps += 1;
        assert!(steps <= 50 * total + 10_000, "no progress");
        assert!(server.wire().output().len() <= config.limits.output_high_water + 64 * 1024, "output past its mark");
        match server.poll(now) {
            Action::Read => {
                now = now + Duration::from_millis(1);
                while piece.is_empty() {
                    match waiting.next() {
                        Some(next) => piece = next,
                        None => break,
                    }
                }
                if piece.is_empty() {
                    assert!(!server.wire().eof(), "asked for more after the end");
                    server.wire_mut().push_eof();
                } else {
                    let taken = server.wire_mut().push(piece);
                    assert!(taken > 0, "asked to read without room");
                    piece = &piece[taken..];
                }
            }
            Action::Write => flush(&mut server, &mut seen),
            Action::Wait => panic!("waits although every question was answered"),
            Action::StartTls => {
                assert!(server.wire().output().is_empty(), "the reply has not left");
                if !piece.is_empty() || waiting.clone().any(|p| !p.is_empty()) {
                    seen.injected = true;
                    return seen;
                }
                waiting = secret.iter().copied();
                server.tls_started(now);
                assert!(server.is_tls());
            }
            Action::Close => break,
            Action::Event(event) => {
                note(&mut server, event, answers, &mut questions, &mut seen);
            }
        }
    }
    flush(&mut server, &mut seen);
    assert!(matches!(server.poll(now), Action::Close), "went on after Close");
    seen.closed = true;
    seen
}

fn flush(server: &mut Server, seen: &mut Transcript) {
    let n = server.wire().output().len();
    seen.output.extend_from_slice(server.wire().output());
    server.wire_mut().advance_output(n);
}

fn note(server: &mut Server, event: Event, answers: Answers<'_>, questions: &mut usize, seen: &mut Transcript) {
    let verdict = answers.verdict(*questions);
    match event {
        Event::Body(bytes) => {
            assert!(!bytes.is_empty(), "an empty piece");
            if let Some(body) = seen.bodies.last_mut() {
                body.extend_from_slice(&bytes);
            }
            return;
        }
        Event::Abort(reason) => {
            seen.events.push(format!("abort {reason:?}"));
            return;
        }
        Event::Connected(ticket) => server.answer(ticket, verdict),
        Event::Hello { name, extended, ticket } => {
            seen.events.push(format!("hello {name:?} {extended}"));
            server.answer(ticket, verdict);
        }
        Event::TlsStarted => {
            server.offer_auth(Offer::mechanisms(["PLAIN", "X"]));
            return;
        }
        Event::AuthCancelled => {
            seen.events.push("cancelled".to_owned());
            return;
        }
        Event::Auth { mechanism, initial, ticket } => {
            seen.events.push(format!("auth {mechanism} {:?}", initial.as_ref().map(Message::expose)));
            server.answer_auth(ticket, step(verdict));
        }
        Event::AuthResponse { message, ticket } => {
            seen.events.push(format!("response {:?}", message.expose()));
            server.answer_auth(ticket, step(verdict));
        }
        Event::Mail { from, params, size, ticket } => {
            seen.events.push(format!("mail {from:?} {params:?} {size:?}"));
            server.answer(ticket, verdict);
        }
        Event::Rcpt { to, params, ticket } => {
            seen.events.push(format!("rcpt {to:?} {params:?}"));
            server.answer(ticket, verdict);
        }
        Event::Data(ticket) => {
            seen.events.push("data".to_owned());
            seen.bodies.push(Vec::new());
            server.answer(ticket, verdict);
        }
        Event::End { size, ticket } => {
            let body = seen.bodies.last().map_or(0, Vec::len);
            assert_eq!(size, body as u64, "the size is not that of the pieces");
            seen.events.push(format!("end {size}"));
            server.answer(ticket, verdict);
        }
        _ => {}
    }
    *questions += 1;
}

/// The same decision about an exchange; every other acceptance asks on.
fn step(verdict: Verdict) -> AuthVerdict {
    match verdict {
        Verdict::Accept => AuthVerdict::Challenge(b"more".to_vec()),
        Verdict::Reply(reply) if reply.code() == 450 => AuthVerdict::Accept,
        Verdict::Reply(reply) => AuthVerdict::Refuse(reply),
        Verdict::Close(reply) => AuthVerdict::Close(reply),
    }
}

/// The bytes after the first `n`, and those `n` (fewer where there are fewer).
pub fn split(data: &[u8], n: usize) -> (&[u8], &[u8]) {
    data.split_at(n.min(data.len()))
}

/// A body piece.
pub fn bytes(data: &[u8]) -> Bytes {
    Bytes::copy_from_slice(data)
}
