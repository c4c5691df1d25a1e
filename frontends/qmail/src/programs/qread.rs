//! qmail-qread: lists the preprocessed messages with their recipients (qmail-qread(8)).

use crate::failure::{Failure, unwritten};
use crate::io::Io;
use crate::log_spool;
use crate::words::why;
use applet::Exit;
use mta_core::date;
use mta_core::ports::spool::MessageId;
use mta_core::rewrite::Channel;
use mta_store::files::RealFiles;
use mta_store::queue::{Queue, QueueError};
use std::io::Write;
use std::sync::Arc;

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    // Unlike the other programs, the original says everything on standard output.
    match list(io) {
        Ok(()) => {
            log_spool::warn(io, "qmail-qread");
            Ok(Exit::OK)
        }
        Err(Trouble::Output(error)) => Err(unwritten("qmail-qread", &error)),
        Err(Trouble::Queue(error)) => {
            let text = format!("fatal: unable to {}\n", cause(&error));
            let told = io.output.write_all(text.as_bytes());
            told.map_err(|error| unwritten("qmail-qread", &error))?;
            Ok(Exit::TEMPORARY)
        }
    }
}

enum Trouble {
    Queue(QueueError),
    Output(std::io::Error),
}

impl From<QueueError> for Trouble {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

fn list(io: &mut Io<'_>) -> Result<(), Trouble> {
    let queue = Queue::look_at(Arc::new(RealFiles::new()), io.home.join("queue"))?;
    for id in queue.preprocessed()? {
        match describe(&queue, id, &mut *io.output) {
            Err(Trouble::Queue(error)) => {
                let why = reason(&error);
                writeln!(io.output, "warning: trouble with #{id}: {why}")?;
            }
            other => other?,
        }
    }
    Ok(())
}

fn describe(queue: &Queue<RealFiles>, id: MessageId, out: &mut dyn Write) -> Result<(), Trouble> {
    let size = queue.size(id)?;
    let bouncing = queue.layout().bounce(id).exists();
    let info = queue.info(id)?;
    let date = date::qmail(info.birth);
    let date = date.strip_suffix(" -0000").unwrap_or(&date);
    let mut line = format!("{date} GMT  #{id}  {size}  <").into_bytes();
    push_shown(&mut line, info.sender.as_bytes());
    line.extend_from_slice(b"> ");
    if bouncing {
        line.extend_from_slice(b" bouncing");
    }
    line.push(b'\n');
    out.write_all(&line)?;
    for channel in Channel::ALL {
        let mut unwritten = Ok(());
        let read = queue.each_recipient(id, channel, &mut |one, done| {
            let mut line = if done { b"  done".to_vec() } else { Vec::new() };
            line.extend_from_slice(format!("\t{}\t", channel.name()).as_bytes());
            push_shown(&mut line, one.address.as_bytes());
            line.push(b'\n');
            if unwritten.is_ok() {
                unwritten = out.write_all(&line);
            }
        });
        unwritten?;
        read?;
    }
    Ok(())
}

fn push_shown(line: &mut Vec<u8>, address: &[u8]) {
    let shown = |&byte: &u8| if matches!(byte, 32..=126) { byte } else { b'_' };
    line.extend(address.iter().map(shown));
}

/// What the original would say of a message that gives trouble.
fn reason(error: &QueueError) -> String {
    match error {
        QueueError::Io { source, .. } => why(source),
        QueueError::Gone(_) => "file does not exist".to_owned(),
        other => other.to_string(),
    }
}

fn cause(error: &QueueError) -> String {
    match error {
        QueueError::Io {
            doing: "list",
            path,
            source,
        } => {
            format!("opendir {}: {}", path.display(), why(source))
        }
        other => format!("chdir: {}", reason(other)),
    }
}
