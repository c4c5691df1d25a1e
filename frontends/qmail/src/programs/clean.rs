//! qmail-clean: removes files of the queue for qmail-send, which has no right to (qmail-clean(8), spec §3.3, §3.4).

use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;
use mta_core::Unix;
use mta_core::ports::spool::MessageId;
use mta_store::files::RealFiles;
use mta_store::queue::Queue;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::SystemTime;

/// How long a request is, its NUL included.
const LENGTH: std::ops::RangeInclusive<usize> = 7..=100;
/// After so many requests the leftovers of writers are looked for again.
const OFTEN: u32 = 30;

/// What a request asks to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    /// `todo/ID`
    Envelope(MessageId),
    /// `foop/ID`
    Message(MessageId),
}

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let nothing = |_| Failure::silent(Exit::TEMPORARY);
    let queue = Queue::look_at(Arc::new(RealFiles::new()), io.home.join("queue"));
    let queue = queue.map_err(|_| Failure::silent(Exit::TEMPORARY))?;
    let mut requests = sys::take(0).map(File::from).map_err(nothing)?;
    let mut answers = sys::take(1).map(File::from).map_err(nothing)?;
    let mut line = Vec::new();
    let mut answered = 0_u32;
    // What cannot be removed now is looked at again later.
    let _ = queue.reap_unnamed(now());
    let mut piece = [0; 256];
    loop {
        let n = match requests.read(&mut piece) {
            Ok(0) => return Ok(Exit::OK),
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return Ok(Exit::OK),
        };
        for &byte in piece.get(..n).unwrap_or_default() {
            // One byte too many is kept, so that the length tells.
            if line.len() <= *LENGTH.end() {
                line.push(byte);
            }
            if byte != 0 {
                continue;
            }
            let answer = answer(&queue, &line);
            line.clear();
            answers
                .write_all(&[answer])
                .map_err(|_| Failure::silent(Exit::PERMANENT))?;
            answered = answered.wrapping_add(1);
            if answered.is_multiple_of(OFTEN) {
                let _ = queue.reap_unnamed(now());
            }
        }
    }
}

fn answer(queue: &Queue<RealFiles>, line: &[u8]) -> u8 {
    let cleaned = match read(line) {
        None => return b'x',
        Some(Request::Envelope(id)) => queue.clean_envelope(id),
        Some(Request::Message(id)) => queue.clean_message(id),
    };
    match cleaned {
        Ok(()) => b'+',
        Err(_) => b'!',
    }
}

/// Reads a request with the NUL at its end.
fn read(line: &[u8]) -> Option<Request> {
    if !LENGTH.contains(&line.len()) {
        return None;
    }
    let line = line.strip_suffix(b"\0")?;
    let digits = line.get(5..)?;
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let id = MessageId(std::str::from_utf8(digits).ok()?.parse().ok()?);
    match line.get(..5)? {
        b"todo/" => Some(Request::Envelope(id)),
        b"foop/" => Some(Request::Message(id)),
        _ => None,
    }
}

fn now() -> Unix {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Unix(since.map(|since| since.as_secs()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_requests_with_a_number_are_obeyed() {
        let id = MessageId(12);
        let long = [b"todo/".as_slice(), &[b'0'; 100], b"\0"].concat();
        let rows: [(&[u8], Option<Request>); 12] = [
            (b"todo/12\0", Some(Request::Envelope(id))),
            (b"foop/12\0", Some(Request::Message(id))),
            (b"foop/1\0", Some(Request::Message(MessageId(1)))),
            (b"foop/\0", None),
            (b"mess/12\0", None),
            (b"todo/12/..\0", None),
            (b"todo/../1\0", None),
            (b"todo/-1\0", None),
            (b"todo/1 \0", None),
            (b"todo/99999999999999999999999\0", None),
            (b"\0", None),
            (&long, None),
        ];
        for (line, want) in rows {
            assert_eq!(read(line), want, "{}", line.escape_ascii());
        }
    }
}
