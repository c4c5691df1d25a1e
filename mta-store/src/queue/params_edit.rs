//! Changing params/ID of a queued message: replaced as a whole, durably, and never half (INTERNALS).

use super::error::{At, QueueError};
use super::params::{self, Params};
use super::records::Writer;
use super::{Held, Queue, limits};
use crate::files::{Access, Files};
use mta_core::ports::spool::MessageId;
use std::io::ErrorKind;
use std::sync::PoisonError;

impl<F: Files> Queue<F> {
    /// Changes what is kept beside a message, durably. Whoever drains the queue may do that, nobody
    /// else.
    ///
    /// # Errors
    /// [`QueueError::Gone`] where there is no such message. After a failure the old parameters stand,
    /// or the new ones whose durability is not sure.
    pub fn change_params(
        &self,
        id: MessageId,
        change: impl FnOnce(&mut Params),
    ) -> Result<(), QueueError> {
        let editing = &self.inner.editing;
        let _only = editing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut params = self.params(id)?;
        change(&mut params);
        let tabs = |word: &Vec<u8>| word.contains(&0) || word.contains(&b'\t');
        let mut words = params.reroutes.iter().flat_map(|one| {
            let hosts = one.hosts.iter();
            hosts.chain(std::iter::once(&one.domain))
        });
        if params.reroutes.len() > limits::REROUTES || words.any(tabs) {
            return Err(QueueError::Envelope(
                "expected few other routes, without NUL and tab",
            ));
        }
        self.replace_params(id, &params)
    }

    /// Lists the messages that an administrator holds, in ascending order.
    ///
    /// # Errors
    /// Fails where the files cannot be read.
    pub fn held(&self) -> Result<Vec<MessageId>, QueueError> {
        let mut held = Vec::new();
        for id in self.ids("params")? {
            if self.params(id)?.held {
                held.push(id);
            }
        }
        held.sort_unstable();
        Ok(held)
    }

    /// Writes the new file under another name first: a crash leaves one of the two. The old one is
    /// held until the change is durable, so that its inode is nobody else's while a crash could
    /// bring its name back.
    fn replace_params(&self, id: MessageId, params: &Params) -> Result<(), QueueError> {
        let path = self.paths().params(id);
        let binding = match self.binding(id) {
            Err(error) if error.is_missing() => return Err(QueueError::Gone(id)),
            other => other?,
        };
        if *params == Params::default() {
            let held = self.unlink_held(&path)?;
            return self.settle(held);
        }
        let unnamed = self.paths().pid(&format!("params.{id}"));
        self.files()
            .unlink_if_there(&unnamed)
            .at("remove", &unnamed)?;
        let file = self.files().create_new(&unnamed, 0o600);
        let file = file.at("create", &unnamed)?;
        let old = match self.files().open(&path, Access::Read) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            other => Some(other.at("open", &path)?),
        };
        let mut out = Writer::new(&file, &unnamed);
        let written = params::write(&mut out, &binding, params).and_then(|()| out.finish());
        let renamed = written.and_then(|()| {
            let done = self.files().rename(&unnamed, &path);
            done.at("rename", &unnamed)
        });
        if renamed.is_err() {
            let _ = self.files().unlink_if_there(&unnamed);
        }
        renamed?;
        let ticket = self.syncs().mark(&path);
        match old {
            Some(file) => self.settle([Held {
                _file: file,
                ticket,
            }]),
            None => self.syncs().wait(&ticket),
        }
    }
}
