//! TLS between a client and a program that knows nothing of it (tcpserver-ssl, spec §9.5).
//!
//! ```text
//!   client ◄── TLS ──► this process ◄── two pipes ──► the program (0 and 1)
//! ```

use super::connection::{Dropped, dropped};
use super::log;
use super::options::{Settings, Verbosity};
use super::pem::Pem;
use crate::Io;
use crate::ends::program_command;
use applet::Exit;
use driver::tls::{AsyncTls, Facts, Handshake};
use std::cell::Cell;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::time::Instant;

/// Where the certificate is inherited.
const PEM: i32 = 1;
/// The most bytes that are on their way in each direction.
const PIECE: usize = 16 * 1024;

type Tls = AsyncTls<tokio::net::TcpStream>;

/// Does the handshake, starts the program and passes on what both say, until the program's output
/// ends. Its exit code becomes ours.
pub(super) fn serve(
    io: &mut Io<'_>,
    settings: &Settings,
    stream: TcpStream,
) -> Result<Exit, Dropped> {
    let tls = Pem::inherited(PEM)
        .and_then(|pem| pem.server(settings.tls.handshake))
        .map_err(dropped("load certificate"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(dropped("start"))?;
    let mut child = runtime.block_on(async {
        let client = begin(&tls.handshake(), stream).await?;
        export(io, settings, client.facts());
        let mut child = program_command(io, &settings.program, &settings.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(dropped(&format!("run {}", settings.program.display())))?;
        let pipes = pipes(&mut child).map_err(dropped("use a pipe"))?;
        if let Err(Idle) = relay(settings, client, pipes).await {
            let line = b"timeout reached without input";
            log::tell(io, settings, Verbosity::Errors, line);
        }
        Ok::<_, Dropped>(child)
    })?;
    let status = child.wait().map_err(dropped("wait for the program"))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(Exit::TEMPORARY, Exit::other))
}

async fn begin(handshake: &Handshake, stream: TcpStream) -> Result<Tls, Dropped> {
    let unable = dropped("use the connection");
    let stream = stream
        .set_nonblocking(true)
        .and_then(|()| tokio::net::TcpStream::from_std(stream))
        .map_err(unable)?;
    let shaken = AsyncTls::begin(handshake, stream).await;
    shaken.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => Dropped("TLS handshake timed out".to_owned()),
        _ => Dropped(format!("TLS handshake failed: {error}")),
    })
}

fn export(io: &mut Io<'_>, settings: &Settings, facts: &Facts) {
    let values = [
        ("SSL_PROTOCOL", Some(facts.version())),
        ("SSL_CIPHER", Some(facts.cipher())),
        ("SSL_TLS_SNI", facts.server_name()),
    ];
    for (name, value) in values {
        match value.filter(|_| settings.tls.export_tls) {
            Some(value) => io.environment.insert(name.into(), value.into()),
            None => io.environment.remove(std::ffi::OsStr::new(name)),
        };
    }
}

fn pipes(child: &mut Child) -> io::Result<(pipe::Sender, pipe::Receiver)> {
    let missing = || io::Error::from(io::ErrorKind::NotConnected);
    let input = OwnedFd::from(child.stdin.take().ok_or_else(missing)?);
    let output = OwnedFd::from(child.stdout.take().ok_or_else(missing)?);
    Ok((
        pipe::Sender::from_owned_fd(input)?,
        pipe::Receiver::from_owned_fd(output)?,
    ))
}

/// Nothing came or went for too long.
struct Idle;

/// Returns once the program's output has ended or the client does not take it. A client that says
/// no more ends the program's input alone: the answer may still be on its way.
async fn relay(
    settings: &Settings,
    client: Tls,
    (input, output): (pipe::Sender, pipe::Receiver),
) -> Result<(), Idle> {
    let moved = Cell::new(Instant::now());
    let (from_client, mut to_client) = tokio::io::split(client);
    let inward = async {
        copy(from_client, input, &moved).await;
        std::future::pending::<()>().await;
    };
    let outward = async {
        let banner = settings.banner.as_bytes();
        if to_client.write_all(banner).await.is_ok() {
            copy(output, to_client, &moved).await;
        }
    };
    tokio::select! {
        () = inward => Ok(()),
        () = outward => Ok(()),
        () = silence(&moved, settings.tls.idle) => Err(Idle),
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    moved: &Cell<Instant>,
) {
    let mut piece = vec![0; PIECE];
    loop {
        // A connection that breaks is at its end as well.
        let n = from.read(&mut piece).await.unwrap_or(0);
        let taken = piece.get(..n).unwrap_or_default();
        moved.set(Instant::now());
        let passed = async {
            to.write_all(taken).await?;
            to.flush().await
        };
        if taken.is_empty() || passed.await.is_err() {
            // Tells a client that this is the end and no cut.
            let _ = to.shutdown().await;
            return;
        }
        moved.set(Instant::now());
    }
}

/// Waits until nothing has moved for so long.
async fn silence(moved: &Cell<Instant>, idle: Duration) {
    while moved.get().elapsed() < idle {
        tokio::time::sleep_until(moved.get() + idle).await;
    }
}
