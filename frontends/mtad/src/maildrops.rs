//! Listings of Maildirs that were read lately, and messages read ahead of a client (RFC 1939 §5, maildir(5)).

use driver::Clock;
use mta_proto::pop3::Listing;
use mta_store::files::{OpenFile, RealFile, RealFiles};
use mta_store::maildir::{self, Maildir, Stamp};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Messages that one session lists; the others come into view when some are removed.
const LISTED: usize = 100_000;
/// Bytes of a message that are read at a time.
const PIECE: usize = 16 * 1024;
/// Bytes that are read ahead for one session, in whole messages.
const AHEAD: usize = 64 * 1024;

/// What a session knows of its Maildir.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// As the store sees it.
    pub(crate) maildir: Arc<maildir::Listing<RealFiles>>,
    /// As the protocol sees it.
    pub(crate) listing: Listing,
}

/// Listings of Maildirs that have not changed since.
#[derive(Debug)]
pub struct Listings {
    /// Messages that are remembered in all.
    most: usize,
    known: Mutex<HashMap<PathBuf, (Stamp, Arc<View>)>>,
}

impl Listings {
    /// Remembers listings of at most `most` messages together.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let known = Mutex::default();
        Self { most, known }
    }

    /// Lists a Maildir, from memory where it is as it was; blocks.
    pub(crate) fn list(&self, path: PathBuf) -> io::Result<View> {
        let maildir = Maildir::new(Arc::new(RealFiles::new()), path.clone());
        let stamp = maildir.stamp()?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = known.remove(&path).filter(|(then, _)| *then == stamp);
        if let Some((_, view)) = &remembered {
            known.insert(path.clone(), (stamp, Arc::clone(view)));
        }
        drop(known);
        if let Some((_, view)) = remembered {
            return Ok(View::clone(&view));
        }
        let view = read(&maildir)?;
        // Whatever happens to a directory in the tick that its time names may not be seen in it.
        if stamp.is_settled(Clock::unix()) {
            self.remember(path, stamp, view.clone());
        }
        Ok(view)
    }

    fn remember(&self, path: PathBuf, stamp: Stamp, view: View) {
        let count = |view: &View| view.listing.len() + 1;
        let fresh = count(&view);
        if fresh > self.most {
            return;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held: usize = known.values().map(|(_, view)| count(view)).sum();
        while held.saturating_add(fresh) > self.most {
            // Any will do: whoever comes often is soon there again.
            let Some(victim) = known.keys().next().cloned() else {
                break;
            };
            held -= known.remove(&victim).map_or(0, |(_, view)| count(&view));
        }
        known.insert(path, (stamp, Arc::new(view)));
    }
}

fn read(maildir: &Maildir<RealFiles>) -> io::Result<View> {
    let maildir = maildir.list()?;
    let mut listing = Listing::new(LISTED);
    for (index, message) in maildir.messages().iter().enumerate() {
        // A message that went away meanwhile keeps its place, so that numbers agree.
        let size = maildir.wire_size(index).unwrap_or(message.size);
        if listing.push(size, message.uid()).is_err() {
            break;
        }
    }
    let maildir = Arc::new(maildir);
    Ok(View { maildir, listing })
}

/// The beginning of a message, and its file where there is more.
#[derive(Debug)]
pub(crate) struct Opened {
    index: usize,
    first: Vec<u8>,
    rest: Option<Arc<RealFile>>,
}

/// The message that is being sent, and those that are likely to be asked for next.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    current: Option<Opened>,
    at: u64,
    ahead: VecDeque<Opened>,
    /// The message that comes next where the client goes through them in order.
    next: usize,
}

/// What has to be read before a message can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Nothing.
    Nothing,
    /// This message.
    One,
    /// This message and those behind it.
    Several,
}

impl Reader {
    /// Turns to a message; tells what has to be read.
    pub(crate) fn turn(&mut self, index: usize) -> Want {
        self.close();
        let in_order = index == self.next;
        self.next = index.saturating_add(1);
        while let Some(opened) = self.ahead.pop_front() {
            if opened.index == index {
                self.current = Some(opened);
                return Want::Nothing;
            }
        }
        if in_order { Want::Several } else { Want::One }
    }

    /// Takes what was read: the message that was wanted is the first.
    pub(crate) fn take(&mut self, mut read: VecDeque<Opened>) {
        self.current = read.pop_front();
        self.ahead = read;
    }

    /// The piece that comes next: here, or in a file at a place, or none.
    pub(crate) fn piece(&mut self) -> Result<Vec<u8>, Option<(Arc<RealFile>, u64)>> {
        let Some(current) = &mut self.current else {
            return Err(None);
        };
        if !current.first.is_empty() {
            let first = std::mem::take(&mut current.first);
            self.at += first.len() as u64;
            return Ok(first);
        }
        match &current.rest {
            Some(file) => Err(Some((Arc::clone(file), self.at))),
            None => Ok(Vec::new()),
        }
    }

    /// Notes how much was read from the file.
    pub(crate) const fn advance(&mut self, read: usize) {
        self.at += read as u64;
    }

    /// Whether a message is being sent.
    pub(crate) const fn is_open(&self) -> bool {
        self.current.is_some()
    }

    /// Forgets the message that was being sent.
    pub(crate) fn close(&mut self) {
        self.current = None;
        self.at = 0;
    }
}

/// Reads the beginning of a message and, where `Several` are wanted, small ones behind it whole;
/// blocks. Only the first one's failure is one.
pub(crate) fn open(
    maildir: &maildir::Listing<RealFiles>,
    index: usize,
    want: Want,
) -> io::Result<VecDeque<Opened>> {
    let mut opened = VecDeque::from([open_one(maildir, index, PIECE)?]);
    let whole = opened.iter().all(|first| first.rest.is_none());
    if want != Want::Several || !whole {
        return Ok(opened);
    }
    let mut room = AHEAD;
    for (behind, message) in maildir.messages().iter().enumerate().skip(index + 1) {
        let size = usize::try_from(message.size).unwrap_or(usize::MAX);
        if size >= PIECE || size > room {
            break;
        }
        match open_one(maildir, behind, size + 1) {
            Ok(one) if one.rest.is_none() => opened.push_back(one),
            // It is looked at again when it is asked for.
            _ => break,
        }
        // An empty message takes its place in the queue all the same.
        room = room.saturating_sub(size.max(64));
    }
    Ok(opened)
}

fn open_one(
    maildir: &maildir::Listing<RealFiles>,
    index: usize,
    most: usize,
) -> io::Result<Opened> {
    let file = maildir.open(index)?;
    let mut first = vec![0; most];
    let mut held = 0;
    // Less than was asked for is the end only where a further read brings nothing.
    while let Some(free) = first.get_mut(held..).filter(|free| !free.is_empty()) {
        match file.read_at(free, held as u64)? {
            0 => {
                first.truncate(held);
                let rest = None;
                return Ok(Opened { index, first, rest });
            }
            n => held += n,
        }
    }
    let rest = Some(Arc::new(file));
    Ok(Opened { index, first, rest })
}

/// Reads a further piece; blocks.
pub(crate) fn piece(file: &RealFile, at: u64) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; PIECE];
    let n = file.read_at(&mut piece, at)?;
    piece.truncate(n);
    Ok(piece)
}
