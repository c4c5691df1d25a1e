//! Messages that a test sends through the log, with a ledger of what was promised when (docs/spool-log.md).

use crate::life::{NOW, address, route};
use mta_core::Envelope;
use mta_core::rewrite::Channel;
use mta_store::files::{Files, SimFiles};
use mta_store::log::Log;
use mta_store::queue::{MessageId, Origin, QueueError};
use std::sync::{Arc, Mutex};

pub(crate) const DIR: &str = "/log";
/// Small, so that a few messages fill several segments.
pub(crate) const SEGMENT: u64 = 1024;
const TEXT: &[u8] = b"<b@remote>:\nno such mailbox\n\n";

/// One message and when what became of it; times are call numbers of the simulated disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Letter {
    body: Vec<u8>,
    id: Option<MessageId>,
    queued: Option<u64>,
    /// For each recipient, when its mark began and when it was promised.
    marks: Vec<(Option<u64>, Option<u64>)>,
    bounced: (Option<u64>, Option<u64>),
    cleared: (Option<u64>, Option<u64>),
    ended: Option<u64>,
}

/// A log on a simulated disk with all letters; clones share both.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pub(crate) disk: SimFiles,
    letters: Arc<Mutex<Vec<Letter>>>,
}

pub(crate) fn open(disk: &SimFiles) -> Result<Log<SimFiles>, QueueError> {
    Log::open_with(Arc::new(disk.clone()), DIR, SEGMENT).map(|(log, _)| log)
}

impl Ledger {
    pub(crate) fn new() -> Self {
        let disk = SimFiles::new();
        disk.set_clock(NOW);
        drop(open(&disk).unwrap());
        disk.settle();
        Self {
            disk,
            letters: Arc::default(),
        }
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.letters.lock().unwrap().clone()
    }

    fn note(&self, letter: usize, change: impl FnOnce(&mut Letter, u64)) {
        let calls = self.disk.calls();
        let mut letters = self.letters.lock().unwrap();
        change(&mut letters[letter], calls);
    }

    pub(crate) fn id(&self, letter: usize) -> MessageId {
        self.letters.lock().unwrap()[letter].id.unwrap()
    }

    /// Sends a message of `size` bytes to a local and a remote recipient.
    pub(crate) fn send<F: Files>(&self, log: &Log<F>, size: usize) -> Result<usize, QueueError> {
        let mut draft = log.begin(Origin { pid: 1, uid: 2 });
        let mut body = format!("Received: (letter {})\n\n", draft.id()).into_bytes();
        body.resize(body.len() + size, b'x');
        let letter = {
            let mut letters = self.letters.lock().unwrap();
            letters.push(Letter {
                body: body.clone(),
                id: Some(draft.id()),
                marks: vec![(None, None); 2],
                ..Letter::default()
            });
            letters.len() - 1
        };
        draft.write(&body)?;
        let envelope = Envelope {
            reverse_path: address("s@elsewhere"),
            recipients: vec![address("a@local").into(), address("b@remote").into()],
            ..Envelope::default()
        };
        draft.commit(&envelope, NOW, &mut route)?;
        self.note(letter, |l, now| l.queued = Some(now));
        Ok(letter)
    }

    pub(crate) fn mark<F: Files>(
        &self,
        log: &Log<F>,
        letter: usize,
        n: usize,
    ) -> Result<(), QueueError> {
        let id = self.id(letter);
        self.note(letter, |l, now| l.marks[n].0 = l.marks[n].0.or(Some(now)));
        log.mark_done(id, &[n as u64])?;
        self.note(letter, |l, now| l.marks[n].1 = Some(now));
        Ok(())
    }

    /// Records failure text, once.
    pub(crate) fn bounce<F: Files>(&self, log: &Log<F>, letter: usize) -> Result<(), QueueError> {
        let id = self.id(letter);
        if self.letters()[letter].bounced.0.is_some() {
            return Ok(());
        }
        self.note(letter, |l, now| l.bounced.0 = Some(now));
        log.append_bounce(id, TEXT)?;
        self.note(letter, |l, now| l.bounced.1 = Some(now));
        Ok(())
    }

    /// Forgets the failure text, once and where there was some.
    pub(crate) fn clear<F: Files>(&self, log: &Log<F>, letter: usize) -> Result<(), QueueError> {
        let id = self.id(letter);
        let (before, cleared) = (
            self.letters()[letter].bounced.1,
            self.letters()[letter].cleared,
        );
        if before.is_none() || cleared.0.is_some() {
            return Ok(());
        }
        self.note(letter, |l, now| l.cleared.0 = Some(now));
        log.clear_bounce(id)?;
        self.note(letter, |l, now| l.cleared.1 = Some(now));
        Ok(())
    }

    pub(crate) fn finish<F: Files>(&self, log: &Log<F>, letter: usize) -> Result<(), QueueError> {
        let id = self.id(letter);
        self.note(letter, |l, now| l.ended = Some(now));
        log.finish(id)
    }

    /// Brings a message through its whole life.
    pub(crate) fn live<F: Files>(&self, log: &Log<F>, size: usize) -> Result<usize, QueueError> {
        let letter = self.send(log, size)?;
        self.mark(log, letter, 0)?;
        self.bounce(log, letter)?;
        self.mark(log, letter, 1)?;
        self.clear(log, letter)?;
        self.finish(log, letter)?;
        Ok(letter)
    }
}

/// Opens the log on a disk after a crash at call `now` and compares it with what was promised.
pub(crate) fn judge(disk: &SimFiles, letters: &[Letter], now: u64) -> Result<(), String> {
    let (log, found) = Log::open_with(Arc::new(disk.clone()), DIR, SEGMENT)
        .map_err(|e| format!("it does not open: {e}"))?;
    if !found.damaged.is_empty() {
        return Err(format!("a crash looks like damage: {:?}", found.damaged));
    }
    let before = |at: Option<u64>| at.is_some_and(|at| at < now);
    for (number, letter) in letters.iter().enumerate() {
        let id = letter.id.unwrap();
        let stands = found.standing.iter().find(|s| s.id == id);
        let Some(standing) = stands else {
            if before(letter.queued) && !before(letter.ended) {
                return Err(format!("letter {number} is lost"));
            }
            continue;
        };
        let broken = found.failed.iter().any(|f| f.contains(&id.to_string()));
        let mut body = Vec::new();
        match log.open_message(id) {
            Ok(message) => {
                std::io::Read::read_to_end(&mut message.reader(), &mut body).unwrap();
            }
            // Never promised: its file went before its record.
            Err(_) if !before(letter.queued) || broken => continue,
            Err(error) => return Err(format!("letter {number}: {error}")),
        }
        if body != letter.body {
            return Err(format!("letter {number} has another body"));
        }
        for (n, channel) in [Channel::Local, Channel::Remote].into_iter().enumerate() {
            let (begun, promised) = letter.marks[n];
            let done = log.pending(id, channel).unwrap().is_empty();
            if before(promised) && !done {
                return Err(format!("letter {number}: mark {n} is lost"));
            }
            if done && !before(begun) {
                return Err(format!("letter {number}: mark {n} comes from nowhere"));
            }
        }
        let text = log.bounce(id).unwrap();
        if before(letter.bounced.1) && !before(letter.cleared.0) && text.as_deref() != Some(TEXT) {
            return Err(format!("letter {number}: failure text is {text:?}"));
        }
        if before(letter.cleared.1) && text.is_some() {
            return Err(format!("letter {number}: sent failure text came back"));
        }
        if standing.bounce != text.is_some() {
            return Err(format!("letter {number}: stock and text differ"));
        }
    }
    Ok(())
}
