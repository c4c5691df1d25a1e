//! Fills a queue with preprocessed messages, each of one remote recipient (INTERNALS §2, state S5).
//!
//! `fill QUEUE COUNT` — nothing is synced, and nobody may be using the queue.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measuring tool run by hand: it stops with what went wrong"
)]

use mta_core::ports::spool::MessageId;
use mta_core::rewrite::Channel;
use mta_store::queue::Layout;
use std::fs::{File, rename, write};
use std::os::unix::fs::MetadataExt as _;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let layout = Layout::new(&arguments[1]);
    let count: u64 = arguments[2].parse().unwrap();
    for n in 0..count {
        let begun = layout.dir().join(format!("pid/fill.{n}"));
        write(
            &begun,
            b"Received: (qmail 1 invoked by uid 0); 1 Jan 2026 00:00:00 -0000\nSubject: x\n\nbody\n",
        )
        .unwrap();
        let id = MessageId(File::open(&begun).unwrap().metadata().unwrap().ino());
        rename(begun, layout.mess(id)).unwrap();
        write(layout.info(id), b"Fsender@bench.example\0").unwrap();
        let recipient = format!("Trecipient{n}@far.example\0");
        write(layout.channel(id, Channel::Remote), recipient).unwrap();
    }
}
