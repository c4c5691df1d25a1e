//! Queues the bounce of a message, or another report about it, streamed from the message's own file (qmail-send(8), spec §5.8, RFC 3461).

use crate::random;
use crate::server::Snapshot;
use mta_core::bounce::{Bounce, Notice, Original, Scan, Settings, compose_notice};
use mta_core::envelope::Recipient;
use mta_core::ports::spool::MessageId;
use mta_core::received::{Invoked, queue as received};
use mta_core::{Address, Unix};
use mta_store::files::RealFiles;
use mta_store::queue::{Message, Origin, QueueError};
use mta_store::store::Store;
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
    queue: &Store<RealFiles>,
    snapshot: &Snapshot,
    origin: Origin,
    bounced: &Bounced,
    now: Unix,
) -> Result<Option<MessageId>, QueueError> {
    let failures = queue.bounce(bounced.id)?.unwrap_or_default();
    report(
        queue,
        (snapshot, origin),
        bounced,
        now,
        |original, unique| {
            let original = Original {
                failures: &failures,
                ..*original
            };
            Bounce::compose(&settings(snapshot, now), &original, now, unique)
        },
    )
}

/// Queues the message that tells a sender of something else than failures, and returns its number
/// once it is durable; `None` where nobody is to be told. Blocks.
///
/// # Errors
/// Fails where the queue does; nothing is queued then.
pub fn notify(
    queue: &Store<RealFiles>,
    (snapshot, origin): (&Snapshot, Origin),
    about: &Bounced,
    (notices, until): (&[Notice], Unix),
    now: Unix,
) -> Result<Option<MessageId>, QueueError> {
    let settings = settings(snapshot, now);
    let routing = &snapshot.controls.routing;
    report(queue, (snapshot, origin), about, now, |original, unique| {
        compose_notice(
            &settings,
            original,
            notices,
            (routing, until),
            (now, unique),
        )
    })
}

fn settings(snapshot: &Snapshot, now: Unix) -> Settings {
    let mut settings = Settings::from(&snapshot.controls);
    settings.zone = snapshot.dates.stamp(now).zone;
    settings
}

/// Composes a report about a message and queues it.
fn report(
    queue: &Store<RealFiles>,
    (snapshot, origin): (&Snapshot, Origin),
    about: &Bounced,
    now: Unix,
    compose: impl FnOnce(&Original<'_>, &[u8]) -> Option<Bounce>,
) -> Result<Option<MessageId>, QueueError> {
    let id = about.id;
    let params = queue.params(id)?;
    let routing = &snapshot.controls.routing;
    let known = params.recipients.into_iter().map(|to| Recipient {
        address: routing.shown(&to.address),
        ..to
    });
    let known: Vec<Recipient> = known.collect();
    let message = queue.open_message(id)?;
    let trouble = |source: io::Error| QueueError::Io {
        doing: "read",
        path: queue.place(id),
        source,
    };
    let mut scan = Scan::default();
    each_piece(&message, u64::MAX, |piece| {
        scan.feed(piece);
        Ok(())
    })
    .map_err(trouble)?;
    let original = Original {
        sender: &about.sender,
        params: &params.mail,
        recipients: &known,
        birth: about.birth,
        scan: &scan,
        failures: b"",
    };
    let unique: [u8; 12] = random::bytes().map_err(trouble)?;
    let Some(bounce) = compose(&original, &unique) else {
        return Ok(None);
    };
    let mut draft = queue.begin(origin, now)?;
    draft.write(received(origin.pid, Invoked::ForBounce, snapshot.dates.stamp(now)).as_bytes())?;
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
