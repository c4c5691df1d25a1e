//! Drives one machine on one blocking stream, for programs without a runtime (one connection, one thread).

use crate::{Closed, scratch};
use mta_core::Mono;
use mta_proto::{Action, Machine};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// A blocking stream that can give up after a while.
pub trait Stream: Read + Write {
    /// Limits how long the next reads and writes wait; `None` waits for ever. A call that took too
    /// long fails with [`io::ErrorKind::WouldBlock`] or [`io::ErrorKind::TimedOut`].
    ///
    /// # Errors
    /// Fails when the stream is broken.
    fn set_limit(&mut self, limit: Option<Duration>) -> io::Result<()>;
}

impl Stream for std::net::TcpStream {
    fn set_limit(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(limit)?;
        self.set_write_timeout(limit)
    }
}

impl Stream for std::os::unix::net::UnixStream {
    fn set_limit(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(limit)?;
        self.set_write_timeout(limit)
    }
}

/// A machine on its blocking stream: [`Link`](crate::Link) without a runtime.
///
/// It moves bytes only inside its own calls, so a peer that hangs up while the application works
/// is noticed at the next call.
#[derive(Debug)]
pub struct BlockingLink<M, S> {
    machine: M,
    stream: S,
    start: Instant,
    broken: Option<io::ErrorKind>,
}

impl<M: Machine, S: Stream> BlockingLink<M, S> {
    /// Puts a machine on a stream. The link's clock starts at [`Mono::ZERO`] now.
    pub fn new(machine: M, stream: S) -> Self {
        Self {
            machine,
            stream,
            start: Instant::now(),
            broken: None,
        }
    }

    /// The machine, to answer its questions and to give it commands.
    pub const fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// The link's clock.
    pub fn now(&self) -> Mono {
        Mono::from_start(self.start.elapsed())
    }

    /// Moves bytes and time until the machine has an event.
    ///
    /// # Errors
    /// Fails once the conversation is over, and when a question is still open.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator would hide why the conversation ended"
    )]
    pub fn next(&mut self) -> Result<M::Event, Closed> {
        loop {
            match self.machine.poll(self.now()) {
                Action::Event(event) => return Ok(event),
                Action::Read => {
                    self.send();
                    if self.machine.wire().eof() {
                        return Err(self.close());
                    }
                    self.take();
                }
                Action::Write => self.send(),
                Action::Wait => {
                    self.send();
                    return Err(Closed::Unanswered);
                }
                Action::StartTls => return Err(Closed::Tls),
                Action::Close => return Err(self.close()),
            }
        }
    }

    /// Sends what is unsent, then does the application's work.
    ///
    /// # Errors
    /// Fails, without doing the work, when the connection is broken.
    pub fn while_waiting<T>(&mut self, work: impl FnOnce() -> T) -> Result<T, Closed> {
        self.send();
        match self.broken {
            Some(kind) => Err(Closed::Lost(kind.into())),
            None => Ok(work()),
        }
    }

    /// Sends what is unsent and gives the stream back, whatever the machine had in mind.
    ///
    /// # Errors
    /// Fails when the peer cannot be sent the rest.
    pub fn finish(mut self) -> Result<S, Closed> {
        match self.close() {
            Closed::Ended => Ok(self.stream),
            failed => Err(failed),
        }
    }

    fn close(&mut self) -> Closed {
        self.send();
        match self.broken {
            Some(kind) => Closed::Lost(kind.into()),
            None => Closed::Ended,
        }
    }

    /// How long the stream may block now: until the deadline, and never "for no time", which
    /// streams take for an error.
    fn limit(&self) -> Option<Duration> {
        let left = self.machine.deadline()?.since(self.now());
        Some(left.max(Duration::from_millis(1)))
    }

    fn send(&mut self) {
        while !self.machine.wire().output().is_empty() {
            if self.broken.is_some() {
                let unsent = self.machine.wire().output().len();
                return self.machine.wire_mut().advance_output(unsent);
            }
            let limit = self.limit().unwrap_or(crate::link::CLOSE_LIMIT);
            let sent = match self.stream.set_limit(Some(limit)) {
                Ok(()) => self.stream.write(self.machine.wire().output()),
                Err(error) => Err(error),
            };
            match sent {
                Ok(0) => self.break_off(io::ErrorKind::WriteZero),
                Ok(n) => self.machine.wire_mut().advance_output(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.break_off(error.kind()),
            }
        }
        if let Err(error) = self.stream.flush() {
            self.break_off(error.kind());
        }
    }

    fn take(&mut self) {
        let room = self.machine.wire().room().min(scratch::SIZE);
        if let Err(error) = self.stream.set_limit(self.limit()) {
            return self.break_off(error.kind());
        }
        let (machine, stream) = (&mut self.machine, &mut self.stream);
        let read = scratch::with(|scratch| {
            let buffer = scratch.get_mut(..room).unwrap_or_default();
            let n = stream.read(buffer)?;
            match buffer.get(..n) {
                None | Some([]) => machine.wire_mut().push_eof(),
                Some(bytes) => {
                    machine.wire_mut().push(bytes);
                }
            }
            Ok::<_, io::Error>(())
        });
        match read.map_err(|error| error.kind()) {
            // A limit that has run out is the machine's business: it sees its deadline pass.
            Ok(())
            | Err(
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted,
            ) => {}
            Err(kind) => self.break_off(kind),
        }
    }

    fn break_off(&mut self, kind: io::ErrorKind) {
        self.broken.get_or_insert(kind);
        self.machine.wire_mut().push_broken();
    }
}
