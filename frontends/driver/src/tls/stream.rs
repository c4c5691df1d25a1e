//! TLS on a tokio stream without a machine, for programs that pass on what is inside (RFC 8446).

use super::socket::Socket;
use super::{Facts, Handshake};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream under TLS. Its handshake is done.
#[derive(Debug)]
pub struct AsyncTls<S> {
    socket: Socket<S>,
    facts: Facts,
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncTls<S> {
    /// Does the handshake, which takes no longer than it may.
    ///
    /// # Errors
    /// Fails where the peer and we come to no agreement, or where it takes too long.
    pub async fn begin(handshake: &Handshake, stream: S) -> io::Result<Self> {
        let mut socket = Socket::Plain(stream);
        socket.begin(handshake);
        let shaking = poll_fn(|cx| socket.poll_handshake(cx));
        tokio::time::timeout(handshake.limit, shaking)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let facts = socket.facts().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Self { socket, facts })
    }

    /// What came of the handshake.
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for AsyncTls<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for AsyncTls<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
