//! Holding one message back, and letting it go again: what no original can (qmail-send(8) knows of no such thing).

use super::manager::Manager;
use super::message::Track;
use crate::Unix;
use crate::ports::spool::MessageId;
use crate::rewrite::Channel;

impl Manager {
    /// Holds a message: nobody is delivered to until [`Manager::release`]; false where there is no
    /// such message.
    ///
    /// What is being delivered at this moment ends first. Its bounce, if there is one and nobody is
    /// left to be delivered to, is sent all the same. A held message does not grow too old: that is
    /// judged at the next attempt.
    ///
    /// ```
    /// use mta_core::queue::*;
    /// use mta_core::{Address, Unix, ports::spool::MessageId};
    ///
    /// let mut manager = Manager::new(Settings::default());
    /// manager.recovered(Recovered {
    ///     id: MessageId(7), birth: Unix(0), sender: Address::null(),
    ///     next: PerChannel::new(None, Some(Unix(5))), bounced: false,
    /// });
    /// assert!(manager.hold(MessageId(7)));
    /// assert!(matches!(manager.poll(Unix(9)), Action::Log(_)));
    /// assert_eq!(manager.poll(Unix(9)), Action::Wait);
    /// assert!(manager.release(MessageId(7), Unix(9)));
    /// assert!(matches!(manager.poll(Unix(9)), Action::Load { .. }));
    /// ```
    pub fn hold(&mut self, id: MessageId) -> bool {
        let Some(message) = self.messages.get_mut(&id) else {
            return false;
        };
        message.held = true;
        for channel in Channel::ALL {
            match message.tracks.of_mut(channel) {
                Track::Waiting(at) => {
                    self.channels.of_mut(channel).due.remove(&(*at, id));
                }
                Track::Running(pass) if !pass.batches.is_empty() => {
                    pass.cut = true;
                    pass.batches.clear();
                }
                _ => {}
            }
        }
        self.advance(id);
        true
    }

    /// Lets a held message go: it is due now. False where there is no such message or it is not held.
    pub fn release(&mut self, id: MessageId, now: Unix) -> bool {
        let message = self.messages.get_mut(&id).filter(|message| message.held);
        let Some(message) = message else {
            return false;
        };
        message.held = false;
        for channel in Channel::ALL {
            if let Track::Waiting(at) = message.tracks.of_mut(channel) {
                *at = now;
                self.channels.of_mut(channel).due.insert((now, id));
                self.unkept.insert((id, channel));
            }
        }
        true
    }

    /// Tells whether a message is held.
    #[must_use]
    pub fn is_held(&self, id: MessageId) -> bool {
        self.messages.get(&id).is_some_and(|message| message.held)
    }
}
