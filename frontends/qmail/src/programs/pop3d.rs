//! qmail-pop3d: hands out a Maildir to a client that was let in (qmail-pop3d(8)).

use crate::failure::Failure;
use crate::io::Io;
use crate::net::Net;
use applet::Exit;
use bytes::Bytes;
use driver::BlockingLink;
use mta_core::Mono;
use mta_proto::Chunk;
use mta_proto::pop3::{Config, Event, Listing, Refusal, Server, Timeouts};
use mta_store::files::{OpenFile, RealFile, RealFiles};
use mta_store::maildir::{self, Maildir};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// Messages that one session lists; the others come into view when some are removed.
const LISTED: usize = 1_000_000;
/// Bytes of a message that are in memory at a time.
const PIECE: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(1200);

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    if nix::unistd::getuid().is_root() {
        return Err(Failure::new(
            Exit::NO,
            "qmail-pop3d invoked as uid 0, terminating",
        ));
    }
    let listed = io.arguments.first().ok_or(()).and_then(|path| {
        let maildir = Maildir::new(Arc::new(RealFiles::new()), path);
        // What others have left is no reason to refuse a reader.
        let _ = maildir.clean_tmp(io.now);
        list(&maildir).map_err(drop)
    });
    let Ok((listing, view)) = listed else {
        // A client that has gone needs no answer.
        let _ = io
            .output
            .write_all(b"-ERR this user has no $HOME/Maildir\r\n");
        return Ok(Exit::OK);
    };
    let net =
        Net::open().map_err(|error| Failure::system("qmail-pop3d", "no connection", &error))?;
    let config = Config {
        greeting: "".into(),
        timeouts: Timeouts {
            idle: PATIENCE,
            authorization: PATIENCE,
            ..Timeouts::default()
        },
        ..Config::default()
    };
    let server = Server::authenticated(Arc::new(config), Mono::ZERO, view);
    let mut session = Session {
        link: BlockingLink::new(server, net),
        listing,
        reading: None,
    };
    while session.step() {}
    Ok(Exit::OK)
}

/// The Maildir as the store and as the protocol see it.
fn list(maildir: &Maildir<RealFiles>) -> std::io::Result<(maildir::Listing<RealFiles>, Listing)> {
    let listing = maildir.list()?;
    let mut view = Listing::new(LISTED);
    for (index, message) in listing.messages().iter().enumerate() {
        // A message that went away meanwhile keeps its place, so that numbers agree.
        let size = listing.wire_size(index).unwrap_or(message.size);
        if view.push(size, message.uid()).is_err() {
            break;
        }
    }
    Ok((listing, view))
}

struct Session {
    link: BlockingLink<Server, Net>,
    listing: maildir::Listing<RealFiles>,
    reading: Option<(RealFile, u64)>,
}

impl Session {
    /// Does what the client wants next; tells whether it may want more.
    fn step(&mut self) -> bool {
        let Ok(event) = self.link.next() else {
            return false;
        };
        match event {
            Event::Open { index, ticket, .. } => {
                let opened = self.listing.open(index as usize);
                let answer = opened.as_ref().map(drop).map_err(|_| Refusal::NO_MESSAGE);
                self.reading = opened.ok().map(|file| (file, 0));
                self.link.machine().opened(ticket, answer);
            }
            Event::Need(ticket) => {
                let piece = self.piece();
                self.link.machine().chunk(ticket, piece);
            }
            Event::Quit { deleted, ticket } => {
                let deleted: Vec<usize> = deleted.iter().map(|&index| index as usize).collect();
                let updated = self
                    .listing
                    .update(&deleted)
                    .map_err(|_| Refusal::NOT_REMOVED);
                self.link.machine().updated(ticket, updated);
            }
            Event::Abort(_) => return false,
            _ => {}
        }
        true
    }

    fn piece(&mut self) -> Chunk {
        let Some((file, at)) = &mut self.reading else {
            return Chunk::Failed;
        };
        let mut piece = vec![0; PIECE];
        match file.read_at(&mut piece, *at) {
            Ok(0) => Chunk::End,
            Ok(n) => {
                *at += n as u64;
                piece.truncate(n);
                Chunk::Bytes(Bytes::from(piece))
            }
            Err(_) => Chunk::Failed,
        }
    }
}
