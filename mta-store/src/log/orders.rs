//! What was decided about a message since it came: held, sent elsewhere, its sender told of a delay (docs/spool-log.md).

use super::Log;
use super::envelope::{Reader, tag};
use super::index::Change;
use crate::files::Files;
use crate::queue::{At as _, Params, QueueError, Reroute};
use mta_core::ports::spool::MessageId;
use mta_core::rewrite::Channel;
use std::sync::Arc;

impl<F: Files> Log<F> {
    /// Returns what SMTP extensions added to the envelope, and what was decided since.
    ///
    /// # Errors
    /// As [`Log::preprocessed`].
    pub fn params(&self, id: MessageId) -> Result<Params, QueueError> {
        let mut params = self.record(id)?.entry.params();
        let place = {
            let state = self.shared.lock();
            let more = state.index.get(id).and_then(|seen| seen.more());
            let at = more.and_then(|more| more.orders);
            at.and_then(|at| Some((at, Arc::clone(state.segments.get(&at.segment)?))))
        };
        if let Some((at, file)) = place {
            let orders = self.orders(&*file, at)?;
            let path = super::segment::path(&self.shared.dir, at.segment);
            decode(&orders, &mut params)
                .ok_or_else(|| std::io::ErrorKind::InvalidData.into())
                .at("read orders in", &path)?;
        }
        Ok(params)
    }

    /// Changes what was decided about a message, durably.
    ///
    /// # Errors
    /// After a failure it is as it was.
    pub fn change_params(
        &self,
        id: MessageId,
        change: impl FnOnce(&mut Params),
    ) -> Result<(), QueueError> {
        let _one_at_a_time = self.shared.changing();
        let mut params = self.params(id)?;
        change(&mut params);
        self.note(id, Change::Orders, &encode(&params))
    }
}

fn encode(params: &Params) -> Vec<u8> {
    let mut out = Vec::new();
    if params.held {
        tag(&mut out, b'H', b"");
    }
    for reroute in &params.reroutes {
        let hosts = reroute.hosts.join(&b'\t');
        tag(
            &mut out,
            b'X',
            &[&reroute.domain[..], b"\0", &hosts].concat(),
        );
    }
    for (channel, place) in &params.warned {
        let mut value = vec![u8::try_from(channel.index()).unwrap_or(0)];
        value.extend_from_slice(&place.to_le_bytes());
        tag(&mut out, b'W', &value);
    }
    out
}

fn decode(bytes: &[u8], params: &mut Params) -> Option<()> {
    let mut rest = Reader(bytes);
    while !rest.0.is_empty() {
        match rest.tagged()? {
            (b'H', _) => params.held = true,
            (b'X', value) => {
                let at = value.iter().position(|&b| b == 0)?;
                let (domain, hosts) = value.split_at_checked(at)?;
                let hosts = hosts.get(1..)?.split(|&b| b == b'\t');
                params.reroutes.push(Reroute {
                    domain: domain.to_vec(),
                    hosts: hosts
                        .filter(|h| !h.is_empty())
                        .map(<[u8]>::to_vec)
                        .collect(),
                });
            }
            (b'W', value) => {
                let (channel, place) = value.split_first()?;
                let channel = *Channel::ALL.get(usize::from(*channel))?;
                params.warned.insert((channel, Reader(place).u64()?));
            }
            _ => {}
        }
    }
    Some(())
}
