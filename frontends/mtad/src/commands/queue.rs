//! `mtad queue`: what is queued, and orders about it, beside a running server or without one (qmail-qread(8)).

use super::ask::{self, Drains};
use super::{convert, orders};
use crate::Failure;
use crate::cli::Queue as Command;
use crate::home::Home;
use crate::journal;
use crate::requests::Request;
use crate::spools;
use driver::Clock;
use mta_core::log::Filtered;
use mta_core::rewrite::Channel;
use mta_core::{Unix, date};
use mta_store::files::RealFiles;
use mta_store::queue::{MessageId, Params, Queue, QueueError};
use mta_store::store::Store;
use std::io::{self, Write};
use std::path::Path;

/// The largest todo file that is read for listing.
const TODO_MAX: u64 = 64 << 20;
/// Bytes of a message that are in memory at a time.
const PIECE: usize = 32 * 1024;

pub(super) fn run(home: &Home, what: &Command, out: &mut dyn Write) -> Result<(), Failure> {
    let queue = ask::queue(home)?;
    match what {
        Command::List => list(home, &queue, out),
        Command::Show { id } => show(&queue, MessageId(*id), out),
        Command::Retry { id } => retry(home, &queue, id.map(MessageId)),
        Command::Remove { id } => remove(home, &queue, MessageId(*id), out),
        Command::Hold { id } => orders::hold(home, &queue, MessageId(*id)),
        Command::Release { id } => orders::release(home, &queue, MessageId(*id)),
        Command::Reroute { what, hosts } => orders::reroute(home, &queue, (what, hosts), out),
        Command::Flush { destination } => orders::flush(home, &queue, destination, out),
        Command::Convert { to } => convert::run(home, *to, out),
        Command::Fsck => convert::fsck(home, out),
    }
}

fn list(home: &Home, queue: &Queue<RealFiles>, out: &mut dyn Write) -> Result<(), Failure> {
    // Standard output is written line by line otherwise, three calls a message.
    let mut out = io::BufWriter::with_capacity(PIECE, out);
    list_store(home, &look(queue)?, &mut out)?;
    for id in queue.todo().map_err(ask::failure)? {
        describe_todo(queue, id, &mut out)?;
    }
    out.flush()?;
    Ok(())
}

/// Opens the store beside whoever writes it.
pub(super) fn look(queue: &Queue<RealFiles>) -> Result<Store<RealFiles>, Failure> {
    spools::look(queue).map_err(ask::failure)
}

fn list_store(home: &Home, store: &Store<RealFiles>, out: &mut dyn Write) -> Result<(), Failure> {
    let reasons = journal::last_reasons(&home.queue())
        .map_err(|error| Failure::file("read the journal in", &home.queue(), &error))?;
    for id in store.ids().map_err(ask::failure)? {
        match describe(store, id, out) {
            // It went away between the listing and the look.
            Err(Trouble::Queue(error)) if error.is_missing() => {}
            Err(Trouble::Queue(error)) => writeln!(out, "warning: trouble with #{id}: {error}")?,
            Err(Trouble::Output(error)) => return Err(error.into()),
            Ok(()) => {
                if let Some(reason) = reasons.get(&id) {
                    writeln!(out, "\tlast\t{reason}")?;
                }
            }
        }
    }
    Ok(())
}

enum Trouble {
    Queue(QueueError),
    Output(io::Error),
}

impl From<QueueError> for Trouble {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Queue(error) => ask::failure(error),
            Trouble::Output(error) => error.into(),
        }
    }
}

/// Writes a message's lines in qmail-qread's form; recipients that are done are left out. Below
/// stands what comes next: the next attempt of each channel, and what an administrator ordered.
fn describe(store: &Store<RealFiles>, id: MessageId, out: &mut dyn Write) -> Result<(), Trouble> {
    let info = store.info(id)?;
    let size = store.size(id)?;
    let bouncing = match store.bounce(id)? {
        Some(_) => " bouncing",
        None => "",
    };
    head(out, info.birth, id, size, info.sender.as_bytes(), bouncing)?;
    let params = store.params(id)?;
    for channel in Channel::ALL {
        match store.pending(id, channel) {
            Ok(pending) => {
                for one in &pending {
                    let to = Filtered(one.address.as_bytes());
                    writeln!(out, "\t{}\t{to}", channel.name())?;
                }
                if !pending.is_empty() && !params.held {
                    next_attempt(store, id, channel, out)?;
                }
            }
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error.into()),
        }
    }
    ordered(&params, out)?;
    Ok(())
}

fn next_attempt(
    store: &Store<RealFiles>,
    id: MessageId,
    channel: Channel,
    out: &mut dyn Write,
) -> Result<(), Trouble> {
    // A message that was not tried yet is due.
    let due = store.next_attempt(id, channel)?.unwrap_or(Unix(0));
    let name = channel.name();
    if due <= Clock::unix() {
        return Ok(writeln!(out, "\tnext\t{name} now")?);
    }
    let date = date::qmail(due);
    let date = date.strip_suffix(" -0000").unwrap_or(&date);
    Ok(writeln!(out, "\tnext\t{name} {date} GMT")?)
}

