//! The one contract of every conversation, server or client: poll it, do the one thing it says.

use crate::Wire;
use mta_core::Mono;
use std::marker::PhantomData;

/// The one thing to do next.
///
/// Whatever it says, a driver also watches for socket input (unless [`Wire::room`] is 0), unsent
/// output, answers and commands from the application, and [`Machine::deadline`].
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver must handle every action; a new one is a breaking change"
)]
#[must_use = "an action that is dropped stalls the conversation"]
#[derive(Debug, PartialEq, Eq)]
pub enum Action<E> {
    /// More input is needed: read, [`Wire::push`], poll again.
    Read,
    /// Output passed its high-water mark or must leave before anything else: write, poll again.
    Write,
    /// Only an answer or a command of the application can move the machine on.
    Wait,
    /// Something the application must look at, and answer where it carries a [`Ticket`].
    Event(E),
    /// All output is flushed and the buffers are empty: do the TLS handshake now, then call
    /// [`Machine::tls_started`].
    StartTls,
    /// Flush what is left of the output, then close. Every later poll says the same.
    Close,
}

/// A sans-IO conversation on one byte stream.
///
/// Call [`poll`](Self::poll) until it says something other than an event that needs no answer, do
/// that thing, poll again. `poll` also sees time: once `now` has reached [`deadline`](Self::deadline),
/// the machine gives up by itself. `poll` never blocks and never takes more steps than the input
/// and the answers given since the last call justify.
pub trait Machine {
    /// What the application is told and asked.
    type Event;

    /// Says the one thing to do next.
    fn poll(&mut self, now: Mono) -> Action<Self::Event>;

    /// When the peer has been silent for too long; `None` while the application is the slow side.
    fn deadline(&self) -> Option<Mono>;

    /// The buffers between the machine and the stream.
    fn wire(&self) -> &Wire;

    /// The buffers, to put input in and take output out.
    fn wire_mut(&mut self) -> &mut Wire;

    /// Tells that the handshake asked for by [`Action::StartTls`] is done; everything learnt in
    /// the clear is forgotten. Machines without TLS never ask for it.
    fn tls_started(&mut self, _now: Mono) {}
}

/// The right to give one answer of kind `K` to one question. Not `Clone`, consumed by answering.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a question that is never answered stalls the conversation"]
pub struct Ticket<K> {
    serial: u64,
    kind: PhantomData<fn(K)>,
}

impl<K> Ticket<K> {
    pub(crate) const fn new(serial: u64) -> Self {
        Self {
            serial,
            kind: PhantomData,
        }
    }

    pub(crate) const fn serial(&self) -> u64 {
        self.serial
    }
}
