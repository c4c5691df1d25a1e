//! Taking messages over from a queue in qmail's layout into a log, each exactly once, and back (docs/spool-log.md).
//!
//! The copy in the log says which message of the queue it was. It is made durable first, then the
//! original is removed; after a crash between the two [`settle`] finds the pair and goes on.

use crate::files::Files;
use crate::log::{Door, Log};
use crate::queue::{MessageId, Origin, Params, Pending, Queue, QueueError};
use mta_core::envelope::Recipient;
use mta_core::rewrite::{Channel, Routed, Routing};
use mta_core::{Address, Envelope, Unix};
use std::collections::VecDeque;

/// Bytes that are copied at a time.
const PIECE: usize = 64 * 1024;

/// Takes one message over, whether it was preprocessed or not. Whoever calls drains the queue.
///
/// # Errors
/// The message stays in the queue; it can be called again. [`QueueError::Gone`] where its writer
/// took it back, [`QueueError::Broken`] where it belongs into the queue's quarantine.
pub fn take_in<F: Files>(
    queue: &Queue<F>,
    log: &Log<F>,
    id: MessageId,
    (now, origin): (Unix, Origin),
    routing: &Routing,
) -> Result<MessageId, QueueError> {
    let mut origin = origin;
    match queue.preprocess(id, now, &mut |to| routing.route(to)) {
        Ok(found) => {
            let number = |n: Option<u64>| n.and_then(|n| u32::try_from(n).ok());
            origin.uid = number(found.uid).unwrap_or(origin.uid);
            origin.pid = number(found.pid).unwrap_or(origin.pid);
        }
        // It was preprocessed before, or is nowhere: the next call tells.
        Err(QueueError::Gone(_)) => {}
        Err(error) => return Err(error),
    }
    let taken = copy(queue, log, id, origin, routing)?;
    complete(queue, log, (id, taken))?;
    queue.remove(id)?;
    Ok(taken)
}

/// Finishes what a crash interrupted: originals whose copy is in the log already are removed.
///
/// # Errors
/// After a failure it can be called again; before it has succeeded nothing may be taken in.
pub fn settle<F: Files>(
    queue: &Queue<F>,
    log: &Log<F>,
    doors: &[(MessageId, Door)],
) -> Result<(), QueueError> {
    for (taken, door) in doors {
        let same = match queue.door(door.id) {
            Ok(there) => there == *door,
            Err(error) if error.is_missing() => false,
            Err(error) => return Err(error),
        };
        if same {
            match complete(queue, log, (door.id, *taken)) {
                Err(QueueError::Gone(_)) | Ok(()) => {}
                Err(error) => return Err(error),
            }
            queue.remove(door.id)?;
        }
    }
    Ok(())
}

/// Puts one message of the log back into a queue, in state S5, and ends it in the log.
///
/// # Errors
/// After a failure it can be called again. A crash at the wrong moment leaves the message in both.
pub fn put_back<F: Files>(
    queue: &Queue<F>,
    log: &Log<F>,
    id: MessageId,
    origin: Origin,
) -> Result<MessageId, QueueError> {
    let info = log.info(id)?;
    let params = log.params(id)?;
    let mut all = Vec::new();
    for channel in Channel::ALL {
        let pending = log.pending(id, channel)?;
        all.extend(pending.into_iter().map(|one| (channel, one)));
    }
    let mut draft = queue.begin(origin, info.birth)?;
    each_piece(&log.open_message(id)?, log.dir(), &mut |piece| {
        draft.write(piece)
    })?;
    let back = draft.commit(&envelope(info.sender, &params, &all))?;
    let mut routes = routes(&all);
    queue.preprocess(back, info.birth, &mut |to| next(&mut routes, to))?;
    if let Some(text) = log.bounce(id)? {
        queue.append_bounce(back, &text)?;
    }
    if params.held || !params.reroutes.is_empty() {
        queue.change_params(back, |kept| {
            kept.held = params.held;
            kept.reroutes.clone_from(&params.reroutes);
        })?;
    }
    log.remove(id)?;
    Ok(back)
}

