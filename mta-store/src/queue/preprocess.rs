//! From S4 to S5: the envelope is sorted into sender, local and remote recipients (qmail-send(8), INTERNALS).

use super::error::{At, QueueError};
use super::records::Records;
use super::{Queue, limits};
use crate::files::{Files, Kind, OpenFile};
use mta_core::ports::spool::MessageId;
use mta_core::rewrite::{Channel, Routed};
use mta_core::{Address, Unix};
use std::path::{Path, PathBuf};

/// A message that was just preprocessed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preprocessed {
    /// Its number.
    pub id: MessageId,
    /// When: the start of its time in the queue, kept as info's mtime.
    pub birth: Unix,
    /// Bytes of the message, with its Received line.
    pub size: u64,
    /// The reverse-path.
    pub sender: Address,
    /// The user that handed it in, where the envelope says it.
    pub uid: Option<u64>,
    /// The process that handed it in, where the envelope says it.
    pub pid: Option<u64>,
    /// How many local recipients it has.
    pub local: u64,
    /// How many remote recipients it has.
    pub remote: u64,
}

impl<F: Files> Queue<F> {
    /// Sorts a queued message's recipients by `route`. On return the message is in state S5, and
    /// would be after a power failure; until then it stays in S4 and can be preprocessed again.
    ///
    /// # Errors
    /// [`QueueError::Broken`] where the envelope makes no sense or the message is missing,
    /// [`QueueError::Gone`] where it was taken back by its writer, otherwise temporary.
    pub fn preprocess(
        &self,
        id: MessageId,
        now: Unix,
        route: &mut dyn FnMut(&Address) -> Routed,
    ) -> Result<Preprocessed, QueueError> {
        let todo = self.paths().todo(id);
        // Held to the end: see the queue's introduction.
        let file = match self.open_regular(&todo) {
            Err(e) if e.is_missing() => return Err(QueueError::Gone(id)),
            other => other?,
        };
        let size = self.message_size(id)?;
        let mut sorter = Sorter::new(self, id, now)?;
        let mut done = Preprocessed {
            id,
            birth: now,
            size,
            sender: Address::null(),
            uid: None,
            pid: None,
            local: 0,
            remote: 0,
        };
        read_envelope(&mut Records::new(&file, &todo), &mut done, &mut |to| {
            sorter.add(&route(&to))
        })?;
        (done.local, done.remote) = (sorter.count(Channel::Local), sorter.count(Channel::Remote));
        sorter.finish(&done.sender)?;
        self.forget_todo(id, &todo)?;
        drop(file);
        Ok(done)
    }

    fn message_size(&self, id: MessageId) -> Result<u64, QueueError> {
        let mess = self.paths().mess(id);
        match self.open_regular(&mess) {
            Ok(file) => Ok(file.stat().at("describe", &mess)?.size),
            Err(e) if e.is_missing() => Err(QueueError::broken(mess, "expected a message")),
            Err(e) => Err(e),
        }
    }

    /// Removes the envelope, durably. Where the writer took it back meanwhile, the message is gone.
    fn forget_todo(&self, id: MessageId, todo: &Path) -> Result<(), QueueError> {
        if !self.remove_envelope(id, todo)? {
            let info = self.unlink_held(&self.paths().info(id))?;
            self.settle(info)?;
            self.remove_leftovers(id)?;
            return Err(QueueError::Gone(id));
        }
        self.syncs().wait(&self.syncs().mark(todo))
    }

    /// Tells whether the envelope was still there.
    fn remove_envelope(&self, id: MessageId, todo: &Path) -> Result<bool, QueueError> {
        let Some(cleaner) = self.cleaner() else {
            let intd = self.paths().intd(id);
            self.files().unlink_if_there(&intd).at("remove", &intd)?;
            return self.files().unlink_if_there(todo).at("remove", todo);
        };
        if !self.files().exists(todo).at("find", todo)? {
            return Ok(false);
        }
        cleaner.envelope(id)?;
        // Who cleans cannot tell whether the writer was faster; then the message is gone too.
        let mess = self.paths().mess(id);
        self.files().exists(&mess).at("find", &mess)
    }

    /// Removes a file if it is there; what is no file is broken.
    fn remove_name(&self, path: &Path) -> Result<bool, QueueError> {
        match self.files().unlink_if_there(path) {
            Err(e) => match self.files().lstat(path) {
                Ok(stat) if stat.kind == Kind::Dir => {
                    Err(QueueError::broken(path, "expected a regular file"))
                }
                _ => Err(e).at("remove", path),
            },
            removed => removed.at("remove", path),
        }
    }

