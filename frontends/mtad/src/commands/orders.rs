//! `mtad queue hold, release, reroute, flush`: orders about queued messages, kept beside them where they are to last (docs/queue.md).

use super::ask::{self, Drains};
use super::queue::{insist, look};
use crate::Failure;
use crate::home::Home;
use crate::orders::{relay, write_reroute};
use crate::requests::Request;
use crate::spools;
use driver::Clock;
use mta_core::rewrite::Channel;
use mta_store::files::RealFiles;
use mta_store::queue::{MessageId, Params, Queue};
use mta_store::store::Store;
use std::io::Write;

pub(super) fn hold(home: &Home, queue: &Queue<RealFiles>, id: MessageId) -> Result<(), Failure> {
    change(home, queue, (Request::Hold(id), b""), id, |params| {
        params.held = true;
    })
}

pub(super) fn release(home: &Home, queue: &Queue<RealFiles>, id: MessageId) -> Result<(), Failure> {
    change(home, queue, (Request::Release(id), b""), id, |params| {
        params.held = false;
    })?;
    due(queue, id)
}

/// Sends one message, or all that have recipients in a domain, to other hosts.
pub(super) fn reroute(
    home: &Home,
    queue: &Queue<RealFiles>,
    (what, hosts): (&str, &[String]),
    out: &mut dyn Write,
) -> Result<(), Failure> {
    for host in hosts {
        if relay(host.as_bytes()).is_none() {
            return Err(Failure::permanent(format!(
                "expected hosts as HOST, HOST:PORT or [ADDRESS], found {host:?}"
            )));
        }
    }
    let hosts: Vec<Vec<u8>> = hosts.iter().map(|host| host.clone().into_bytes()).collect();
    let (domain, ids) = match what.parse().map(MessageId) {
        Ok(id) => {
            insist(queue, id)?;
            (Vec::new(), vec![id])
        }
        Err(_) => {
            let domain = domain(what)?;
            let ids = bound_for(queue, &domain, &[Channel::Remote])?;
            (domain, ids)
        }
    };
    let said = write_reroute(&domain, &hosts);
    for &id in &ids {
        let request = Request::Reroute(id);
        change(home, queue, (request, &said), id, |params| {
            params.reroute(&domain, hosts.clone());
        })?;
        due(queue, id)?;
    }
    count(out, ids.len(), "sent another way")
}

/// Makes everything for a domain due.
pub(super) fn flush(
    home: &Home,
    queue: &Queue<RealFiles>,
    destination: &str,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let ids = bound_for(queue, &domain(destination)?, &Channel::ALL)?;
    match ask::ask(home, queue, Request::Forget)? {
        Drains::Nobody(_lock) => {
            let store = own(queue)?;
            ids.iter().try_for_each(|&id| set_due(&store, id))?;
        }
        Drains::Server => {
            for &id in &ids {
                ask::put(home, Request::Retry(id), b"")?;
            }
            queue.pull_trigger();
            ids.iter()
                .try_for_each(|&id| ask::wait(home, Request::Retry(id)))?;
        }
    }
    count(out, ids.len(), "tried now")
}

fn count(out: &mut dyn Write, messages: usize, what: &str) -> Result<(), Failure> {
    let plural = if messages == 1 { "" } else { "s" };
    writeln!(out, "{messages} message{plural} {what}")?;
    Ok(())
}

/// Lets the server obey, and sees that it did; without a server does it.
fn change(
    home: &Home,
    queue: &Queue<RealFiles>,
    (request, said): (Request, &[u8]),
    id: MessageId,
    change: impl Fn(&mut Params),
) -> Result<(), Failure> {
    insist(queue, id)?;
    if let Drains::Nobody(_lock) = ask::ask_saying(home, queue, request, said)? {
        return own(queue)?.change_params(id, change).map_err(ask::failure);
    }
    let now = match look(queue)?.params(id) {
        // Released, it was delivered at once.
        Err(error) if error.is_missing() => return Ok(()),
        other => other.map_err(ask::failure)?,
    };
    let mut wanted = now.clone();
    change(&mut wanted);
    if now == wanted || insist(queue, id).is_err() {
        Ok(())
    } else {
        Err(Failure::temporary(format!(
            "the server did not obey {}; its log says why",
            request.file_name()
        )))
    }
}

/// Without a server, makes a message due for the next one.
fn due(queue: &Queue<RealFiles>, id: MessageId) -> Result<(), Failure> {
    match queue.lock_drainer() {
        Ok(_lock) => set_due(&own(queue)?, id),
        Err(_) => Ok(()),
    }
}

fn own(queue: &Queue<RealFiles>) -> Result<Store<RealFiles>, Failure> {
    spools::own(queue).map_err(ask::failure)
}

fn set_due(store: &Store<RealFiles>, id: MessageId) -> Result<(), Failure> {
    for channel in Channel::ALL {
        match store.set_next_attempt(id, channel, Clock::unix()) {
            Err(error) if error.is_missing() => {}
            other => other.map_err(ask::failure)?,
        }
    }
    Ok(())
}

fn domain(text: &str) -> Result<Vec<u8>, Failure> {
    let domain = text.strip_prefix('@').unwrap_or(text);
    if domain.is_empty()
        || domain.contains(|c: char| c.is_control() || c.is_whitespace() || c == '@')
    {
        return Err(Failure::permanent(format!(
            "expected a message's number or a domain, found {text:?}"
        )));
    }
    Ok(domain.as_bytes().to_vec())
}

/// The messages with recipients in a domain that are not done.
fn bound_for(
    queue: &Queue<RealFiles>,
    domain: &[u8],
    channels: &[Channel],
) -> Result<Vec<MessageId>, Failure> {
    let store = look(queue)?;
    let mut found = Vec::new();
    for id in store.ids().map_err(ask::failure)? {
        let mut there = false;
        for &channel in channels {
            let pending = match store.pending(id, channel) {
                // It went away, or is damaged: then the server deals with it.
                Err(error) if error.is_missing() || error.is_broken() => continue,
                other => other.map_err(ask::failure)?,
            };
            let mut hosts = pending.iter().filter_map(|one| one.address.domain());
            there |= hosts.any(|host| host.eq_ignore_ascii_case(domain));
        }
        if there {
            found.push(id);
        }
    }
    Ok(found)
}
