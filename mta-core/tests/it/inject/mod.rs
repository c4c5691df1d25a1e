//! Header rewriting and generation (spec §11.1 to §11.3).

mod addresses;
mod envelope;
mod generated;
mod properties;
mod reading;

use mta_core::Unix;
use mta_core::inject::{
    Environment, Fed, Hosts, InjectError, Injection, Injector, LastLine, Settings,
};

/// 3 Jan 2026 04:05:06 UTC.
const NOW: Unix = Unix(1_767_413_106);
const PID: u32 = 42;
/// What is put before a message that has neither Date nor Message-ID.
const STAMP: &str = "Date: 3 Jan 2026 04:05:06 -0000\n\
                     Message-ID: <20260103040506.42.qmail@id.example.com>\n";
const FROM: &str = "From: joe@mail.example.com\n";

fn hosts() -> Hosts {
    let mut hosts = Hosts::default();
    hosts.defaulthost = b"mail.example.com".to_vec();
    hosts.defaultdomain = b"example.com".to_vec();
    hosts.plusdomain = b"plus.example.net".to_vec();
    hosts.idhost = b"id.example.com".to_vec();
    hosts
}

fn environment(set: &[(&'static str, &str)]) -> Environment {
    Environment::read(|name| {
        let found = set.iter().find(|(set, _)| *set == name);
        found.map(|(_, value)| value.as_bytes().to_vec())
    })
}

fn settings(set: &[(&'static str, &str)]) -> Settings {
    let user = [&[("USER", "joe")], set].concat();
    let first = user.iter().rev().copied().collect::<Vec<_>>();
    Settings::new(hosts(), environment(&first), NOW, PID)
}

/// Injects a message that comes in the given pieces; returns the whole new message as well.
fn run(
    settings: Settings,
    arguments: &[&str],
    pieces: &[&[u8]],
) -> Result<(Injection, Vec<u8>), InjectError> {
    let arguments = arguments.iter().map(|text| text.as_bytes());
    let mut injector = Injector::new(settings, arguments)?;
    let mut body = Vec::new();
    for piece in pieces {
        match injector.feed(piece)? {
            Fed::More => assert!(body.is_empty()),
            Fed::Body { taken } => body.extend_from_slice(&piece[taken..]),
        }
    }
    let injection = injector.finish()?;
    let mut last = LastLine::default();
    last.pass(&injection.head);
    last.pass(&body);
    let message = [&injection.head, &*body, last.completion()].concat();
    Ok((injection, message))
}

/// What came of a message: its text and its envelope as `sender to recipient recipient`.
fn injected(settings: Settings, arguments: &[&str], message: &str) -> (String, String) {
    let (injection, text) = run(settings, arguments, &[message.as_bytes()])
        .unwrap_or_else(|error| panic!("{}: {message:?}", error.stderr()));
    let mut envelope = shown(injection.sender.as_bytes()) + " to";
    for recipient in &injection.recipients {
        envelope += &format!(" {}", shown(recipient.as_bytes()));
    }
    (shown(&text), envelope)
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Rewrites one field of a message that lacks nothing; returns the field and the recipients.
fn rewritten(field: &str) -> (String, String) {
    let to = if field.starts_with("To") { "" } else { "Cc:\n" };
    let rest = format!("Date: d\nMessage-ID: <m>\nFrom: joe@a.example\n{to}");
    let (text, envelope) = injected(settings(&[]), &[], &format!("{rest}{field}\n"));
    let field = text.strip_prefix(&rest);
    let field = field.unwrap_or_else(|| panic!("{text:?}")).to_owned();
    let recipients = envelope.split_once(" to").unwrap().1.trim();
    (field, recipients.to_owned())
}