/// Says what an administrator ordered about a message.
fn ordered(params: &Params, out: &mut dyn Write) -> io::Result<()> {
    if params.held {
        writeln!(out, "\tnext\theld")?;
    }
    for one in &params.reroutes {
        let domain: &[u8] = if one.domain.is_empty() {
            b"everything"
        } else {
            &one.domain
        };
        let hosts: &[u8] = if one.hosts.is_empty() {
            b"its usual way"
        } else {
            &one.hosts.join(&b' ')
        };
        let (domain, hosts) = (Filtered(domain), Filtered(hosts));
        writeln!(out, "\troute\t{domain} to {hosts}")?;
    }
    Ok(())
}

fn head(
    out: &mut dyn Write,
    birth: Unix,
    id: MessageId,
    size: u64,
    sender: &[u8],
    note: &str,
) -> io::Result<()> {
    let date = date::qmail(birth);
    let date = date.strip_suffix(" -0000").unwrap_or(&date);
    writeln!(
        out,
        "{date} GMT  #{id}  {size}  <{}> {note}",
        Filtered(sender)
    )
}

/// Writes the lines of a message that waits in todo/.
fn describe_todo(
    queue: &Queue<RealFiles>,
    id: MessageId,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let layout = queue.layout();
    let (todo, mess) = (layout.todo(id), layout.mess(id));
    let (Ok(envelope), Ok(stat)) = (read(&todo), std::fs::metadata(&mess)) else {
        // It was preprocessed meanwhile, and is listed as that next time.
        return Ok(());
    };
    let birth = stat
        .modified()
        .ok()
        .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let birth = Unix(birth.map_or(0, |at| at.as_secs()));
    let records: Vec<&[u8]> = envelope.split(|&b| b == 0).collect();
    let values = |letter: u8| {
        let records = records.iter();
        records.filter_map(move |record| record.strip_prefix(&[letter]))
    };
    let sender = values(b'F').next().unwrap_or_default();
    head(out, birth, id, stat.len(), sender, "not preprocessed yet")?;
    for to in values(b'T') {
        writeln!(out, "\ttodo\t{}", Filtered(to))?;
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut all = Vec::new();
    std::fs::File::open(path)?
        .take(TODO_MAX)
        .read_to_end(&mut all)?;
    Ok(all)
}

/// Writes the lines of a message in whatever state; false where there is none.
pub(super) fn state(
    queue: &Queue<RealFiles>,
    id: MessageId,
    out: &mut dyn Write,
) -> Result<bool, Failure> {
    if !exists(queue, id)? {
        return Ok(false);
    }
    match describe(&look(queue)?, id, out) {
        Err(Trouble::Queue(error)) if error.is_missing() => describe_todo(queue, id, out)?,
        other => other?,
    }
    Ok(true)
}

fn show(queue: &Queue<RealFiles>, id: MessageId, out: &mut dyn Write) -> Result<(), Failure> {
    let store = look(queue)?;
    let message = match describe(&store, id, out) {
        Err(Trouble::Queue(error)) if error.is_missing() => {
            describe_todo(queue, id, out)?;
            queue.open_message(id)
        }
        other => other.map(|()| store.open_message(id))?,
    };
    let message = message.map_err(ask::failure)?;
    writeln!(out)?;
    let mut piece = vec![0; PIECE];
    let mut at = 0_u64;
    loop {
        let n = message
            .read_at(&mut piece, at)
            .map_err(|error| Failure::file("read", &store.place(id), &error))?;
        if n == 0 {
            return Ok(());
        }
        at += n as u64;
        out.write_all(piece.get(..n).unwrap_or_default())?;
    }
}

fn exists(queue: &Queue<RealFiles>, id: MessageId) -> Result<bool, Failure> {
    let path = queue.layout().mess(id);
    let there = path.try_exists();
    Ok(look(queue)?.contains(id).map_err(ask::failure)?
        || there.map_err(|error| Failure::file("look for", &path, &error))?)
}

pub(super) fn insist(queue: &Queue<RealFiles>, id: MessageId) -> Result<(), Failure> {
    if exists(queue, id)? {
        Ok(())
    } else {
        Err(ask::failure(QueueError::Gone(id)))
    }
}

fn retry(home: &Home, queue: &Queue<RealFiles>, id: Option<MessageId>) -> Result<(), Failure> {
    let request = match id {
        Some(id) => {
            insist(queue, id)?;
            Request::Retry(id)
        }
        None => Request::RetryAll,
    };
    let Drains::Nobody(_lock) = ask::ask(home, queue, request)? else {
        return Ok(());
    };
    // The next server finds them due.
    let store = spools::own(queue).map_err(ask::failure)?;
    let ids = id.map_or_else(|| store.ids(), |id| Ok(vec![id]));
    for id in ids.map_err(ask::failure)? {
        for channel in Channel::ALL {
            match store.set_next_attempt(id, channel, Clock::unix()) {
                Err(error) if error.is_missing() => {}
                other => other.map_err(ask::failure)?,
            }
        }
    }
    Ok(())
}

fn remove(
    home: &Home,
    queue: &Queue<RealFiles>,
    id: MessageId,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    insist(queue, id)?;
    if let Drains::Nobody(_lock) = ask::ask(home, queue, Request::Remove(id))? {
        let store = spools::own(queue).map_err(ask::failure)?;
        let gone = match store.remove(id) {
            // Nobody has taken it over yet.
            Err(error) if error.is_missing() => queue.remove(id),
            other => other,
        };
        return gone.map_err(ask::failure);
    }
    if !ask::until(|| exists(queue, id).map(|there| !there))? {
        writeln!(
            out,
            "message {id} is being delivered at this moment; it goes when that ends"
        )?;
    }
    Ok(())
}
