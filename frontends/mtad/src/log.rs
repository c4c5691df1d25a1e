//! The log: one event, one line, on standard error; qmail-send's forms verbatim (qmail-log(5)).
//!
//! Events are [`tracing`] events whose message is the line. They carry no time: whoever keeps the
//! log (multilog, journald) adds it. One thread of its own writes, so that a slow reader of the log
//! stops no connection until [`BACKLOG`] lines wait. Then lines are waited for, but not longer than
//! [`PATIENCE`]: a log that nobody reads stops neither mail nor SIGTERM. What is lost is counted, and
//! the count is the first line that can be written again.

use mta_store::queue::Quarantined;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

/// How many lines wait at most to be written.
pub const BACKLOG: usize = 4096;
/// How long a full backlog is waited for before lines are lost.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether there is room again.
const LOOK: Duration = Duration::from_millis(10);

/// Keeps the writing thread; dropping it writes what still waits.
#[derive(Debug)]
pub struct Log {
    lines: Lines,
    thread: Option<JoinHandle<()>>,
}

impl Log {
    /// Starts the thread and sends every event of this process to it.
    ///
    /// # Errors
    /// Fails where the thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let (sender, receiver) = sync_channel(BACKLOG);
        let lines = Lines {
            sender,
            stall: Arc::default(),
        };
        let stall = Arc::clone(&lines.stall);
        let thread = std::thread::Builder::new()
            .name("log".into())
            .spawn(move || write_lines(&receiver, &stall, &mut io::stderr()))?;
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::INFO)
            .event_format(Plain)
            .with_writer(lines.clone())
            .finish();
        // Only a second start in one process, as in a test, can find another subscriber in place.
        let _ = tracing::subscriber::set_global_default(subscriber);
        Ok(Self {
            lines,
            thread: Some(thread),
        })
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // An empty piece tells the thread to end; the subscriber's own sender lives on.
        let give_up = Instant::now() + PATIENCE;
        self.lines.send(Vec::new());
        let Some(thread) = self.thread.take() else {
            return;
        };
        while !thread.is_finished() && Instant::now() < give_up {
            std::thread::sleep(LOOK);
        }
        // One that still writes is stuck, and ends with the process.
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

fn write_lines(receiver: &Receiver<Vec<u8>>, stall: &Stall, out: &mut dyn Write) {
    while let Ok(mut text) = receiver.recv() {
        let mut last = text.is_empty();
        // Whatever waits leaves in one write.
        while let Ok(more) = receiver.try_recv() {
            last |= more.is_empty();
            text.extend_from_slice(&more);
            if text.len() > 64 * 1024 {
                break;
            }
        }
        // There is nowhere left to tell that the log itself is broken.
        let _ = out.write_all(&text);
        let lost = stall.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(out, "warning: {lost} lines of the log were lost");
        }
        if last {
            return;
        }
    }
}

/// Tells where broken files of the queue are now, and why; silent where there were none.
pub fn put_aside(one: &Quarantined) {
    let files = one.files.iter().map(|path| path.display().to_string());
    let files: Vec<String> = files.collect();
    if !files.is_empty() {
        tracing::warn!("put aside as {}: {}", files.join(" "), one.reason);
    }
}

/// What is known of a reader that does not keep up.
#[derive(Debug, Default)]
struct Stall {
    /// Waiting was in vain, and is not tried again before there is room.
    hopeless: AtomicBool,
    lost: AtomicU64,
}

#[derive(Clone, Debug)]
struct Lines {
    sender: SyncSender<Vec<u8>>,
    stall: Arc<Stall>,
}

impl Lines {
    fn send(&self, mut piece: Vec<u8>) {
        let give_up = Instant::now() + PATIENCE;
        loop {
            piece = match self.sender.try_send(piece) {
                Ok(()) => return self.stall.hopeless.store(false, Ordering::Relaxed),
                Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(piece)) => piece,
            };
            if self.stall.hopeless.load(Ordering::Relaxed) || Instant::now() >= give_up {
                self.stall.hopeless.store(true, Ordering::Relaxed);
                self.stall.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if !text.is_empty() {
            self.send(text.to_vec());
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The line and nothing else; warnings and errors get the words that qmail-send's readers look for.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match *event.metadata().level() {
            Level::ERROR => writer.write_str("alert: ")?,
            Level::WARN => writer.write_str("warning: ")?,
            _ => {}
        }
        let mut text = String::new();
        context.format_fields(Writer::new(&mut text), event)?;
        // Paths and errors may hold what a stranger chose; an event stays one line all the same.
        for letter in text.chars() {
            writer.write_char(if letter.is_control() { '_' } else { letter })?;
        }
        writeln!(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_nobody_took_are_counted_where_the_log_goes_on() {
        let (sender, receiver) = sync_channel(2);
        let stall = Arc::new(Stall::default());
        stall.hopeless.store(true, Ordering::Relaxed);
        let lines = Lines {
            sender,
            stall: Arc::clone(&stall),
        };
        for n in 1..=5 {
            lines.send(format!("line {n}\n").into_bytes());
        }
        drop(lines);
        let mut out = Vec::new();
        write_lines(&receiver, &stall, &mut out);
        let said = String::from_utf8(out).unwrap();
        assert_eq!(
            said,
            "line 1\nline 2\nwarning: 3 lines of the log were lost\n"
        );
    }
}
