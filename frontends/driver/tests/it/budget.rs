//! What all sessions together hold of their peers' input is bounded, and nobody waits for another.

use driver::budget::ALLOWANCE;
use driver::{Budget, Clock, Link};
use mta_core::Mono;
use mta_proto::smtp::server::{self, Event, Server, Verdict};
use mta_proto::{Action, Machine, Wire};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

/// Wants so many bytes at once.
struct Hoarder {
    wire: Wire,
    wants: usize,
}

impl Machine for Hoarder {
    type Event = usize;

    fn poll(&mut self, _: Mono) -> Action<usize> {
        match self.wire.waiting() {
            enough if enough >= self.wants => Action::Event(enough),
            _ => Action::Read,
        }
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}

fn hoarder(budget: &Budget, wants: usize) -> (DuplexStream, Link<Hoarder, DuplexStream>) {
    let (peer, ours) = duplex(100_000);
    let wire = Wire::new(65_536, 1000);
    let link = Link::new(Hoarder { wire, wants }, ours, Clock::start());
    (peer, link.with_share(budget.share()))
}

/// Lets a link read what it may while its application is busy.
async fn busy(link: &mut Link<Hoarder, DuplexStream>) -> usize {
    let work = tokio::time::sleep(Duration::from_secs(1));
    link.while_waiting(work).await.unwrap();
    link.machine().wire().waiting()
}

#[tokio::test(start_paused = true)]
async fn floods_share_the_budget_and_give_it_back() {
    const BYTES: usize = 20_000;
    let budget = Budget::new(BYTES);
    let mut links = Vec::new();
    for _ in 0..3 {
        let (mut peer, link) = hoarder(&budget, usize::MAX);
        peer.write_all(&[b'x'; 60_000]).await.unwrap();
        links.push((peer, link));
    }
    let mut held = Vec::new();
    for (_, link) in &mut links {
        held.push(busy(link).await);
    }
    assert!(held.iter().all(|&one| one >= ALLOWANCE), "{held:?}");
    assert!(
        held.iter().sum::<usize>() <= BYTES + 3 * ALLOWANCE,
        "{held:?}"
    );
    assert_eq!(budget.left(), 0);
    drop(links.remove(0));
    assert!(budget.left() > 0, "the dead give back");
    let more = busy(&mut links[1].1).await;
    assert!(more > held[2], "{more} {held:?}");
    drop(links);
    assert_eq!(budget.left(), BYTES);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_needs_more_gets_it_without_a_budget() {
    let budget = Budget::new(0);
    let (mut peer, mut link) = hoarder(&budget, 30_000);
    peer.write_all(&[b'x'; 40_000]).await.unwrap();
    let held = link.next().await.unwrap();
    assert!((30_000..=32_000).contains(&held), "{held}");
}

#[tokio::test(start_paused = true)]
async fn what_the_application_has_in_hand_counts() {
    const BYTES: usize = 1 << 20;
    let budget = Budget::new(BYTES);
    let (mut peer, ours) = duplex(1 << 17);
    let config = Arc::new(server::Config::new("mx.example".to_owned()));
    let clock = Clock::start();
    let machine = Server::new(config, clock.now());
    let mut link = Link::new(machine, ours, clock).with_share(budget.share());
    peer.write_all(b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n")
        .await
        .unwrap();
    let (mut bodies, mut largest) = (0, 0);
    loop {
        let event = link.next().await.unwrap();
        let machine = link.machine();
        match event {
            Event::Connected(ticket) => machine.answer(ticket, Verdict::Accept),
            Event::Hello { ticket, .. } => machine.answer(ticket, Verdict::Accept),
            Event::Mail { ticket, .. } => machine.answer(ticket, Verdict::Accept),
            Event::Rcpt { ticket, .. } => machine.answer(ticket, Verdict::Accept),
            Event::Data(ticket) => {
                machine.answer(ticket, Verdict::Accept);
                let line = [&[b'x'; 98][..], b"\r\n"].concat();
                peer.write_all(&line.repeat(400)).await.unwrap();
            }
            Event::Body(bytes) => {
                bodies += bytes.len();
                largest = largest.max(bytes.len());
                let counted = BYTES - budget.left();
                assert!(counted + ALLOWANCE >= bytes.len(), "{counted}");
                if bodies >= 400 * 99 {
                    break;
                }
            }
            _ => {}
        }
    }
    assert!(largest > ALLOWANCE, "{largest}");
    // Asking for the next event says that the last one is dealt with.
    let _ = tokio::time::timeout(Duration::from_secs(1), link.next()).await;
    assert_eq!(budget.left(), BYTES);
}
