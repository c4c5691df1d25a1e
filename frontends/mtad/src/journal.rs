//! What happened to each message, for `mtad why`: a bounded file beside the log (qmail-log(5) has the log itself).
//!
//! One line an event: time, message, word, text, tabs between them. Numbers of messages come back,
//! so a story begins at the last `taken` or `new`. Lines go to `queue/journal`; when that is half as
//! large as allowed it becomes `queue/journal.old`, in place of the one before. Nothing is synced and
//! nothing waits for it: after a power failure, or where the disk is too slow, lines are missing. What
//! is to be done with a message stands in the queue's own files.

use mta_core::Unix;
use mta_core::ports::spool::MessageId;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// How many lines wait at most to be written; further ones are lost.
pub const BACKLOG: usize = 4096;
/// The most bytes of one event's text.
pub const TEXT_MAX: usize = 2000;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Word {
    /// It was taken by this server: from whom, and what allowed it.
    Taken,
    /// It was found in todo/.
    New,
    /// Where a recipient goes, and by which lines.
    Sorted,
    /// By which lines a recipient is delivered to here.
    By,
    /// An attempt and its answer.
    Tried,
    /// When the next attempt is due.
    Next,
    /// The sender was told something.
    Told,
    /// An administrator ordered something.
    Ordered,
    /// It left the queue.
    Ended,
}

impl Word {
    const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::New => "new",
            Self::Sorted => "sorted",
            Self::By => "by",
            Self::Tried => "tried",
            Self::Next => "next",
            Self::Told => "told",
            Self::Ordered => "ordered",
            Self::Ended => "ended",
        }
    }
}

/// Takes events down; cheap to copy.
#[derive(Clone, Debug)]
pub struct Journal(Option<Sender>);

#[derive(Clone, Debug)]
struct Sender {
    lines: SyncSender<Vec<u8>>,
    lost: Arc<AtomicU64>,
}

/// Keeps the writing thread; dropping it writes what still waits.
#[derive(Debug)]
pub struct Keeper {
    journal: Journal,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    /// Takes nothing down.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Writes into a directory, `size` bytes at most in two files; 0 takes nothing down.
    ///
    /// # Errors
    /// Fails where the thread cannot be started.
    pub fn start(directory: &Path, size: u64) -> io::Result<Keeper> {
        if size == 0 {
            let journal = Self::none();
            let thread = None;
            return Ok(Keeper { journal, thread });
        }
        let (lines, receiver) = sync_channel(BACKLOG);
        let lost = Arc::new(AtomicU64::new(0));
        let mut files = Files {
            path: directory.join("journal"),
            old: directory.join("journal.old"),
            most: size / 2,
            open: None,
        };
        let counted = Arc::clone(&lost);
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || write_lines(&receiver, &counted, &mut files))?;
        Ok(Keeper {
            journal: Self(Some(Sender { lines, lost })),
            thread: Some(thread),
        })
    }

    /// Tells whether events are taken down.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Takes one event down.
    pub fn note(&self, now: Unix, id: MessageId, word: Word, text: &str) {
        let Some(sender) = &self.0 else { return };
        let shown = text.chars().take(TEXT_MAX);
        let text: String = shown
            .map(|letter| if letter.is_control() { '/' } else { letter })
            .collect();
        let line = format!("{}\t{id}\t{}\t{text}\n", now.0, word.name());
        if sender.lines.try_send(line.into_bytes()).is_err() {
            sender.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Keeper {
    /// The journal that is kept.
    #[must_use]
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // An empty line tells the thread to end; copies of the journal live on.
        if let Some(sender) = &self.journal.0 {
            let _ = sender.lines.send(Vec::new());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Files {
    path: PathBuf,
    old: PathBuf,
    most: u64,
    open: Option<(File, u64)>,
}

impl Files {
    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let (mut file, len) = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        if len >= self.most {
            std::fs::rename(&self.path, &self.old)?;
            (file, _) = self.begin()?;
        }
        file.write_all(text)?;
        let len = file.metadata()?.len();
        self.open = Some((file, len));
        Ok(())
    }

    fn begin(&self) -> io::Result<(File, u64)> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600);
        let file = file.open(&self.path)?;
        let len = file.metadata()?.len();
        Ok((file, len))
    }
}

fn write_lines(lines: &Receiver<Vec<u8>>, lost: &AtomicU64, files: &mut Files) {
    while let Ok(mut text) = lines.recv() {
        let mut last = text.is_empty();
        // Whatever waits leaves in one write.
        while let Ok(more) = lines.try_recv() {
            last |= more.is_empty();
            text.extend_from_slice(&more);
            if text.len() > 64 * 1024 {
                break;
            }
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!("{lost} lines of the journal were lost");
        }
        if let Err(error) = files.write(&text) {
            tracing::warn!("unable to write {}: {error}", files.path.display());
        }
        if last {
            return;
        }
    }
}

/// One event as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When it happened.
    pub at: Unix,
    /// The message.
    pub id: MessageId,
    /// What it is about, as [`Word`] has it.
    pub word: String,
    /// What happened.
    pub text: String,
}

