//! Descriptors 0 and 1 as the stream of a conversation (tcp-environ(5)).

use driver::blocking::Stream;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// What tcpserver has put on descriptors 0 and 1.
#[derive(Debug)]
pub(crate) struct Net {
    input: File,
    output: File,
    limit: Option<Duration>,
}

impl Net {
    /// Takes copies of the two.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            input: File::from(sys::adopt(0)?),
            output: File::from(sys::adopt(1)?),
            limit: None,
        })
    }

    fn wait(&self, descriptor: BorrowedFd<'_>, what: PollFlags) -> io::Result<()> {
        let limit = match self.limit {
            None => PollTimeout::NONE,
            Some(limit) => PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX),
        };
        match poll(&mut [PollFd::new(descriptor, what)], limit)? {
            0 => Err(ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

impl Read for Net {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait(self.input.as_fd(), PollFlags::POLLIN)?;
        self.input.read(buffer)
    }
}

impl Write for Net {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait(self.output.as_fd(), PollFlags::POLLOUT)?;
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Net {
    fn set_limit(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.limit = limit;
        Ok(())
    }
}
