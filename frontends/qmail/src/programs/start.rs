//! qmail-start: starts the four programs that drain the queue, and a logger (qmail-start(8), spec §1).
//!
//! ```text
//! qmail-start ─┬─ the logger      qmaill:nofiles  ◄─ fd 0 of qmail-send
//!              ├─ qmail-lspawn    root            ◄─ fds 1, 2
//!              ├─ qmail-rspawn    qmailr          ◄─ fds 3, 4
//!              ├─ qmail-clean     qmailq          ◄─ fds 5, 6
//!              └─ becomes qmail-send, as qmails
//! ```
//!
//! Where it does not run as root, all of them run as the one account that there is.

use crate::failure::Failure;
use crate::io::Io;
use crate::spawner::environment;
use crate::users::{NOFILES, Part, QMAIL, gid, uid};
use applet::Exit;
use nix::sys::stat::Mode;
use nix::unistd::geteuid;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{PipeReader, PipeWriter, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

const DEFAULT_DELIVERY: &str = "./Mailbox";

/// Who runs what; `None` for everything where nobody else can be become.
struct Ids {
    log: Option<(u32, u32)>,
    root: Option<(u32, u32)>,
    remote: Option<(u32, u32)>,
    queue: Option<(u32, u32)>,
    send: Option<(u32, u32)>,
}

impl Ids {
    fn find() -> Result<Self, Failure> {
        if !geteuid().is_root() {
            return Ok(Self {
                log: None,
                root: None,
                remote: None,
                queue: None,
                send: None,
            });
        }
        let of = |part| uid(part).map(nix::unistd::Uid::as_raw);
        let (log, queue) = (of(Part::Log)?, of(Part::Queue)?);
        let (remote, send) = (of(Part::Remote)?, of(Part::Send)?);
        let (nofiles, qmail) = (gid(NOFILES)?.as_raw(), gid(QMAIL)?.as_raw());
        Ok(Self {
            log: Some((log, nofiles)),
            root: Some((0, qmail)),
            remote: Some((remote, qmail)),
            queue: Some((queue, qmail)),
            send: Some((send, qmail)),
        })
    }
}

/// Both ends of the talk with a child.
struct Child {
    to: PipeWriter,
    from: PipeReader,
}

/// Returns only where something failed.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let not = |what: &str, error: &std::io::Error| {
        Failure::system("qmail-start", &format!("unable to {what}"), error)
    };
    std::env::set_current_dir("/").map_err(|error| not("chdir to /", &error))?;
    nix::sys::stat::umask(Mode::from_bits_truncate(0o077));
    let ids = Ids::find()?;
    let mut words = std::mem::take(&mut io.arguments).into_iter();
    let delivery = words.next().unwrap_or_else(|| DEFAULT_DELIVERY.into());
    let logger: Vec<OsString> = words.collect();
    io.environment = environment(io);
    let log = start_logger(io, &logger, ids.log).map_err(|error| not("run the logger", &error))?;
    let local = start(io, ("qmail-lspawn", &[delivery]), ids.root)
        .map_err(|error| not("run qmail-lspawn", &error))?;
    let remote = start(io, ("qmail-rspawn", &[]), ids.remote)
        .map_err(|error| not("run qmail-rspawn", &error))?;
    let clean = start(io, ("qmail-clean", &[]), ids.queue)
        .map_err(|error| not("run qmail-clean", &error))?;
    let error = become_send(io, log, [local, remote, clean], ids.send);
    Err(not("run qmail-send", &error))
}

/// Starts whatever shall read the log; without one the log goes to our standard output.
fn start_logger(
    io: &Io<'_>,
    logger: &[OsString],
    ids: Option<(u32, u32)>,
) -> std::io::Result<OwnedFd> {
    let Some((program, arguments)) = logger.split_first() else {
        return sys::adopt(1);
    };
    let (reader, writer) = pipe()?;
    let mut command = program_as(io, program, ids);
    command.args(arguments).stdin(reader).stderr(Stdio::null());
    command.spawn()?;
    Ok(writer.into())
}

fn start(
    io: &Io<'_>,
    (program, arguments): (&str, &[OsString]),
    ids: Option<(u32, u32)>,
) -> std::io::Result<Child> {
    let (its_input, to) = pipe()?;
    let (from, its_output) = pipe()?;
    let mut command = program_as(io, OsStr::new(program), ids);
    command.args(arguments).stdin(its_input).stdout(its_output);
    command.stderr(Stdio::null()).spawn()?;
    Ok(Child { to, from })
}

/// Prepares a program, looked up in PATH, that runs as somebody else with no other groups.
fn program_as(io: &Io<'_>, program: &OsStr, ids: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(&io.environment);
    if let Some((uid, gid)) = ids {
        command.uid(uid).gid(gid);
    }
    command
}

fn become_send(
    io: &Io<'_>,
    log: OwnedFd,
    children: [Child; 3],
    ids: Option<(u32, u32)>,
) -> std::io::Error {
    let mut command = program_as(io, OsStr::new("qmail-send"), ids);
    let [local, remote, clean] = children;
    command
        .stdin(File::from(log))
        .stdout(local.to)
        .stderr(local.from);
    let others: [OwnedFd; 4] = [
        remote.to.into(),
        remote.from.into(),
        clean.to.into(),
        clean.from.into(),
    ];
    for (descriptor, number) in others.into_iter().zip(3..) {
        if let Err(error) = sys::pass(&mut command, descriptor, number) {
            return error;
        }
    }
    command.exec()
}
