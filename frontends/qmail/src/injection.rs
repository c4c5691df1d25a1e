//! Hands a message to qmail-queue or to whatever QMAILQUEUE names (qmail-queue(8), spec §4).

use crate::io::Io;
use mta_core::qq::{self, Refusal};
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, ChildStdin, Command, Stdio};

/// A message on its way to the queue program.
#[derive(Debug)]
pub(crate) struct Injection {
    child: Child,
    message: Option<ChildStdin>,
    envelope: PipeWriter,
    custom: PipeReader,
    broken: bool,
}

/// Why no message was begun.
#[derive(Debug)]
pub(crate) enum NotBegun {
    /// There are no pipes or processes to be had.
    Fork(std::io::Error),
    /// What the queue program would have said.
    Refused(Refusal),
}

impl Injection {
    /// Starts the queue program: the value of QMAILQUEUE as it stands, no shell, no look-up in
    /// PATH, no arguments, else bin/qmail-queue; in both cases in the home.
    pub(crate) fn begin(io: &Io<'_>) -> Result<Self, NotBegun> {
        if !io.home.is_dir() {
            let refused = qq::meaning(61, b"").err().unwrap_or(Refusal::NOT_STARTED);
            return Err(NotBegun::Refused(refused));
        }
        let named = io.variable("QMAILQUEUE");
        let program = match &named {
            Some(name) => io.home.join(std::ffi::OsStr::from_bytes(name)),
            None => io.home.join("bin/qmail-queue"),
        };
        let (reader, envelope) = std::io::pipe().map_err(NotBegun::Fork)?;
        let (custom, writer) = std::io::pipe().map_err(NotBegun::Fork)?;
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(&io.environment)
            .current_dir(&io.home);
        command.stdin(Stdio::piped()).stdout(reader);
        sys::pass(&mut command, writer.into(), qq::CUSTOM_DESCRIPTOR).map_err(NotBegun::Fork)?;
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                return Err(NotBegun::Fork(error));
            }
            Err(_) => return Err(NotBegun::Refused(Refusal::NOT_STARTED)),
        };
        Ok(Self {
            message: child.stdin.take(),
            child,
            envelope,
            custom,
            broken: false,
        })
    }

    /// The number by which the log knows the message.
    pub(crate) fn qp(&self) -> u32 {
        self.child.id()
    }

    /// Gives up: the queue program never sees an envelope and refuses the message.
    pub(crate) fn abandon(mut self) {
        self.message = None;
        drop(self.envelope);
        let _ = self.child.wait();
    }

    /// Ends the message, names sender and recipients, and waits for the verdict.
    pub(crate) fn finish(
        mut self,
        sender: &[u8],
        recipients: &mut dyn Iterator<Item = &[u8]>,
    ) -> Result<u32, Refusal> {
        self.message = None;
        let qp = self.qp();
        if !self.broken {
            let written = write_envelope(&mut self.envelope, sender, recipients);
            self.broken = written.is_err();
        }
        drop(self.envelope);
        let status = self.child.wait().map_err(|_| Refusal::LOST)?;
        let Some(code) = status.code() else {
            return Err(Refusal::CRASHED);
        };
        let code = match u8::try_from(code).unwrap_or(u8::MAX) {
            // It cannot have queued what it was not given.
            0 if self.broken => 54,
            code => code,
        };
        let mut custom = Vec::new();
        if code == qq::CUSTOM {
            // Without its text the code still says that it is temporary.
            let _ = self
                .custom
                .take(qq::MAX_CUSTOM as u64)
                .read_to_end(&mut custom);
        }
        qq::meaning(code, &custom).map(|()| qp)
    }
}

impl Write for Injection {
    /// Never fails: a queue program that stops reading says why by its exit code.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(message) = self.message.as_mut().filter(|_| !self.broken) {
            self.broken = message.write_all(bytes).is_err();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn write_envelope(
    pipe: &mut PipeWriter,
    sender: &[u8],
    recipients: &mut dyn Iterator<Item = &[u8]>,
) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(pipe);
    let mut record = |letter: &[u8], address: &[u8]| {
        out.write_all(letter)?;
        out.write_all(address)?;
        out.write_all(&[0])
    };
    record(b"F", sender)?;
    for recipient in recipients {
        record(b"T", recipient)?;
    }
    out.write_all(&[0])?;
    out.flush()
}
