//! Queues the bounce of a message, streamed from the message's own file (qmail-send(8), spec §5.8).

use crate::random;
use crate::server::Snapshot;
use mta_core::bounce::{Bounce, Original, Scan, Settings};
use mta_core::ports::spool::MessageId;
use mta_core::received::{Invoked, queue as received};
use mta_core::{Address, Unix};
use mta_store::files::RealFiles;
use mta_store::queue::{Message, Origin, Queue, QueueError};
use std::io;

/// Bytes of the message that are in memory at a time.
const PIECE: usize = 32 * 1024;

/// The message that bounces.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Bounced {
    /// Its number.
    pub id: MessageId,
    /// When it was queued.
    pub birth: Unix,
    /// Its reverse-path as it stands in the queue.
    pub sender: Address,
}

/// Queues the bounce and returns its number once it is durable; `None` where nobody is to be told.
/// Blocks.
///
/// # Errors
/// Fails where the queue does; nothing is queued then.
pub fn send(
    queue: &Queue<RealFiles>,
    snapshot: &Snapshot,
    origin: Origin,
    bounced: &Bounced,
    now: Unix,
) -> Result<Option<MessageId>, QueueError> {
    let id = bounced.id;
    let failures = queue.bounce(id)?.unwrap_or_default();
    let params = queue.params(id)?.mail;
    let message = queue.open_message(id)?;
    let trouble = |source: io::Error| QueueError::Io {
        doing: "read",
        path: queue.layout().mess(id),
        source,
    };
    let mut scan = Scan::default();
    each_piece(&message, u64::MAX, |piece| {
        scan.feed(piece);
        Ok(())
    })
    .map_err(trouble)?;
    let original = Original {
        sender: &bounced.sender,
        params: &params,
        birth: bounced.birth,
        scan: &scan,
        failures: &failures,
    };
    let unique: [u8; 12] = random::bytes().map_err(trouble)?;
    let settings = Settings::from(&snapshot.controls);
    let Some(bounce) = Bounce::compose(&settings, &original, now, &unique) else {
        return Ok(None);
    };
    let mut draft = queue.begin(origin, now)?;
    draft.write(received(origin.pid, Invoked::ForBounce, now).as_bytes())?;
    draft.write(&bounce.head)?;
    let mut failed = None;
    each_piece(&message, bounce.copy, |piece| {
        draft.write(piece).map_err(|error| {
            failed = Some(error);
            io::Error::other("the bounce cannot be written")
        })
    })
    .map_err(|error| failed.unwrap_or_else(|| trouble(error)))?;
    draft.write(&bounce.tail)?;
    draft.commit(&bounce.envelope).map(Some)
}

/// Shows the first `most` bytes of a message in pieces.
fn each_piece(
    message: &Message<RealFiles>,
    most: u64,
    mut show: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut at = 0_u64;
    while at < most {
        let room = usize::try_from(most - at).unwrap_or(PIECE).min(PIECE);
        let n = message.read_at(piece.get_mut(..room).unwrap_or_default(), at)?;
        if n == 0 {
            break;
        }
        at += n as u64;
        show(piece.get(..n).unwrap_or_default())?;
    }
    Ok(())
}