    /// Removes what an earlier preprocessing wrote.
    fn remove_leftovers(&self, id: MessageId) -> Result<Vec<PathBuf>, QueueError> {
        let mut removed = Vec::new();
        for path in [
            self.paths().channel(id, Channel::Local),
            self.paths().channel(id, Channel::Remote),
            self.paths().info(id),
        ] {
            if self.remove_name(&path)? {
                removed.push(path);
            }
        }
        Ok(removed)
    }
}

/// Writes info, local and remote.
struct Sorter<'q, F: Files> {
    queue: &'q Queue<F>,
    id: MessageId,
    now: Unix,
    touched: Vec<PathBuf>,
    channels: [Option<Output<F>>; 2],
}

/// The records of one channel, collected and written piece by piece.
struct Output<F: Files> {
    path: PathBuf,
    file: F::File,
    buf: Vec<u8>,
    at: u64,
    count: u64,
}

const PIECE: usize = 64 * 1024;

impl<'q, F: Files> Sorter<'q, F> {
    fn new(queue: &'q Queue<F>, id: MessageId, now: Unix) -> Result<Self, QueueError> {
        let touched = queue.remove_leftovers(id)?;
        Ok(Self {
            queue,
            id,
            now,
            touched,
            channels: [None, None],
        })
    }

    fn count(&self, channel: Channel) -> u64 {
        let output = self.channels.get(channel.index());
        output.and_then(Option::as_ref).map_or(0, |o| o.count)
    }

    fn add(&mut self, to: &Routed) -> Result<(), QueueError> {
        let path = self.queue.paths().channel(self.id, to.channel);
        let Some(slot) = self.channels.get_mut(to.channel.index()) else {
            return Ok(());
        };
        if slot.is_none() {
            let file = self.queue.files().create_new(&path, 0o600);
            let file = file.at("create", &path)?;
            self.queue.hand_over(&path, &file)?;
            *slot = Some(Output {
                file,
                path,
                buf: Vec::new(),
                at: 0,
                count: 0,
            });
        }
        slot.as_mut()
            .map_or(Ok(()), |output| output.add(&to.address))
    }

    /// Makes everything durable that replaces the envelope.
    fn finish(mut self, sender: &Address) -> Result<(), QueueError> {
        for output in self.channels.iter_mut().flatten() {
            output.flush()?;
            output.file.sync().at("sync", &output.path)?;
            self.touched.push(output.path.clone());
        }
        let path = self.queue.paths().info(self.id);
        let file = self.queue.files().create_new(&path, 0o600);
        let file = file.at("create", &path)?;
        self.queue.hand_over(&path, &file)?;
        let record = [b"F", sender.as_bytes(), b"\0"].concat();
        file.write_all_at(&record, 0).at("write", &path)?;
        file.set_mtime(self.now).at("set the time of", &path)?;
        file.sync().at("sync", &path)?;
        self.touched.push(path);
        let tickets: Vec<_> = self
            .touched
            .iter()
            .map(|p| self.queue.syncs().mark(p))
            .collect();
        tickets.iter().try_for_each(|t| self.queue.syncs().wait(t))
    }
}

impl<F: Files> Output<F> {
    fn add(&mut self, address: &Address) -> Result<(), QueueError> {
        self.buf.push(b'T');
        self.buf.extend_from_slice(address.as_bytes());
        self.buf.push(0);
        self.count += 1;
        if self.buf.len() >= PIECE {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), QueueError> {
        self.file
            .write_all_at(&self.buf, self.at)
            .at("write", &self.path)?;
        self.at += self.buf.len() as u64;
        self.buf.clear();
        Ok(())
    }
}

/// Reads `u`, `p`, `F` and `T` records and hands on each recipient.
fn read_envelope<H: OpenFile>(
    records: &mut Records<'_, H>,
    done: &mut Preprocessed,
    add: &mut dyn FnMut(Address) -> Result<(), QueueError>,
) -> Result<(), QueueError> {
    let mut sender = None;
    let mut recipients = 0;
    while let Some(record) = records.next()? {
        match record.letter {
            b'u' => done.uid = number(record.value),
            b'p' => done.pid = number(record.value),
            b'F' if sender.is_none() => sender = Some(address(record.value)),
            b'T' if sender.is_some() && recipients < limits::RECIPIENTS => {
                recipients += 1;
                add(address(record.value))?;
            }
            _ => return Err(records.broken("expected u, p, one F and then T records")),
        }
    }
    done.sender = sender.ok_or_else(|| records.broken("expected an F record"))?;
    Ok(())
}

/// A record's value has no NUL, so it always is an address.
pub(super) fn address(value: &[u8]) -> Address {
    Address::new(value).unwrap_or_default()
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}
