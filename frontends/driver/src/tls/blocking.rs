//! TLS on a blocking stream, for programs with one connection and no runtime (RFC 8446).

use super::socket::exporter;
use super::{Facts, Handshake, Role};
use crate::blocking::Stream;
use rustls::{ClientConnection, Connection, ServerConnection};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// A blocking stream under TLS. Its handshake is done.
#[derive(Debug)]
pub struct BlockingTls<S: Stream> {
    connection: Connection,
    stream: S,
}

impl<S: Stream> BlockingTls<S> {
    /// Does the handshake, which takes no longer than it may.
    ///
    /// # Errors
    /// Fails where the peer and we come to no agreement, or where it takes too long.
    pub fn begin(handshake: &Handshake, stream: S) -> io::Result<Self> {
        let connection = match &handshake.role {
            Role::Server(config) => ServerConnection::new(config.clone()).map(Connection::Server),
            Role::Client(config, name) => {
                ClientConnection::new(config.clone(), name.clone()).map(Connection::Client)
            }
        };
        let mut this = Self {
            connection: connection.map_err(io::Error::other)?,
            stream,
        };
        let end = Instant::now() + handshake.limit;
        while this.connection.is_handshaking() {
            this.step(end)?;
        }
        this.send()?;
        Ok(this)
    }

    /// What came of the handshake.
    pub fn facts(&self) -> Facts {
        let (name, exporter) = match &self.connection {
            Connection::Server(connection) => {
                let name = connection.server_name().map(str::to_owned);
                (name, exporter(connection))
            }
            Connection::Client(connection) => (None, exporter(connection)),
        };
        Facts::new(&self.connection, name, exporter)
    }

    /// Tells the peer that nothing more comes, so that it can tell an end from a cut.
    ///
    /// # Errors
    /// Fails where the stream is broken.
    pub fn say_end(&mut self) -> io::Result<()> {
        self.connection.send_close_notify();
        self.send()
    }

    /// The stream below.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// One round of the handshake: what is to be sent, then what has come.
    fn step(&mut self, end: Instant) -> io::Result<()> {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_limit(Some(left))?;
        if self.connection.wants_write() {
            return self.send();
        }
        if self.connection.read_tls(&mut self.stream)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.digest()
    }

    /// Takes what has come, at least one piece.
    fn receive(&mut self) -> io::Result<()> {
        // Where the stream has ended the reader says whether that was in order.
        self.connection.read_tls(&mut self.stream)?;
        self.digest()?;
        if self.connection.wants_write() {
            self.send()?;
        }
        Ok(())
    }

    fn digest(&mut self) -> io::Result<()> {
        if let Err(error) = self.connection.process_new_packets() {
            // The alert tells the peer why; where it does not arrive, so be it.
            let _ = self.send();
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.stream) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.stream.flush()
    }
}

impl<S: Stream> Read for BlockingTls<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.receive()?,
                // As on the asynchronous side: an end is an end, with a word or without.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
        }
    }
}

impl<S: Stream> Write for BlockingTls<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.connection.writer().write(bytes)?;
        self.send()?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

impl<S: Stream> Stream for BlockingTls<S> {
    fn set_limit(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.stream.set_limit(limit)
    }
}
