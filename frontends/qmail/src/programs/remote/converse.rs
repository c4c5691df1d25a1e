//! One conversation with one host (qmail-remote(8), spec §7.3).

use super::report;
use crate::descriptor;
use bytes::Bytes;
use driver::BlockingLink;
use mta_core::control::Controls;
use mta_core::report::Report;
use mta_proto::Chunk;
use mta_proto::smtp::client::{Client, Config, Event, Timeouts, Transaction};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;

pub(super) type Link = BlockingLink<Client, TcpStream>;

/// Bytes of the message that are in memory at a time.
const PIECE: usize = 32 * 1024;

/// The reports, and the connection that is still to be ended in order.
pub(super) struct Ended {
    pub(super) text: Vec<u8>,
    pub(super) link: Option<Link>,
}

impl Ended {
    /// The message has a fate, and there is nobody to say goodbye to.
    pub(super) fn without_link(report: &Report) -> Self {
        Self {
            text: report::of_message(report),
            link: None,
        }
    }
}

/// What is to be sent, from descriptor 0.
pub(super) struct Message {
    transaction: Transaction,
    body: Option<File>,
}

impl Message {
    /// Takes the descriptor; one that is not open is found out when the body is wanted.
    pub(super) fn open(mut transaction: Transaction) -> Self {
        let body = descriptor::open(0).ok();
        transaction.size = body.as_ref().and_then(size);
        Self { transaction, body }
    }

    fn piece(&mut self) -> Chunk {
        let Some(body) = &mut self.body else {
            return Chunk::Failed;
        };
        let mut piece = vec![0; PIECE];
        loop {
            match body.read(&mut piece) {
                Ok(0) => return Chunk::End,
                Ok(n) => {
                    piece.truncate(n);
                    return Chunk::Bytes(Bytes::from(piece));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Chunk::Failed,
            }
        }
    }
}

/// About how many bytes a file has on the wire: lines grow by a CR each, about one in 40 bytes.
fn size(mut file: &File) -> Option<u64> {
    let all = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let left = all.len().saturating_sub(file.stream_position().ok()?);
    Some(left.saturating_add(left / 40))
}

/// Hands the message over.
///
/// # Errors
/// Where this host does not serve and nothing is decided, what to tell if no other one does.
pub(super) fn converse(
    controls: &Controls,
    stream: TcpStream,
    address: IpAddr,
    message: &mut Message,
) -> Result<Ended, Report> {
    let peer = address.to_string();
    // Only a matter of speed.
    let _ = stream.set_nodelay(true);
    let config = Config {
        helo: String::from_utf8_lossy(&controls.helohost).into_owned(),
        timeouts: Timeouts::uniform(controls.timeoutremote),
        ..Config::default()
    };
    let client = Client::new(Arc::new(config), peer.as_str(), mta_core::Mono::ZERO);
    let mut link = BlockingLink::new(client, stream);
    let mut waiting = Some(message.transaction.clone());
    loop {
        match link.next() {
            Ok(Event::Ready { .. }) => {
                if let Some(transaction) = waiting.take() {
                    // A machine that is not ready hands it back and says by itself why.
                    waiting = link.machine().begin(transaction).err();
                }
            }
            Ok(Event::Need(ticket)) => {
                // Where the connection is broken the machine says what that means.
                let piece = link.while_waiting(|| message.piece());
                link.machine().chunk(ticket, piece.unwrap_or(Chunk::Failed));
            }
            Ok(Event::Finished(reports)) => {
                let text = report::of_all(&peer, link.machine().fates(), &reports);
                let link = Some(link);
                return Ok(Ended { text, link });
            }
            Ok(Event::Unusable { report, .. }) => {
                // What it has to say at parting leaves with the connection.
                let _ = link.finish();
                return Err(report);
            }
            Ok(_) => {}
            Err(_) => {
                let text = format!("Connected to {peer} but connection died. (#4.4.2)\n");
                return Err(Report::deferral(text));
            }
        }
    }
}
