//! qmail-queue: takes a message from descriptor 0 and its envelope from descriptor 1 (qmail-queue(8)).

use crate::descriptor;
use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;
use mta_core::Envelope;
use mta_core::qq::EnvelopeParser;
use mta_core::received::{self, Invoked};
use mta_store::files::RealFiles;
use mta_store::queue::{Draft, Origin, Queue, QueueError};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::Mode;
use nix::unistd::{Uid, User};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// After so long a message that is still coming is given up, long before the drainer would take
/// its files for abandoned.
const PATIENCE: Duration = Duration::from_secs(86_400);
const PIECE: usize = 64 * 1024;

const RESOURCES: u8 = 51;
const TIMEOUT: u8 = 52;
const WRITE: u8 = 53;
const READ: u8 = 54;
const HOME: u8 = 61;
const QUEUE: u8 = 62;
const BUG: u8 = 81;

/// Never says a word: its caller knows the code.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    nix::sys::stat::umask(Mode::from_bits_truncate(0o033));
    block_signals();
    let watch = std::thread::Builder::new().spawn(|| {
        std::thread::sleep(PATIENCE);
        std::process::exit(i32::from(TIMEOUT));
    });
    if watch.is_err() {
        return Err(Failure::silent(Exit::other(RESOURCES)));
    }
    match take(io) {
        Ok(()) => Ok(Exit::OK),
        Err(code) => Err(Failure::silent(Exit::other(code))),
    }
}

/// A signal that a user's shell sends must not end a message halfway. They are blocked, not
/// ignored, which comes to the same while this process lives.
fn block_signals() {
    let ours = [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGPIPE,
        Signal::SIGVTALRM,
        Signal::SIGPROF,
        Signal::SIGXCPU,
        Signal::SIGXFSZ,
    ];
    // It can only fail for an invalid argument.
    let _ = ours.into_iter().collect::<SigSet>().thread_block();
}

fn take(io: &Io<'_>) -> Result<(), u8> {
    if !io.home.is_dir() {
        return Err(HOME);
    }
    let files = Arc::new(RealFiles::new());
    let queue = Queue::look_at(files, io.home.join("queue")).map_err(|_| QUEUE)?;
    let origin = Origin {
        pid: std::process::id(),
        uid: nix::unistd::getuid().as_raw(),
    };
    let mut message = open(0)?;
    let mut draft = queue.begin(origin, io.now).map_err(|error| code(&error))?;
    let line = received::queue(origin.pid, invoked(origin.uid), io.dates().stamp(io.now));
    draft.write(line.as_bytes()).map_err(|error| code(&error))?;
    pieces(&mut message, |piece| {
        draft.write(piece).map_err(|error| code(&error))?;
        Ok(false)
    })?;
    let envelope = envelope(&mut open(1)?)?;
    commit(draft, &envelope)?;
    queue.pull_trigger();
    Ok(())
}

fn commit(draft: Draft<RealFiles>, envelope: &Envelope) -> Result<(), u8> {
    draft
        .commit(envelope)
        .map(drop)
        .map_err(|error| code(&error))
}

/// Opens one of the two; a caller that gave none gets the code for an unreadable one.
fn open(number: i32) -> Result<File, u8> {
    descriptor::open(number).map_err(|_| READ)
}

fn envelope(from: &mut impl Read) -> Result<Envelope, u8> {
    let mut parser = EnvelopeParser::new();
    pieces(from, |piece| {
        parser.push(piece).map_err(|error| error.exit_code())
    })?;
    parser.finish().map_err(|error| error.exit_code())
}

/// Reads until the end, or until `use_piece` has enough.
fn pieces(
    from: &mut impl Read,
    mut use_piece: impl FnMut(&[u8]) -> Result<bool, u8>,
) -> Result<(), u8> {
    let mut buffer = vec![0; PIECE];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return Err(READ),
        };
        if use_piece(buffer.get(..n).unwrap_or_default())? {
            return Ok(());
        }
    }
}

/// Says who called, by the names that qmail's users have; where the host has no such user, nobody
/// is that user.
fn invoked(uid: u32) -> Invoked {
    let is = |name: &str| {
        let user = User::from_name(name).ok().flatten();
        user.is_some_and(|user| user.uid == Uid::from_raw(uid))
    };
    if is("alias") {
        Invoked::ByAlias
    } else if is("qmaild") {
        Invoked::FromNetwork
    } else if is("qmails") {
        Invoked::ForBounce
    } else {
        Invoked::ByUid(uid)
    }
}

/// Which exit code a failure of the queue is, by the directory where it happened.
fn code(error: &QueueError) -> u8 {
    match error {
        QueueError::Full { .. }
        | QueueError::Io {
            doing: "write" | "sync",
            ..
        } => WRITE,
        QueueError::Io { path, .. } => kind_of(path),
        QueueError::Envelope(_) => RESOURCES,
        _ => BUG,
    }
}

fn kind_of(path: &Path) -> u8 {
    let names: Vec<_> = path.iter().rev().skip(1).take(2).collect();
    let is = |kind: &str| names.iter().any(|name| *name == kind);
    match () {
        () if is("pid") => 63,
        () if is("mess") => 64,
        () if is("intd") => 65,
        () if is("todo") => 66,
        () => WRITE,
    }
}
