//! The loop of tcpserver: connections in, children out, never more than the limit (tcpserver(1), spec §9.1).

use super::options::{Settings, Verbosity};
use super::pem::Pem;
use super::{CONNECTION, listen, log};
use crate::Io;
use crate::failure::{Failure, reason};
use applet::Exit;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// How long to wait after a failure to accept that would come again at once (no descriptors left).
const PAUSE_MS: u16 = 100;

/// Serves until SIGTERM; the children then live on.
pub(super) fn serve(
    io: &mut Io<'_>,
    settings: &Settings,
    arguments: &[OsString],
    (listener, pem): (&TcpListener, Option<Pem>),
) -> Result<Exit, Failure> {
    let unable = |error: io::Error| listen::unable("wait for signals", &error);
    sys::hear_of_children().map_err(unable)?;
    let signals = signals(pem.is_some()).map_err(unable)?;
    let mut server = Server {
        io,
        settings,
        arguments,
        pem,
        children: HashSet::new(),
    };
    server.status();
    let mut pause = false;
    loop {
        let full = pause || server.children.len() >= settings.limit;
        let mut watched = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        if !full {
            watched.push(PollFd::new(listener.as_fd(), PollFlags::POLLIN));
        }
        let timeout = if pause {
            PollTimeout::from(PAUSE_MS)
        } else {
            PollTimeout::NONE
        };
        match poll(&mut watched, timeout) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(listen::unable("wait for connections", &error.into())),
        }
        let ready = watched.get(1).and_then(PollFd::any).unwrap_or(false);
        while let Ok(Some(signal)) = signals.read_signal() {
            if signal.ssi_signo == Signal::SIGTERM as u32 {
                return Ok(Exit::OK);
            }
            if signal.ssi_signo == Signal::SIGHUP as u32 {
                server.reload();
            }
        }
        server.reap();
        pause = ready && server.accept(listener).is_err();
    }
}

/// Those that are waited for. SIGHUP ends whoever has no certificate to read again, as ever.
fn signals(with_hangup: bool) -> io::Result<SignalFd> {
    let mut set = SigSet::empty();
    set.add(Signal::SIGCHLD);
    set.add(Signal::SIGTERM);
    if with_hangup {
        set.add(Signal::SIGHUP);
    }
    // Programs that are started do not inherit this: std unblocks all signals in a child.
    set.thread_block()?;
    Ok(SignalFd::with_flags(
        &set,
        SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC,
    )?)
}

struct Server<'a, 'io> {
    io: &'a mut Io<'io>,
    settings: &'a Settings,
    arguments: &'a [OsString],
    /// What the connections serve TLS with.
    pem: Option<Pem>,
    children: HashSet<Pid>,
}

impl Server<'_, '_> {
    fn status(&mut self) {
        let running = self.children.len();
        log::status(self.io, self.settings, running);
    }

    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if passing(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        log::status(self.io, self.settings, self.children.len() + 1);
        match self.start(stream, peer) {
            Ok(child) => {
                self.children.insert(child);
            }
            Err(error) => {
                let line = format!(
                    "warning: dropping connection, unable to fork: {}",
                    reason(&error)
                );
                log::tell(self.io, self.settings, Verbosity::Errors, line.as_bytes());
                self.status();
            }
        }
        Ok(())
    }

    /// Reads the certificate again; the old one stays where the new one cannot be had.
    fn reload(&mut self) {
        let line = match Pem::load(self.settings) {
            Ok(pem) => {
                self.pem = Some(pem);
                return;
            }
            Err(failure) => [b"warning: certificate unchanged, ", failure.text()].concat(),
        };
        log::tell(self.io, self.settings, Verbosity::Errors, &line);
    }

    /// Starts this binary for one connection.
    fn start(&self, stream: TcpStream, peer: SocketAddr) -> io::Result<Pid> {
        // Whoever does TLS needs the connection once, and in the place of the other the certificate.
        let output = match &self.pem {
            Some(pem) => pem.descriptor()?,
            None => OwnedFd::from(stream.try_clone()?),
        };
        let child = Command::new(crate::own_program()?)
            .arg0(CONNECTION)
            .arg(self.settings.called.name())
            .arg(peer.ip().to_canonical().to_string())
            .arg(peer.port().to_string())
            .args(self.arguments)
            .stdin(Stdio::from(OwnedFd::from(stream)))
            .stdout(Stdio::from(output))
            .spawn()?;
        i32::try_from(child.id())
            .map(Pid::from_raw)
            .map_err(io::Error::other)
    }

    fn reap(&mut self) {
        while let Ok(ended) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            // The number of wait(2), as the original shows it.
            let (pid, status) = match ended {
                WaitStatus::Exited(pid, code) => (pid, code << 8),
                WaitStatus::Signaled(pid, signal, core) => {
                    (pid, signal as i32 | (i32::from(core) << 7))
                }
                _ => return,
            };
            // A child of whoever became this process is none of ours.
            if self.children.remove(&pid) {
                let line = format!("end {pid} status {status}");
                log::tell(self.io, self.settings, Verbosity::All, line.as_bytes());
                self.status();
            }
        }
    }
}

/// Whether accept failed only for this one client.
fn passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
    )
}
