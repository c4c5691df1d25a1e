//! The program that QMAILQUEUE names, run as qmail-queue is: descriptor 0 the message, 1 the envelope, 6 a text of its own (qmail-queue(8), spec §4).

use crate::group::kill;
use crate::server::Server;
use mta_core::Envelope;
use mta_core::qq::{self, Refusal};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, Command};
use tokio::runtime::Handle;

/// How much of an envelope is written at a time.
const PIECE: usize = 8 * 1024;
/// The exit code that means "timeout".
const TIMEOUT: u8 = 52;
/// The exit code that means "read error": what a program that was not given all must say.
const INCOMPLETE: u8 = 54;

/// A message on its way to the program. Dropped before [`finish`](Self::finish) it is taken back:
/// the envelope never gets its end.
pub(super) struct QueueProgram {
    child: Option<Child>,
    message: Option<ChildStdin>,
    envelope: Option<pipe::Sender>,
    custom: pipe::Receiver,
    qp: u32,
    limit: Duration,
    broken: Option<Broken>,
}

/// Why the program did not get everything.
#[derive(Clone, Copy)]
enum Broken {
    /// It stopped reading; its exit code says why.
    Deaf,
    /// It did not go on in time.
    Late,
}

impl QueueProgram {
    /// Starts the program as it is named: no shell, no look-up in PATH, no arguments, in the home.
    pub(super) async fn start(
        server: &Server,
        program: &[u8],
        environment: Vec<(OsString, OsString)>,
    ) -> Result<Self, Refusal> {
        let path = server.home.root().join(OsStr::from_bytes(program));
        let path = std::path::absolute(&path).unwrap_or(path);
        let mut command = Command::new(&path);
        command
            .envs(environment)
            .current_dir(server.home.root())
            .process_group(0);
        let runtime = Handle::current();
        let limit = Duration::from_secs(server.config().timeouts.queue_program);
        // Starting a process takes longer than a task may block.
        let started = server.pools.sessions.run(move || {
            let _inside = runtime.enter();
            spawn(command, limit)
        });
        match started.await {
            Ok(Ok(started)) => Ok(started),
            Ok(Err(error)) => {
                tracing::error!("unable to run {}: {error}", path.display());
                Err(Refusal::NOT_STARTED)
            }
            Err(_) => Err(Refusal::NOT_STARTED),
        }
    }

    /// Hands over a piece of the message. What goes wrong is told by [`finish`](Self::finish).
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        if self.broken.is_some() {
            return;
        }
        let Some(message) = &mut self.message else {
            return;
        };
        self.broken = within(self.limit, message.write_all(bytes)).await.err();
    }

    /// Ends the message, hands over the envelope and waits for the verdict; returns the number by
    /// which the log knows the message.
    pub(super) async fn finish(mut self, envelope: &Envelope) -> Result<u32, Refusal> {
        self.message = None;
        if self.broken.is_none()
            && let Some(pipe) = &mut self.envelope
        {
            self.broken = write_envelope(pipe, envelope, self.limit).await.err();
        }
        self.envelope = None;
        let Some(mut child) = self.child.take() else {
            return Err(Refusal::LOST);
        };
        if matches!(self.broken, Some(Broken::Late)) {
            kill(&child);
        }
        let Ok(ended) = tokio::time::timeout(self.limit, child.wait()).await else {
            kill(&child);
            self.child = Some(child);
            return qq::meaning(TIMEOUT, b"").map(|()| self.qp);
        };
        let status = ended.map_err(|_| Refusal::LOST)?;
        let code = match (self.broken, status.code()) {
            (Some(Broken::Late), _) => TIMEOUT,
            // It cannot have queued what it was not given.
            (Some(Broken::Deaf), Some(0)) => INCOMPLETE,
            (_, Some(code)) => u8::try_from(code).unwrap_or(u8::MAX),
            (_, None) => return Err(Refusal::CRASHED),
        };
        qq::meaning(code, &self.custom()).map(|()| self.qp)
    }

    /// What the program wrote to descriptor 6. Its own children may still hold it open, so only
    /// what is there now is read.
    fn custom(&self) -> Vec<u8> {
        let mut text = [0; qq::MAX_CUSTOM];
        let mut filled = 0;
        while let Some(room) = text.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.custom.try_read(room) {
                Ok(n) if n > 0 => filled += n,
                _ => break,
            }
        }
        text.get(..filled).unwrap_or_default().to_vec()
    }
}

impl Drop for QueueProgram {
    /// A program that was not waited for sees its message end without an envelope, and has its
    /// time to give up.
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let limit = self.limit;
        runtime.spawn(async move {
            if tokio::time::timeout(limit, child.wait()).await.is_err() {
                kill(&child);
                let _ = child.wait().await;
            }
        });
    }
}

fn spawn(mut command: Command, limit: Duration) -> io::Result<QueueProgram> {
    let (reader, envelope) = io::pipe()?;
    let (custom, writer) = io::pipe()?;
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::from(OwnedFd::from(reader)));
    sys::pass(command.as_std_mut(), writer.into(), qq::CUSTOM_DESCRIPTOR)?;
    let mut child = command.spawn()?;
    Ok(QueueProgram {
        message: child.stdin.take(),
        qp: child.id().unwrap_or_default(),
        child: Some(child),
        envelope: Some(pipe::Sender::from_owned_fd(envelope.into())?),
        custom: pipe::Receiver::from_owned_fd(custom.into())?,
        limit,
        broken: None,
    })
}

async fn write_envelope(
    pipe: &mut pipe::Sender,
    envelope: &Envelope,
    limit: Duration,
) -> Result<(), Broken> {
    let recipients = envelope.recipients.iter().map(|to| (b'T', &to.address));
    let mut piece = Vec::with_capacity(PIECE);
    for (letter, address) in std::iter::once((b'F', &envelope.reverse_path)).chain(recipients) {
        piece.push(letter);
        piece.extend_from_slice(address.as_bytes());
        piece.push(0);
        if piece.len() >= PIECE {
            within(limit, pipe.write_all(&piece)).await?;
            piece.clear();
        }
    }
    piece.push(0);
    within(limit, pipe.write_all(&piece)).await
}

async fn within(
    limit: Duration,
    write: impl Future<Output = io::Result<()>>,
) -> Result<(), Broken> {
    match tokio::time::timeout(limit, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Broken::Deaf),
        Err(_) => Err(Broken::Late),
    }
}
