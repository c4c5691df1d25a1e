//! Runs one program for each delivery that qmail-send asks for, many at a time (qmail-lspawn(8), qmail-rspawn(8), spec §5.3).
//!
//! ```text
//! fd 0 ─► CommandReader ─► checks ─► a thread for each ─► child, its output bounded ─► report ─► fd 1
//! ```
//!
//! A delivery ends when its program does. Unlike in qmail, what that leaves running in the
//! background holds no slot, though it may hold the pipe.

use crate::failure::Failure;
use crate::io::Io;
use crate::users::{Part, uid};
use applet::Exit;
use mta_core::report::{Outcome, Report};
use mta_core::spawn::{Command, CommandReader, LIMIT, encode};
use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How much stack a delivery's thread has.
const STACK: usize = 256 * 1024;

/// One delivery whose message is open and as it should be.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) message: File,
    pub(crate) sender: Vec<u8>,
    pub(crate) local: Vec<u8>,
    pub(crate) host: Vec<u8>,
}

/// What all threads share.
struct Shared {
    messages: PathBuf,
    owners: Vec<u32>,
    reports: Mutex<Option<File>>,
    used: Mutex<BTreeSet<u8>>,
}

/// Serves commands until there are no more, and returns when all deliveries have ended.
///
/// # Errors
/// Fails where the queue or the descriptors are missing.
pub(crate) fn serve(
    io: &mut Io<'_>,
    deliver: impl Fn(Delivery) -> Report + Send + Sync + 'static,
) -> Result<Exit, Failure> {
    let nothing = |_| Failure::silent(Exit::TEMPORARY);
    sys::hear_of_children().map_err(nothing)?;
    let mut commands = sys::take(0).map(File::from).map_err(nothing)?;
    // Ours was a copy; with it the pipe would stay open behind the last report.
    io.output = Box::new(std::io::sink());
    let mut reports = sys::take(1).map(File::from).map_err(nothing)?;
    let messages = io.home.join("queue/mess");
    messages.read_dir().map_err(nothing)?;
    reports.write_all(&[LIMIT]).map_err(nothing)?;
    let shared = Arc::new(Shared {
        messages,
        owners: owners()?,
        reports: Mutex::new(Some(reports)),
        used: Mutex::default(),
    });
    let deliver = Arc::new(deliver);
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    let mut reader = CommandReader::default();
    let mut piece = [0; 4096];
    loop {
        let n = match commands.read(&mut piece) {
            Ok(n) if n > 0 => n,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // qmail-send is gone, or its pipe is of no use.
            _ => break,
        };
        threads.retain(|thread| !thread.is_finished());
        reader.push(piece.get(..n).unwrap_or_default(), &mut |command| {
            let begun = begin(&shared, command, &deliver);
            threads.extend(begun);
        });
    }
    for thread in threads {
        let _ = thread.join();
    }
    Ok(Exit::OK)
}

/// Who may own messages: qmailq, and without root's rights whoever we are.
fn owners() -> Result<Vec<u32>, Failure> {
    let queue = uid(Part::Queue).map(nix::unistd::Uid::as_raw);
    let us = geteuid();
    if us.is_root() {
        return Ok(vec![queue?]);
    }
    Ok(queue.into_iter().chain([us.as_raw()]).collect())
}

/// Begins one delivery, or reports at once why there is none.
fn begin<D>(shared: &Arc<Shared>, command: Command, deliver: &Arc<D>) -> Option<JoinHandle<()>>
where
    D: Fn(Delivery) -> Report + Send + Sync + 'static,
{
    let slot = command.slot;
    let prepared = shared.claim(slot).and_then(|()| {
        let prepared = shared.prepare(command);
        if prepared.is_err() {
            lock(&shared.used).remove(&slot);
        }
        prepared
    });
    let delivery = match prepared {
        Ok(delivery) => delivery,
        Err(text) => {
            shared.report(slot, &worded(text));
            return None;
        }
    };
    let (theirs, deliver) = (Arc::clone(shared), Arc::clone(deliver));
    let thread = std::thread::Builder::new().stack_size(STACK);
    let started = thread.spawn(move || {
        let report = deliver(delivery);
        // The slot is free before qmail-send knows, since it may use it at once.
        lock(&theirs.used).remove(&slot);
        theirs.report(slot, &report);
    });
    if started.is_err() {
        lock(&shared.used).remove(&slot);
        shared.report(slot, &worded("Zqmail-spawn unable to fork. (#4.3.0)\n"));
    }
    started.ok()
}

impl Shared {
    fn claim(&self, slot: u8) -> Result<(), &'static str> {
        if slot >= LIMIT {
            return Err("ZInternal error: delnum too big. (#4.3.5)\n");
        }
        match lock(&self.used).insert(slot) {
            true => Ok(()),
            false => Err("ZInternal error: delnum in use. (#4.3.5)\n"),
        }
    }

    fn prepare(&self, command: Command) -> Result<Delivery, &'static str> {
        command.check()?;
        let (local, host) = command
            .local_and_host()
            .map(|(local, host)| (local.to_vec(), host.to_vec()))
            .unwrap_or_default();
        let message = self.open(Path::new(std::ffi::OsStr::from_bytes(&command.message)))?;
        Ok(Delivery {
            message,
            sender: command.sender,
            local,
            host,
        })
    }

    fn open(&self, path: &Path) -> Result<File, &'static str> {
        let message = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(self.messages.join(path))
            .map_err(|_| "Zqmail-spawn unable to open message. (#4.3.0)\n")?;
        let stat = message
            .metadata()
            .map_err(|_| "Zqmail-spawn unable to fstat message. (#4.3.0)\n")?;
        if !stat.is_file() {
            return Err("ZSorry, message has wrong type. (#4.3.5)\n");
        }
        if !self.owners.contains(&stat.uid()) {
            return Err("ZSorry, message has wrong owner. (#4.3.5)\n");
        }
        Ok(message)
    }

    /// Tells qmail-send; where that is gone, deliveries still end as they should.
    fn report(&self, slot: u8, report: &Report) {
        let mut reports = lock(&self.reports);
        let written = reports
            .as_mut()
            .is_none_or(|file| file.write_all(&encode(slot, report)).is_ok());
        if !written {
            *reports = None;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a report of words that begin with their letter.
fn worded(said: &str) -> Report {
    let text = said.get(1..).unwrap_or_default();
    match said.as_bytes().first() {
        Some(b'D') => Report::new(Outcome::Failure, text),
        _ => Report::new(Outcome::Deferral, text),
    }
}

/// The environment of a program of qmail's: ours, with the home where it is not the usual one.
pub(crate) fn environment(io: &Io<'_>) -> crate::Environment {
    let mut environment = io.environment.clone();
    if io.home != Path::new(crate::start::DEFAULT_HOME) {
        environment.insert(applet::VARIABLE.into(), io.home.clone().into_os_string());
    }
    environment
}
