//! `Link` with a machine that only counts what it received.

use driver::{Clock, Closed, Link};
use mta_core::Mono;
use mta_proto::{Action, Machine, Wire};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, duplex};

/// Gives an event for every 10 bytes received, and one at its deadline, which ends it.
struct Counter {
    wire: Wire,
    told: u64,
    deadline: Option<Mono>,
    closed: bool,
}

impl Counter {
    fn new(deadline: Option<Mono>) -> Self {
        Self {
            wire: Wire::new(1000, 1000),
            told: 0,
            deadline,
            closed: false,
        }
    }
}

impl Machine for Counter {
    type Event = u64;

    fn poll(&mut self, now: Mono) -> Action<u64> {
        if self.closed {
            return Action::Close;
        }
        if self.wire.received() >= self.told + 10 {
            self.told += 10;
            return Action::Event(self.told);
        }
        if self.wire.eof() || self.deadline.is_some_and(|deadline| now >= deadline) {
            self.closed = true;
            return Action::Event(self.wire.received());
        }
        Action::Read
    }

    fn deadline(&self) -> Option<Mono> {
        self.deadline
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}

#[tokio::test(start_paused = true)]
async fn events_come_in_order_and_a_hang_up_is_seen() {
    let (mut peer, ours) = duplex(64);
    let mut link = Link::new(Counter::new(None), ours, Clock::start());
    peer.write_all(&[b'x'; 25]).await.unwrap();
    drop(peer);
    assert_eq!(link.next().await.unwrap(), 10);
    assert_eq!(link.next().await.unwrap(), 20);
    assert_eq!(link.next().await.unwrap(), 25);
    assert!(matches!(link.next().await, Err(Closed::Ended)));
    assert!(matches!(link.next().await, Err(Closed::Ended)));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_meets_the_deadline() {
    let clock = Clock::start();
    let (_peer, ours) = duplex(64);
    let deadline = clock.now() + Duration::from_secs(300);
    let mut link = Link::new(Counter::new(Some(deadline)), ours, clock);
    assert_eq!(link.next().await.unwrap(), 0);
    assert_eq!(clock.now(), deadline);
}

#[tokio::test(start_paused = true)]
async fn dropping_next_loses_no_byte() {
    let (mut peer, ours) = duplex(64);
    let mut link = Link::new(Counter::new(None), ours, Clock::start());
    for _ in 0..5 {
        peer.write_all(b"xx").await.unwrap();
        let soon = Duration::from_millis(1);
        let _ = tokio::time::timeout(soon, link.next()).await;
    }
    assert_eq!(link.machine().wire.received(), 10);
}

#[tokio::test(start_paused = true)]
async fn input_is_taken_while_the_application_works() {
    let (mut peer, ours) = duplex(4);
    let mut link = Link::new(Counter::new(None), ours, Clock::start());
    let sent = link
        .while_waiting(async {
            peer.write_all(&[b'x'; 30]).await.unwrap();
            30
        })
        .await;
    assert_eq!(sent.unwrap(), 30);
    assert!(link.machine().wire.received() >= 26);
}
