//! Dialogues that a mail administrator can read, run whole, byte by byte and cut at random.
//!
//! ```text
//! C: a line that the client sends
//! R: bytes that it sends without CRLF, with Rust's escapes \r \n \0
//! S: a line that the server answers
//! E: an event of the server session
//! ```
//! Lines stand in the order in which things happen when the client waits for each answer. What the
//! application decides is told by the names: see [`crate::oracle::verdict`].

use crate::oracle::{self, Answering, Seen, Session};
use mta_proto::smtp::server::Config;
use std::sync::Arc;

/// One dialogue with its name.
pub(crate) struct Transcript {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

impl Transcript {
    fn lines(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let lines = self.text.lines().map(str::trim_start);
        lines.filter(|line| !line.is_empty()).map(|line| {
            let line = if line.len() == 2 {
                (line, "")
            } else {
                line.split_at(3)
            };
            (line.0.trim_end(), line.1)
        })
    }

    /// Everything that the client says.
    pub(crate) fn input(&self) -> Vec<u8> {
        self.lines()
            .flat_map(|(kind, text)| sent(kind, text))
            .collect()
    }

    fn expected(&self, wanted: &str) -> String {
        let lines = self.lines().filter(|(kind, _)| *kind == wanted);
        lines.map(|(_, text)| format!("{text}\n")).collect()
    }

    /// Runs the dialogue in lock step, whole, byte by byte, and cut as `cuts` says.
    pub(crate) fn run(&self, config: &Arc<Config>, cuts: &[usize]) {
        self.run_in_step(config);
        let trace = oracle::check(config, &self.input(), cuts);
        let replies = String::from_utf8(trace.replies)
            .unwrap()
            .replace("\r\n", "\n");
        assert_eq!(replies, self.expected("S:"), "{}: replies", self.name);
        let events: String = trace
            .seen
            .iter()
            .map(|e| format!("{}\n", describe(e)))
            .collect();
        // A session that the transcript leaves open ends when the client hangs up.
        let events = events.trim_end_matches("abort Disconnected\n");
        let expected = self.expected("E:");
        let expected = expected.trim_end_matches("abort Disconnected\n");
        assert_eq!(events, expected, "{}: events", self.name);
    }

    /// Sends a line only when all answers before it have come.
    fn run_in_step(&self, config: &Arc<Config>) {
        let mut session = Session::new(config, Answering::AtOnce);
        session.settle();
        let (mut replies, mut events) = (0, Vec::new());
        for (kind, text) in self.lines() {
            match kind {
                "S:" => {
                    let line = format!("{text}\r\n");
                    let came = session.trace.replies.get(replies..).unwrap();
                    let came = String::from_utf8_lossy(came).into_owned();
                    assert!(came.starts_with(&line), "{}: {text} but {came}", self.name);
                    replies += line.len();
                }
                "E:" => events.push(text),
                _ => {
                    let all = session.trace.replies.len();
                    assert_eq!(replies, all, "{}: an answer before {text}", self.name);
                    session.feed(&sent(kind, text), &mut std::iter::empty());
                    session.settle();
                }
            }
        }
        assert_eq!(
            replies,
            session.trace.replies.len(),
            "{}: more replies",
            self.name
        );
        let seen: Vec<_> = session.trace.seen.iter().map(describe).collect();
        if events.last() == Some(&"abort Disconnected") {
            events.pop();
        }
        assert_eq!(seen, events, "{}: events in step", self.name);
    }
}

fn sent(kind: &str, text: &str) -> Vec<u8> {
    match kind {
        "C:" => format!("{text}\r\n").into_bytes(),
        "R:" => unescape(text),
        "S:" | "E:" => Vec::new(),
        other => panic!("what is {other}?"),
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let text = text.replace("\\r", "\r").replace("\\n", "\n");
    text.replace("\\0", "\0").into_bytes()
}

fn describe(seen: &Seen) -> String {
    match seen {
        Seen::Connected => "connected".to_owned(),
        Seen::Hello(name, extended) => {
            let verb = if *extended { "ehlo" } else { "helo" };
            format!("{verb} {}", name.escape_ascii())
        }
        Seen::Xclient(told) => format!("xclient {told}"),
        Seen::Mail(from, _) => format!("mail <{}>", String::from_utf8_lossy(from)),
        Seen::Rcpt(to, _) => format!("rcpt <{}>", String::from_utf8_lossy(to)),
        Seen::Data => "data".to_owned(),
        Seen::Body(text) => format!("body {}", text.escape_ascii()),
        Seen::End(size) => format!("end {size}"),
        Seen::Abort(reason) => format!("abort {reason:?}"),
        Seen::TlsStarted => "tls".to_owned(),
    }
}
