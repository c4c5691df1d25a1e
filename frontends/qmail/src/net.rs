//! Descriptors 0 and 1 as the stream of a conversation (tcp-environ(5), UCSPI).

use driver::blocking::Stream;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// What tcpserver, or whoever stands in for it, has put on descriptors 0 and 1.
#[derive(Debug)]
pub(crate) struct Net {
    input: File,
    output: File,
    limit: Option<Duration>,
    most: usize,
}

impl Net {
    /// Takes copies of the two.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            input: File::from(sys::adopt(0)?),
            output: File::from(sys::adopt(1)?),
            limit: None,
            most: usize::MAX,
        })
    }

    /// Reads one byte at a time, so that nothing is taken that belongs to the program after us.
    pub(crate) fn byte_by_byte(mut self) -> Self {
        self.most = 1;
        self
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
        let most = buffer.len().min(self.most);
        self.input.read(buffer.get_mut(..most).unwrap_or_default())
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
