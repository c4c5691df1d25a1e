//! Neither many new messages nor many due ones hold up the others (qmail-send(8), spec §12.2: silly qmail).

use super::stage::{Stage, address};
use mta_core::ports::spool::MessageId;
use mta_core::queue::{Action, PerChannel, Recovered};
use mta_core::report::Report;

#[test]
fn a_flood_of_new_messages_does_not_hold_up_deliveries() {
    let mut stage = Stage::new("s@x", &["joe@here"]);
    for id in 1..=1000 {
        stage.manager.found(MessageId(id));
    }
    let (mut preprocessed, mut started) = (0, 0);
    // Each step is answered before the next is asked for, as qmail-send does.
    while started < 10 {
        let action = stage.manager.poll(stage.now);
        match action {
            Action::Start(_) => started += 1,
            Action::Preprocess { .. } => {
                preprocessed += 1;
                stage.act(action);
            }
            Action::Wait => panic!("nothing is left to do"),
            action => stage.act(action),
        }
    }
    assert!(preprocessed <= 22, "{preprocessed} before ten deliveries");
}

#[test]
fn a_flood_of_due_messages_does_not_hold_up_new_ones() {
    let mut stage = Stage::new("s@x", &["joe@here"]);
    for id in 1..=1000 {
        stage.manager.recovered(Recovered {
            id: MessageId(id),
            birth: stage.now,
            sender: address("s@x"),
            next: PerChannel::new(Some(stage.now), None),
            bounced: false,
        });
    }
    stage.manager.found(MessageId(2000));
    let mut started = 0;
    loop {
        let action = stage.manager.poll(stage.now);
        match action {
            Action::Start(it) => {
                started += 1;
                stage
                    .manager
                    .delivered(it.delivery, vec![Report::success("")]);
            }
            Action::Preprocess { .. } => break,
            action => stage.act(action),
        }
    }
    assert!(started <= 2, "{started} before the new message");
}
