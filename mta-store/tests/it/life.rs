//! Messages that a test sends through the queue, with a diary of what was promised when (INTERNALS).

use mta_core::envelope::{Body, MailParams};
use mta_core::rewrite::{Channel, Routed};
use mta_core::{Address, Envelope, Unix};
use mta_store::files::{Files, SimFiles};
use mta_store::queue::{Cleaner, MessageId, Origin, Queue, QueueError};
use std::path::Path;
use std::sync::{Arc, Mutex};

pub(crate) const NOW: Unix = Unix(1_700_000_000);
pub(crate) const DIR: &str = "/queue";

/// Makes a queue on a fresh disk that is quiet.
pub(crate) fn fresh() -> SimFiles {
    let files = SimFiles::new();
    files.set_clock(NOW);
    Queue::create(Arc::new(files.clone()), DIR).unwrap();
    files.settle();
    files
}

pub(crate) fn open<F: Files>(files: F) -> Queue<F> {
    Queue::open(Arc::new(files), DIR).unwrap()
}

/// A queue whose drainer asks another process to remove what it may not.
pub(crate) fn open_with_cleaner(files: SimFiles) -> Queue<SimFiles> {
    let other = Queue::look_at(Arc::new(files.clone()), DIR).unwrap();
    let queue = Queue::look_at(Arc::new(files), DIR).unwrap();
    queue.cleaned_by(Arc::new(Clean(other)))
}

/// Does what qmail-clean does.
#[derive(Debug)]
struct Clean(Queue<SimFiles>);

impl Cleaner for Clean {
    fn envelope(&self, id: MessageId) -> Result<(), QueueError> {
        self.0.clean_envelope(id)
    }

    fn message(&self, id: MessageId) -> Result<(), QueueError> {
        self.0.clean_message(id)
    }
}

pub(crate) fn address(text: &str) -> Address {
    Address::new(text.as_bytes()).unwrap()
}

/// Addresses at `local` are ours.
pub(crate) fn route(to: &Address) -> Routed {
    Routed {
        channel: match to.domain() {
            Some(b"local") => Channel::Local,
            _ => Channel::Remote,
        },
        address: to.clone(),
    }
}

/// One message and when what became of it; times are call numbers of the simulated disk.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) body: Vec<u8>,
    pub(crate) sender: Address,
    pub(crate) to: Vec<Address>,
    pub(crate) params: MailParams,
    pub(crate) id: Option<MessageId>,
    /// `commit` returned `Ok`.
    pub(crate) queued: Option<u64>,
    /// The removal began.
    pub(crate) ended: Option<u64>,
    /// For each recipient, when its mark began and when it was promised.
    pub(crate) marks: Vec<(Option<u64>, Option<u64>)>,
    /// Failure text: when it was promised, and when its removal began.
    pub(crate) bounce: (Option<u64>, Option<u64>),
}

pub(crate) const RECORD: &[u8] = b"<b@remote>:\nno such mailbox\n\n";

/// All letters of a test; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Diary {
    disk: SimFiles,
    letters: Arc<Mutex<Vec<Letter>>>,
}

impl Diary {
    pub(crate) fn new(disk: &SimFiles) -> Self {
        Self {
            disk: disk.clone(),
            letters: Arc::default(),
        }
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.letters.lock().unwrap().clone()
    }

    /// Writes down a new letter and returns its number.
    pub(crate) fn letter(&self, name: &str, to: &[&str], eight_bit: bool) -> usize {
        let mut letters = self.letters.lock().unwrap();
        let body = format!(
            "Received: ({name})\nSubject: {name}\n\n{}\n",
            format!("The body of {name}. ").repeat(3)
        );
        letters.push(Letter {
            body: body.into_bytes(),
            sender: address(&format!("{name}@sender")),
            to: to.iter().map(|to| address(to)).collect(),
            params: MailParams {
                body: eight_bit.then_some(Body::EightBit),
                ..MailParams::default()
            },
            id: None,
            queued: None,
            ended: None,
            marks: vec![(None, None); to.len()],
            bounce: (None, None),
        });
        letters.len() - 1
    }

    pub(crate) fn note(&self, number: usize, what: impl FnOnce(&mut Letter, u64)) {
        let mut letters = self.letters.lock().unwrap();
        what(&mut letters[number], self.disk.calls());
    }

    pub(crate) fn get(&self, number: usize) -> Letter {
        self.letters.lock().unwrap()[number].clone()
    }

    /// Queues a letter.
    pub(crate) fn send<F: Files>(&self, queue: &Queue<F>, number: usize) -> Result<(), QueueError> {
        let letter = self.get(number);
        let mut draft = queue.begin(Origin { pid: 7, uid: 8 }, NOW)?;
        self.note(number, |l, _| l.id = Some(draft.id()));
        let (head, tail) = letter.body.split_at(20);
        draft.write(head)?;
        draft.write(tail)?;
        draft.commit(&envelope(&letter))?;
        self.note(number, |l, at| l.queued = Some(at));
        Ok(())
    }

    /// Does everything with a queued letter that a drainer does, up to its removal.
    pub(crate) fn drain<F: Files>(
        &self,
        queue: &Queue<F>,
        number: usize,
    ) -> Result<(), QueueError> {
        let id = self.get(number).id.unwrap();
        queue.preprocess(id, NOW, &mut route)?;
        for channel in Channel::ALL {
            for one in queue.pending(id, channel)? {
                let to = self.get(number);
                let which = to.to.iter().position(|a| *a == one.address).unwrap();
                if channel == Channel::Remote {
                    queue.append_bounce(id, RECORD)?;
                    self.note(number, |l, at| {
                        l.bounce.0.get_or_insert(at);
                    });
                }
                self.note(number, |l, at| l.marks[which].0 = Some(at));
                queue.mark_done(id, channel, &[one.offset])?;
                self.note(number, |l, at| l.marks[which].1 = Some(at));
            }
        }
        self.note(number, |l, at| l.bounce.1 = Some(at));
        queue.clear_bounce(id)?;
        self.note(number, |l, at| l.ended = Some(at));
        queue.finish(id)
    }
}

pub(crate) fn envelope(letter: &Letter) -> Envelope {
    Envelope {
        reverse_path: letter.sender.clone(),
        recipients: letter.to.iter().cloned().map(Into::into).collect(),
        params: letter.params.clone(),
    }
}

/// Counts the files in the queue's directories of the given kinds.
pub(crate) fn count(files: &SimFiles, kinds: &[&str]) -> usize {
    let mut sum = 0;
    for kind in kinds {
        let dir = Path::new(DIR).join(kind);
        for name in files.names(&dir).unwrap() {
            let path = dir.join(name);
            sum += match files.stat(&path).unwrap().kind {
                mta_store::files::Kind::Dir => files.names(&path).unwrap().len(),
                _ => 1,
            };
        }
    }
    sum
}
