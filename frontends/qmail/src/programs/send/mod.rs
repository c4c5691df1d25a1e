//! qmail-send: drains the queue, delivering by its spawners and cleaning by qmail-clean (qmail-send(8), spec §5).
//!
//! ```text
//!            ┌── fd 1 ──► qmail-lspawn ── fd 2 ──┐
//! Manager ───┼── fd 3 ──► qmail-rspawn ── fd 4 ──┼──► Manager      log: fd 0
//!            ├── fd 5 ──► qmail-clean  ── fd 6 ──┤
//!            └── the queue's own files ──────────┘   trigger, signals
//! ```
//!
//! One thread: a step in the queue is done before the next thing is looked at, and between two
//! steps reports are read and commands written as far as the pipes allow.

mod cleaner;
mod engine;
mod link;
mod notice;
mod steps;
mod wake;

use crate::controls;
use crate::failure::Failure;
use crate::io::Io;
use crate::log_spool;
use crate::spawner::environment;
use applet::Exit;
use cleaner::CleanLink;
use engine::{Engine, Parts};
use link::Link;
use mta_core::control::Controls;
use mta_core::queue::{PerChannel, Recovered};
use mta_core::rewrite::Channel;
use mta_store::files::RealFiles;
use mta_store::queue::{Queue, QueueError};
use nix::sys::stat::Mode;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use wake::Wake;

/// The control files that are read, and no others.
const CONTROLS: &[&str] = &[
    "me",
    "bouncefrom",
    "bouncehost",
    "concurrencylocal",
    "concurrencyremote",
    "doublebouncehost",
    "doublebounceto",
    "envnoathost",
    "locals",
    "percenthack",
    "queuelifetime",
    "virtualdomains",
];

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    nix::sys::stat::umask(Mode::from_bits_truncate(0o077));
    // Copies of the descriptors would keep pipes open that are somebody else's.
    io.input = Box::new(std::io::empty());
    io.output = Box::new(std::io::sink());
    io.errors = Box::new(std::io::sink());
    let nothing = |_| Failure::silent(Exit::TEMPORARY);
    let mut log = Log(File::from(sys::take(0).map_err(nothing)?));
    // Before anything is opened, which would get the number of a descriptor that is missing.
    let pipes = Pipes::take();
    let started = start(io, &mut log, pipes);
    let (parts, standing) = started.map_err(|why| {
        log.line(&format!("alert: cannot start: {why}"));
        Failure::silent(Exit::TEMPORARY)
    })?;
    // Held to the end.
    let Started { _lock, parts } = parts;
    Engine::new(parts, log, standing).run();
    Ok(Exit::OK)
}

/// Where the lines go; a log that is gone is no reason to stop delivering.
#[derive(Debug)]
struct Log(File);

impl Log {
    fn line(&mut self, line: &str) {
        let _ = self.0.write_all(format!("{line}\n").as_bytes());
    }
}

/// The ways to the three children.
struct Pipes {
    links: PerChannel<Link>,
    cleaner: Arc<CleanLink>,
}

impl Pipes {
    fn take() -> std::io::Result<Self> {
        Ok(Self {
            links: PerChannel::new(Link::take((1, 2))?, Link::take((3, 4))?),
            cleaner: Arc::new(CleanLink::take((5, 6))?),
        })
    }
}

struct Started<'a> {
    _lock: mta_store::queue::Drainer<mta_store::files::RealLock>,
    parts: Parts<'a>,
}

/// Does everything that must have succeeded before the first line of the log.
fn start<'a>(
    io: &'a mut Io<'_>,
    log: &mut Log,
    pipes: std::io::Result<Pipes>,
) -> Result<(Started<'a>, Vec<Recovered>), String> {
    if !io.home.is_dir() {
        return Err("unable to switch to home directory".into());
    }
    let controls = controls::load(io, CONTROLS).map_err(|_| "unable to read controls")?;
    io.environment = environment(io);
    let queue = Queue::look_at(Arc::new(RealFiles::new()), io.home.join("queue"))
        .map_err(|_| "unable to switch to queue directory")?;
    let wake = Wake::begin(&queue).map_err(|_| "unable to switch to queue directory")?;
    let lock = queue.lock_drainer().map_err(|error| match error {
        QueueError::Busy => "qmail-send is already running",
        _ => "unable to open mutex",
    })?;
    // Nothing changes there while the mutex is ours.
    match log_spool::messages(io) {
        Ok(0) => {}
        Ok(count) => return Err(stranded(count)),
        Err(error) => return Err(format!("unable to read the log of mtad: {error}")),
    }
    let no_fire = |_| "hath the daemon spawn no fire?";
    let Pipes { mut links, cleaner } = pipes.map_err(no_fire)?;
    for channel in Channel::ALL {
        links.of_mut(channel).greeting().map_err(no_fire)?;
    }
    let standing = take_stock(&queue, log).map_err(|_| "unable to switch to queue directory")?;
    let queue = queue.cleaned_by(Arc::clone(&cleaner) as _);
    let parts = Parts {
        io,
        controls,
        queue,
        links,
        cleaner,
        wake,
    };
    let started = Started { _lock: lock, parts };
    Ok((started, standing))
}

/// Says why nothing is done beside messages that would wait here for ever.
fn stranded(count: usize) -> String {
    format!(
        "messages stand in queue/log ({count}), which mtad drains; mtad queue convert qmail moves them here"
    )
}

/// Finds what stands in the queue. Where one account does everything, what is broken is put aside
/// too; as qmails there is no right to do so.
fn take_stock(queue: &Queue<RealFiles>, log: &mut Log) -> Result<Vec<Recovered>, QueueError> {
    let layout = queue.layout();
    let all = layout.dir().join("intd").read_dir().is_ok()
        && Queue::open(Arc::new(RealFiles::new()), layout.dir()).is_ok();
    let found = if all {
        queue.recover()
    } else {
        queue.standing()
    }?;
    for aside in &found.quarantined {
        let (files, reason) = (aside.files.len(), &aside.reason);
        log.line(&format!(
            "warning: put {files} files into quarantine: {reason}"
        ));
    }
    for path in &found.mended {
        log.line(&format!("warning: mended {}", path.display()));
    }
    for said in &found.failed {
        log.line(&format!("warning: {said}"));
    }
    let recovered = |one: mta_store::queue::Standing| Recovered {
        id: one.id,
        birth: one.birth,
        sender: one.sender,
        next: PerChannel::new(one.local, one.remote),
        bounced: one.bounce,
    };
    Ok(found.standing.into_iter().map(recovered).collect())
}

/// Reads again what SIGHUP is for, and no more.
fn reread(io: &Io<'_>, controls: &mut Controls) -> Result<(), String> {
    if !io.home.is_dir() {
        return Err("alert: unable to reread controls: unable to switch to home directory".into());
    }
    let names = ["me", "locals", "virtualdomains"];
    let read = controls::load(io, &names).map_err(|error| {
        let file = match error {
            mta_core::control::LoadError::Unreadable { file, .. } => file,
            _ => "locals",
        };
        format!("alert: unable to reread control/{file}")
    })?;
    controls.routing.locals = read.routing.locals;
    controls.routing.virtualdomains = read.routing.virtualdomains;
    Ok(())
}