fn copy<F: Files>(
    queue: &Queue<F>,
    log: &Log<F>,
    id: MessageId,
    origin: Origin,
    routing: &Routing,
) -> Result<MessageId, QueueError> {
    let info = queue.info(id)?;
    let params = queue.params(id)?;
    let all = left(queue, id, &params, routing)?;
    let mut draft = log.begin(origin);
    draft.taken_from(queue.door(id)?);
    let dir = queue.layout().mess(id);
    each_piece(&queue.open_message(id)?, &dir, &mut |piece| {
        draft.write(piece)
    })?;
    let mut routes = routes(&all);
    let envelope = envelope(info.sender, &params, &all);
    draft.commit(&envelope, info.birth, &mut |to| next(&mut routes, to))
}

/// Brings over what was decided and what failed since the message came; doing it twice does no harm.
fn complete<F: Files>(
    queue: &Queue<F>,
    log: &Log<F>,
    (id, taken): (MessageId, MessageId),
) -> Result<(), QueueError> {
    if let (Some(text), None) = (queue.bounce(id)?, log.bounce(taken)?) {
        log.append_bounce(taken, &text)?;
    }
    let params = queue.params(id)?;
    let warned = warned(queue, id, &params)?;
    if params.held || !params.reroutes.is_empty() || !warned.is_empty() {
        log.change_params(taken, |kept| {
            kept.held = params.held;
            kept.reroutes = params.reroutes;
            kept.warned.extend(warned);
        })?;
    }
    for channel in Channel::ALL {
        if let Some(at) = queue.next_attempt(id, channel)? {
            log.set_next_attempt(taken, channel, at)?;
        }
    }
    Ok(())
}

/// The recipients that are not done, with what RCPT said of them.
fn left<F: Files>(
    queue: &Queue<F>,
    id: MessageId,
    params: &Params,
    routing: &Routing,
) -> Result<Vec<(Channel, Pending)>, QueueError> {
    let mut all = Vec::new();
    for channel in Channel::ALL {
        let mut pending = queue.pending(id, channel)?;
        mta_core::queue::attach(&mut pending, &params.recipients, routing);
        all.extend(pending.into_iter().map(|one| (channel, one)));
    }
    Ok(all)
}

/// Whose delay the sender knows of, by the places that the recipients have in the log.
fn warned<F: Files>(
    queue: &Queue<F>,
    id: MessageId,
    params: &Params,
) -> Result<Vec<(Channel, u64)>, QueueError> {
    if params.warned.is_empty() {
        return Ok(Vec::new());
    }
    let all = left(queue, id, params, &Routing::default())?;
    let places = (0..)
        .zip(all)
        .filter(|(_, (channel, one))| params.warned.contains(&(*channel, one.offset)));
    Ok(places
        .map(|(place, (channel, _))| (channel, place))
        .collect())
}

fn envelope(sender: Address, params: &Params, all: &[(Channel, Pending)]) -> Envelope {
    let recipients = all.iter().map(|(_, one)| Recipient {
        address: one.address.clone(),
        params: one.params.clone(),
    });
    Envelope {
        reverse_path: sender,
        recipients: recipients.collect(),
        params: params.mail.clone(),
    }
}

/// They are routed already, and asked for in this order.
fn routes(all: &[(Channel, Pending)]) -> VecDeque<Channel> {
    all.iter().map(|(channel, _)| *channel).collect()
}

fn next(routes: &mut VecDeque<Channel>, to: &Address) -> Routed {
    Routed {
        channel: routes.pop_front().unwrap_or(Channel::Remote),
        address: to.clone(),
    }
}

fn each_piece<F: Files>(
    message: &crate::queue::Message<F>,
    path: &std::path::Path,
    show: &mut dyn FnMut(&[u8]) -> Result<(), QueueError>,
) -> Result<(), QueueError> {
    let mut piece = vec![0; PIECE];
    let mut at = 0_u64;
    loop {
        let read = message.read_at(&mut piece, at);
        let n = read.map_err(|error| QueueError::io("read", path, error))?;
        if n == 0 {
            return Ok(());
        }
        at += n as u64;
        show(piece.get(..n).unwrap_or_default())?;
    }
}
