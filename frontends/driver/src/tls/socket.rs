//! A stream that is in the clear first and may become a TLS stream, for [`Link`](crate::Link) (RFC 3207 §4).

use super::{Facts, Handshake, Role};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{Accept, Connect, TlsAcceptor, TlsConnector, TlsStream};

/// A stream in one of its stages.
pub(crate) enum Socket<S> {
    Plain(S),
    Accepting(Box<Accept<S>>),
    Connecting(Box<Connect<S>>),
    Tls(Box<TlsStream<S>>),
    /// The handshake failed.
    Gone,
}

impl<S> std::fmt::Debug for Socket<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Accepting(_) | Self::Connecting(_) => "Handshake",
            Self::Tls(_) => "Tls",
            Self::Gone => "Gone",
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(crate) fn get_ref(&self) -> Option<&S> {
        match self {
            Self::Plain(stream) => Some(stream),
            Self::Accepting(accept) => accept.get_ref(),
            Self::Connecting(connect) => connect.get_ref(),
            Self::Tls(stream) => Some(stream.get_ref().0),
            Self::Gone => None,
        }
    }

    pub(crate) fn into_inner(self) -> Option<S> {
        match self {
            Self::Plain(stream) => Some(stream),
            Self::Tls(stream) => Some(match *stream {
                TlsStream::Server(stream) => stream.into_inner().0,
                TlsStream::Client(stream) => stream.into_inner().0,
            }),
            Self::Accepting(_) | Self::Connecting(_) | Self::Gone => None,
        }
    }

    /// Begins a handshake on a stream in the clear; on any other does nothing.
    pub(crate) fn begin(&mut self, handshake: &Handshake) {
        *self = match (std::mem::replace(self, Self::Gone), &handshake.role) {
            (Self::Plain(stream), Role::Server(config)) => {
                let acceptor = TlsAcceptor::from(config.clone());
                Self::Accepting(Box::new(acceptor.accept(stream)))
            }
            (Self::Plain(stream), Role::Client(config, name)) => {
                let connector = TlsConnector::from(config.clone());
                Self::Connecting(Box::new(connector.connect(name.clone(), stream)))
            }
            (other, _) => other,
        };
    }

    /// Brings the handshake on.
    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = match self {
            Self::Plain(_) | Self::Tls(_) => return Poll::Ready(Ok(())),
            Self::Gone => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            Self::Accepting(accept) => {
                ready!(Pin::new(accept.as_mut()).poll(cx)).map(TlsStream::Server)
            }
            Self::Connecting(connect) => {
                ready!(Pin::new(connect.as_mut()).poll(cx)).map(TlsStream::Client)
            }
        };
        Poll::Ready(match done {
            Ok(stream) => {
                *self = Self::Tls(Box::new(stream));
                Ok(())
            }
            Err(error) => {
                *self = Self::Gone;
                Err(error)
            }
        })
    }

    /// Gives up on a handshake.
    pub(crate) fn abandon(&mut self) {
        *self = Self::Gone;
    }

    /// What came of the handshake.
    pub(crate) fn facts(&self) -> Option<Facts> {
        let Self::Tls(stream) = self else {
            return None;
        };
        let (_, state) = stream.get_ref();
        let (name, exporter) = match stream.as_ref() {
            TlsStream::Server(stream) => {
                let (_, connection) = stream.get_ref();
                let name = connection.server_name().map(str::to_owned);
                (name, exporter(connection))
            }
            TlsStream::Client(stream) => (None, exporter(stream.get_ref().1)),
        };
        Some(Facts::new(state, name, exporter))
    }
}

/// RFC 9266 §2.
pub(super) fn exporter<D>(connection: &rustls::ConnectionCommon<D>) -> Option<[u8; 32]> {
    let exported = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None);
    exported.ok()
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => match ready!(Pin::new(stream).poll_read(cx, buffer)) {
                // Every protocol here says by itself where a message ends, so that an end without
                // close_notify cannot pass a part for the whole (RFC 8446 §6.1).
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                other => Poll::Ready(other),
            },
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}
