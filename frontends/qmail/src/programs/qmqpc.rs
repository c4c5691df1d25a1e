//! qmail-qmqpc: stands in for qmail-queue on a host without a queue and hands messages to one that has it
//! (qmail-qmqpc(8), spec §10).

use crate::controls;
use crate::descriptor;
use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;
use bytes::Bytes;
use driver::BlockingLink;
use mta_core::qq::EnvelopeParser;
use mta_core::report::Outcome;
use mta_core::{Envelope, Mono};
use mta_proto::Chunk;
use mta_proto::qmqp::client::{Client, Config, Event, Transaction};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// The largest message: QMQP wants its size first, so it is in memory until it is sent.
const MESSAGE: usize = 1 << 30;
const PIECE: usize = 64 * 1024;
const CONNECT: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);

const REFUSED: u8 = 31;
const MEMORY: u8 = 51;
const READ: u8 = 54;
const CONTROLS: u8 = 55;
const HOME: u8 = 61;
const LATER: u8 = 71;
const SILENT: u8 = 72;
const UNREACHABLE: u8 = 73;
const BROKEN: u8 = 74;

/// Never says a word: its caller knows the code.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    match send(io) {
        Ok(()) => Ok(Exit::OK),
        Err(code) => Err(Failure::silent(Exit::other(code))),
    }
}

fn send(io: &Io<'_>) -> Result<(), u8> {
    if !io.home.is_dir() {
        return Err(HOME);
    }
    let servers = controls::qmqpservers(io).map_err(|_| CONTROLS)?;
    let message = message(open(0)?)?;
    let envelope = envelope(open(1)?)?;
    let mut code = CONTROLS;
    for server in servers.iter() {
        match TcpStream::connect_timeout(&server, CONNECT) {
            // From here on it is the server's mail, whatever happens.
            Ok(stream) => return hand_over(stream, server, &envelope, &message),
            Err(error) if error.kind() == ErrorKind::TimedOut => code = SILENT,
            Err(_) => code = UNREACHABLE,
        }
    }
    Err(code)
}

/// A caller that gave no descriptor gets the code for an unreadable one.
fn open(number: i32) -> Result<File, u8> {
    descriptor::open(number).map_err(|_| READ)
}

/// The message in pieces, so that a large one is never copied to make room.
fn message(mut from: File) -> Result<Vec<Bytes>, u8> {
    let (mut pieces, mut size) = (Vec::new(), 0);
    loop {
        let mut piece = vec![0; PIECE];
        let n = read(&mut from, &mut piece)?;
        if n == 0 {
            return Ok(pieces);
        }
        size += n;
        if size > MESSAGE {
            return Err(MEMORY);
        }
        piece.truncate(n);
        piece.shrink_to_fit();
        pieces.push(Bytes::from(piece));
    }
}

fn envelope(mut from: File) -> Result<Envelope, u8> {
    let mut parser = EnvelopeParser::new();
    let mut piece = vec![0; PIECE];
    loop {
        let n = read(&mut from, &mut piece)?;
        let bytes = piece.get(..n).unwrap_or_default();
        let whole = parser.push(bytes).map_err(|error| error.exit_code())?;
        if whole || n == 0 {
            return parser.finish().map_err(|error| error.exit_code());
        }
    }
}

fn read(from: &mut File, piece: &mut [u8]) -> Result<usize, u8> {
    loop {
        match from.read(piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read.map_err(|_| READ),
        }
    }
}

fn hand_over(
    stream: TcpStream,
    server: SocketAddr,
    envelope: &Envelope,
    message: &[Bytes],
) -> Result<(), u8> {
    let size = message.iter().map(|piece| piece.len() as u64).sum();
    let recipients = envelope.recipients.iter().map(|to| to.address.clone());
    let transaction = Transaction::new(envelope.reverse_path.clone(), recipients, size);
    let config = Config {
        block: PATIENCE,
        response: PATIENCE,
        address: mta_core::qq::MAX_ADDRESS,
        ..Config::default()
    };
    let client = Client::new(Arc::new(config), server.ip().to_string(), Mono::ZERO);
    let mut link = BlockingLink::new(client, stream);
    let mut waiting = Some(transaction);
    let mut pieces = message.iter().cloned();
    loop {
        match link.next().map_err(|_| BROKEN)? {
            Event::Ready => {
                if let Some(transaction) = waiting.take() {
                    // A machine that is not ready hands it back and says by itself why.
                    waiting = link.machine().begin(transaction).err();
                }
            }
            Event::Need(ticket) => {
                let chunk = pieces.next().map_or(Chunk::End, Chunk::Bytes);
                link.machine().chunk(ticket, chunk);
            }
            Event::Finished(report) => {
                return match report.outcome {
                    Outcome::Success => Ok(()),
                    Outcome::Failure => Err(REFUSED),
                    Outcome::Deferral if link.machine().answered() => Err(LATER),
                    Outcome::Deferral => Err(BROKEN),
                };
            }
            _ => return Err(BROKEN),
        }
    }
}
