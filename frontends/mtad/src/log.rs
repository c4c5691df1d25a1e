//! The log: one event, one line, on standard error; qmail-send's forms verbatim (qmail-log(5)).
//!
//! Events are [`tracing`] events whose message is the line. They carry no time: whoever keeps the
//! log (multilog, journald) adds it. One thread of its own writes, so that a slow reader of the log
//! stops no connection until [`BACKLOG`] lines wait; beyond that lines are waited for, never lost.

use std::fmt;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

/// How many lines wait at most to be written.
pub const BACKLOG: usize = 4096;

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
        let thread = std::thread::Builder::new()
            .name("log".into())
            .spawn(move || write_lines(&receiver))?;
        let lines = Lines { sender };
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
        let _ = self.lines.sender.send(Vec::new());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write_lines(receiver: &Receiver<Vec<u8>>) {
    let mut stderr = io::stderr();
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
        let _ = stderr.write_all(&text);
        if last {
            return;
        }
    }
}

#[derive(Clone, Debug)]
struct Lines {
    sender: SyncSender<Vec<u8>>,
}

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if !text.is_empty() {
            let _ = self.sender.send(text.to_vec());
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
