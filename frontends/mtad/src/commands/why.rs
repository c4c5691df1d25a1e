//! `mtad why`: a message's whole story, from the journal and the queue's own files (qmail-qread(8), qmail-log(5)).

use super::{ask, queue};
use crate::Failure;
use crate::home::Home;
use crate::journal;
use mta_core::date;
use mta_store::files::RealFiles;
use mta_store::queue::MessageId;
use mta_store::store::Store;
use std::io::{BufRead, BufReader, Write};

/// How many lines of a header are looked at for who sent a message.
const HEADER_LINES: usize = 20;
/// The longest line that is looked at, in bytes.
const LINE_MAX: u64 = 64 * 1024;

pub(super) fn run(home: &Home, id: u64, out: &mut dyn Write) -> Result<(), Failure> {
    let id = MessageId(id);
    let queue = ask::queue(home)?;
    let story = journal::story(&home.queue(), id)
        .map_err(|error| Failure::file("read the journal in", &home.queue(), &error))?;
    for event in &story {
        let at = date::qmail(event.at);
        let at = at.strip_suffix(" -0000").unwrap_or(&at);
        writeln!(out, "{at} GMT  {:<7} {}", event.word, event.text)?;
    }
    let begins = story.first().map(|event| &*event.word);
    let mut state = Vec::new();
    let queued = queue::state(&queue, id, &mut state)?;
    let store = queue::look(&queue)?;
    if queued && begins != Some("taken") {
        // Put into the queue by another program, or longer ago than the journal reaches.
        received(&store, id, out)?;
    }
    match (queued, story.is_empty()) {
        (true, _) => {
            writeln!(out, "in the queue now:")?;
            out.write_all(&state)?;
            failures(&store, id, out)
        }
        (false, false) => Ok(()),
        (false, true) => Err(Failure::permanent(format!(
            "there is no message {id}, and the journal does not reach back to one"
        ))),
    }
}

/// Who handed the message over, as its own header says: the two lines that this host wrote.
fn received(store: &Store<RealFiles>, id: MessageId, out: &mut dyn Write) -> Result<(), Failure> {
    use std::io::Read;
    let message = match store.open_message(id) {
        // Nobody has taken it over yet; then there is no story to tell either.
        Err(error) if error.is_missing() => return Ok(()),
        other => other.map_err(ask::failure)?,
    };
    let path = store.place(id);
    let mut reader = BufReader::new(message.reader().take(LINE_MAX));
    let (mut fields, mut line) = (0, Vec::new());
    for _ in 0..HEADER_LINES {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        let n = read.map_err(|error| Failure::file("read", &path, &error))?;
        let folded = line.first().is_some_and(|b| matches!(b, b' ' | b'\t'));
        fields += usize::from(line.starts_with(b"Received:"));
        if n == 0 || fields > 2 || !(folded || line.starts_with(b"Received:")) {
            break;
        }
        let text =
            String::from_utf8_lossy(line.trim_ascii()).replace(|c: char| c.is_control(), "_");
        writeln!(out, "its header:  {text}")?;
    }
    Ok(())
}

/// Who failed so far, which a bounce will tell.
fn failures(store: &Store<RealFiles>, id: MessageId, out: &mut dyn Write) -> Result<(), Failure> {
    let Some(text) = store.bounce(id).map_err(ask::failure)? else {
        return Ok(());
    };
    writeln!(out, "\tits sender will hear:")?;
    for line in text.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
        let shown = String::from_utf8_lossy(line).replace(|c: char| c.is_control(), "_");
        writeln!(out, "\t\t{shown}")?;
    }
    Ok(())
}
