//! splogger: sends the lines of standard input to the system's log (splogger(8)).

use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;
use mta_core::control::rules;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, SystemTime};

const SOCKET: &str = "/dev/log";
/// A line is cut into pieces of so many bytes.
const LONGEST: usize = 799;
/// The log's facility for mail.
const MAIL: u64 = 2;

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let argument = |at: usize| io.arguments.get(at).map(|text| text.as_bytes().to_vec());
    let tag = argument(0).unwrap_or_else(|| b"splogger".to_vec());
    let facility = argument(1).map_or(MAIL, |text| rules::number(&text).unwrap_or(0));
    let mut lines = Lines::new(tag, facility);
    let mut log = Log::default();
    let mut buffer = vec![0; 4096];
    loop {
        let n = match io.input.read(&mut buffer) {
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => 0,
        };
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = since.unwrap_or_default();
        for &byte in buffer.get(..n).unwrap_or_default() {
            lines.push(byte, now, &mut |line| log.send(line));
        }
        if n == 0 {
            lines.flush(now, &mut |line| log.send(line));
            return Ok(Exit::OK);
        }
    }
}

/// The log's socket, opened again after the log was restarted. Where there is none, lines are lost,
/// as with syslog(3).
#[derive(Default)]
struct Log(Option<UnixDatagram>);

impl Log {
    fn send(&mut self, line: &[u8]) {
        for _ in 0..2 {
            if self.0.is_none() {
                let opened = UnixDatagram::unbound();
                self.0 = opened.ok().filter(|socket| socket.connect(SOCKET).is_ok());
            }
            match &self.0 {
                Some(socket) if socket.send(line).is_ok() => return,
                _ => self.0 = None,
            }
        }
    }
}

/// Cuts a stream into what the log gets.
struct Lines {
    tag: Vec<u8>,
    facility: u64,
    text: Vec<u8>,
    /// Priority and time of the line whose first piece was sent.
    begun: Option<(u64, String)>,
}

impl Lines {
    const fn new(tag: Vec<u8>, facility: u64) -> Self {
        Self {
            tag,
            facility,
            text: Vec::new(),
            begun: None,
        }
    }

    fn push(&mut self, byte: u8, now: Duration, send: &mut dyn FnMut(&[u8])) {
        if byte == b'\n' {
            self.flush(now, send);
            self.begun = None;
            return;
        }
        if self.text.len() == LONGEST {
            self.flush(now, send);
        }
        self.text
            .push(if matches!(byte, 32..=126) { byte } else { b'?' });
    }

    fn flush(&mut self, now: Duration, send: &mut dyn FnMut(&[u8])) {
        if self.text.is_empty() {
            return;
        }
        let text = std::mem::take(&mut self.text);
        let mark = if self.begun.is_some() { '+' } else { ' ' };
        let (priority, stamp) = self.begun.get_or_insert_with(|| {
            let stamp = format!("{}.{:06}", now.as_secs(), now.subsec_micros());
            (priority(&text), stamp)
        });
        let code = self.facility.saturating_mul(8).saturating_add(*priority);
        let mut line = format!("<{code}>").into_bytes();
        line.extend_from_slice(&self.tag);
        line.extend_from_slice(format!(": {stamp}{mark}").as_bytes());
        line.extend_from_slice(&text);
        send(&line);
    }
}

/// syslog's numbers for alert, warning and info.
fn priority(text: &[u8]) -> u64 {
    match text {
        _ if text.starts_with(b"alert:") => 1,
        _ if text.starts_with(b"warning:") => 4,
        _ => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(b"qmail".to_vec(), MAIL);
        let mut all = Vec::new();
        let now = Duration::from_micros(1_000_042);
        let mut send = |line: &[u8]| all.push(String::from_utf8(line.to_vec()).unwrap());
        for &byte in text {
            lines.push(byte, now, &mut send);
        }
        lines.flush(now, &mut send);
        all
    }

    #[test]
    fn lines_get_time_and_priority() {
        let rows: [(&str, &[u8], &[&str]); 6] = [
            ("plain", b"new msg 1\n", &["<22>qmail: 1.000042 new msg 1"]),
            (
                "warning",
                b"warning: x\n",
                &["<20>qmail: 1.000042 warning: x"],
            ),
            ("alert", b"alert: x\n", &["<17>qmail: 1.000042 alert: x"]),
            ("blank lines", b"\n\na\n\n", &["<22>qmail: 1.000042 a"]),
            (
                "unprintable",
                b"a\x07\xff\tb\n",
                &["<22>qmail: 1.000042 a???b"],
            ),
            ("no LF at the end", b"a", &["<22>qmail: 1.000042 a"]),
        ];
        for (name, text, want) in rows {
            assert_eq!(sent(text), want, "{name}");
        }
    }

    #[test]
    fn long_lines_are_folded_with_the_priority_of_their_start() {
        let text = [b"alert:".as_slice(), &[b'x'; 1000], b"\nb\n"].concat();
        let all = sent(&text);
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].len(), "<17>qmail: 1.000042 ".len() + LONGEST);
        assert!(all[1].starts_with("<17>qmail: 1.000042+xxx"), "{}", all[1]);
        assert_eq!(all[2], "<22>qmail: 1.000042 b");
    }
}