/// Shows every event that is kept, the oldest first; lines that make no sense are passed over.
///
/// # Errors
/// Fails where a file cannot be read; one that is not there has no events.
pub fn each(directory: &Path, mut visit: impl FnMut(Event)) -> io::Result<()> {
    for name in ["journal.old", "journal"] {
        let file = match File::open(directory.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            other => other?,
        };
        for line in BufReader::new(file).split(b'\n') {
            let line = line?;
            if let Some(event) = read(&String::from_utf8_lossy(&line)) {
                visit(event);
            }
        }
    }
    Ok(())
}

fn read(line: &str) -> Option<Event> {
    let mut parts = line.splitn(4, '\t');
    let at = Unix(parts.next()?.parse().ok()?);
    let id = MessageId(parts.next()?.parse().ok()?);
    let word = parts.next()?.to_owned();
    let text = parts.next()?.to_owned();
    Some(Event { at, id, word, text })
}

/// Returns the story of the message that bears a number now, or bore it last.
///
/// # Errors
/// As [`each`].
pub fn story(directory: &Path, id: MessageId) -> io::Result<Vec<Event>> {
    let mut story: Vec<Event> = Vec::new();
    each(directory, |event| {
        if event.id != id {
            return;
        }
        let ended = story
            .last()
            .is_some_and(|last| last.word == Word::Ended.name());
        if ended || event.word == Word::Taken.name() {
            story.clear();
        }
        story.push(event);
    })?;
    Ok(story)
}

/// Returns why each message that is still queued was deferred last.
///
/// # Errors
/// As [`each`].
pub fn last_reasons(directory: &Path) -> io::Result<HashMap<MessageId, String>> {
    let mut reasons = HashMap::new();
    each(directory, |event| {
        if event.word == Word::Tried.name() && event.text.contains(": deferral: ") {
            reasons.insert(event.id, event.text);
        } else if [Word::Ended.name(), Word::Taken.name()].contains(&&*event.word) {
            reasons.remove(&event.id);
        }
    })?;
    Ok(reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_story_begins_where_its_number_was_given_out_last() {
        let dir = Scratch::new("journal-story");
        let keeper = Journal::start(&dir.0, 1 << 20).unwrap();
        let journal = keeper.journal();
        let note = |at, id, word, text| journal.note(Unix(at), MessageId(id), word, text);
        note(1, 7, Word::Taken, "from a");
        note(2, 7, Word::Ended, "");
        note(3, 7, Word::New, "from somewhere else");
        note(4, 8, Word::Taken, "from b");
        note(5, 7, Word::Tried, "remote x@y: deferral: no\tgood\nat all");
        note(6, 8, Word::Tried, "remote x@y: deferral: no");
        note(7, 8, Word::Ended, "");
        drop(keeper);
        let told = story(&dir.0, MessageId(7)).unwrap();
        let told: Vec<_> = told.iter().map(|e| (e.at.0, &*e.word, &*e.text)).collect();
        let reason = "remote x@y: deferral: no/good/at all";
        assert_eq!(
            told,
            [(3, "new", "from somewhere else"), (5, "tried", reason)]
        );
        let reasons = last_reasons(&dir.0).unwrap();
        assert_eq!(reasons, HashMap::from([(MessageId(7), reason.to_owned())]));
        assert!(story(&dir.0, MessageId(9)).unwrap().is_empty());
    }

    #[test]
    fn no_more_is_kept_than_allowed_and_the_latest_is_there() {
        let dir = Scratch::new("journal-bound");
        for start in 0..20 {
            let keeper = Journal::start(&dir.0, 4000).unwrap();
            let journal = keeper.journal();
            for n in 0..20 {
                let at = Unix(start * 20 + n);
                journal.note(at, MessageId(at.0), Word::New, &"x".repeat(50));
            }
        }
        let size = |name: &str| std::fs::metadata(dir.0.join(name)).unwrap().len();
        // The last write of each file may pass its half.
        assert!(size("journal") + size("journal.old") <= 4000 + 2 * 20 * 80);
        assert_eq!(story(&dir.0, MessageId(399)).unwrap().len(), 1);
        assert!(
            story(&dir.0, MessageId(0)).unwrap().is_empty(),
            "the oldest is gone"
        );
    }

    #[test]
    fn garbage_is_passed_over() {
        let dir = Scratch::new("journal-garbage");
        let text = b"\xff\xfe\n1\t2\n\n9\t7\tnew\tfine\n99999999999999999999\t7\tnew\tx\n1\t7\tnew";
        std::fs::write(dir.0.join("journal"), text).unwrap();
        assert_eq!(story(&dir.0, MessageId(7)).unwrap().len(), 1);
    }
}
